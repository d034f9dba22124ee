"""Every field of the registry of every other type: it loads, and what it means is told.

Each field is damaged once a type, in a copy of one record that has a key of its own, so that one
pull has them all and a copy that is as it was stands beside them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import yaml

from ingestion.registry import Dataset, registry
from ingestion.settings import PROJECT_DIR
from sandbox.odsql import parse_where
from tests.faults.conftest import Jobs, Store

pytestmark = pytest.mark.timeout(600)

VALUES: dict[str, Any] = {
    "null": None,
    "text": "drift",
    "number": 12.5,
    "boolean": True,
    "object": {"a": 1},
    "array": [1, 2],
    "large number": 1e300,
}
WARNS = {"not_null_stg_opendata_paris__sectors_first_school_year_start"}
RETYPED = "boolean"
"""No field of the registry may have it."""
STAGING = {
    "etablissements-scolaires-colleges": "stg_opendata_paris__colleges",
    "secteurs-scolaires-colleges": "stg_opendata_paris__sectors",
    "arrondissements": "stg_opendata_paris__arrondissements",
    "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": (
        "stg_education_nationale__establishments"
    ),
    "fr-en-indicateurs-valeur-ajoutee-colleges": "stg_education_nationale__ivac",
    "fr-en-ips-colleges-ap2022": "stg_education_nationale__ips_ap2022",
    "fr-en-ips-colleges-ap2023": "stg_education_nationale__ips_ap2023",
    "fr-en-carte-scolaire-colleges-publics": "stg_education_nationale__street_ranges",
}
STANDS_IN = {
    "geo_shape": "geo_point_2d",
    "geo_point_2d": "geo_shape",
    "longitude": "position",
    "latitude": "position",
    "arr_insee": "arr_libelle",
}
"""What staging reads where a field is null: it gets the same value."""
BOOKKEEPING = {"record_key", "run_sequence", "extracted_at", "withdrawn_at", "unread_values"}


@dataclass(frozen=True)
class Copy:
    """A copy of a dataset's record under another key, with one field of another type, or none."""

    record_key: str
    field: str
    kind: str
    line: bytes


def copies(dataset: Dataset, record: dict[str, Any]) -> Iterator[Copy]:
    """One as it is, then one a field and type; of fields the portal filters by, none."""
    name = dataset.key[0]

    def copy(number: int, field: str, kind: str, **changed: Any) -> Copy:
        key = 100 + number if type(record[name]) is int else f"{record[name]} {number}"
        made = record | {name: key} | changed
        # A whole float is the whole number in a key.
        values = [
            int(value) if isinstance(value, float) and value.is_integer() else value
            for value in (made[key_field] for key_field in dataset.key)
        ]
        return Copy(
            json.dumps(values, ensure_ascii=False, separators=(",", ":")),
            field,
            kind,
            json.dumps(made, ensure_ascii=False).encode(),
        )

    yield copy(0, "", "as it is")
    damages = [
        (field, kind)
        for field in dataset.fields
        if field not in (dataset.where or "")
        for kind in VALUES
    ]
    for number, (field, kind) in enumerate(damages, 1):
        damaged = {field, STANDS_IN.get(field, field)} & dataset.fields.keys()
        yield copy(number, field, kind, **dict.fromkeys(damaged, VALUES[kind]))


def filled(dataset: Dataset, lines: list[bytes]) -> dict[str, Any]:
    """The record that says most of those that are read, and null for what it does not have."""
    is_read = parse_where(dataset.where, dataset.fields) if dataset.where else lambda _: True
    records = [record for record in map(json.loads, lines) if is_read(record)]
    most = max(records, key=lambda record: sum(v is not None for v in record.values()))
    return dict.fromkeys(dataset.fields) | most


@pytest.fixture(scope="module")
def drifted(
    jobs: Jobs,
    make_store: Callable[[], Store],
    states: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """Three pulls: the copies as they are, damaged, and with metadata that say so."""
    made: dict[str, list[Copy]] = {}

    def state(name: str, is_damaged: bool, is_told: bool) -> Path:
        out = tmp_path_factory.mktemp(name)
        for dataset in registry().values():
            (metadata,) = states[-1].glob(f"*/{dataset.dataset_id}/dataset.json")
            folder = out / metadata.relative_to(states[-1]).parent
            folder.mkdir(parents=True)
            lines = metadata.with_name("records.jsonl").read_bytes().splitlines()
            record = filled(dataset, lines)
            made[dataset.dataset_id] = list(copies(dataset, record))
            for copy in made[dataset.dataset_id]:
                if is_damaged:
                    lines.append(copy.line)
                elif copy.field not in dataset.key:
                    # A key that is damaged is no record that was there before.
                    key = dict(zip(dataset.key, json.loads(copy.record_key), strict=True))
                    lines.append(json.dumps(record | key, ensure_ascii=False).encode())
            document = json.loads(metadata.read_bytes())
            document["metas"]["default"]["records_count"] = len(lines)
            document["metas"]["default"]["data_processed"] += "" if not is_told else " "
            if is_told:
                document["fields"] = [
                    {"name": field, "type": RETYPED, "label": field} for field in dataset.fields
                ]
            (folder / "dataset.json").write_text(json.dumps(document))
            (folder / "records.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        return out

    store = make_store()
    force = {"force": True}
    jobs.succeed(store, "extract", portal=state("1", is_damaged=False, is_told=False))
    quiet = jobs.succeed(
        store, "extract", portal=state("2", is_damaged=True, is_told=False), options=force
    )
    shown = status(store)
    told = jobs.succeed(
        store, "run", portal=state("3", is_damaged=True, is_told=True), options=force
    )
    build = store.dbt(
        "build",
        *("--exclude-resource-type", "unit_test", "--indirect-selection", "cautious"),
        *("--select", "path:models/staging", "fct_source_load", "fields_drifted"),
    )
    return SimpleNamespace(
        store=store,
        made=made,
        quiet=quiet,
        shown=shown,
        told=told,
        shown_after=status(store),
        build=build,
    )


def status(store: Store) -> Any:
    environment = os.environ | {"COLLEGES_HOME": str(store.home), "MONGODB_URI": store.uri}
    shown = subprocess.run(
        [sys.executable, "-m", "ingestion.cli", "status", "--json"],
        cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(shown.stdout)


def test_it_loads(drifted: SimpleNamespace) -> None:
    """All but the lines whose key is none any more, and nothing is withdrawn for it."""
    histories = drifted.store.histories()
    for dataset_id, dataset in registry().items():
        for answer in (drifted.quiet, drifted.told):
            result = answer["results"][dataset_id]
            assert (result["status"], result["withdrawal_refused"]) == ("finished", None)
            kept_out = [copy for copy in drifted.made[dataset_id] if is_kept_out(dataset, copy)]
            assert len(kept_out) == 3 * len(dataset.key) - len(dataset.nullable_key)
            assert result["counts"]["rows_quarantined"] == len(kept_out)
            assert result["counts"].get("rows_withdrawn", 0) == 0
        latest = {key: history[-1][1] for key, history in histories[dataset_id].items()}
        kept_out = [copy for copy in drifted.made[dataset_id] if is_kept_out(dataset, copy)]
        assert not latest.keys() & {copy.record_key for copy in kept_out}
        for copy in drifted.made[dataset_id]:
            if copy not in kept_out:
                assert latest[copy.record_key] == copy.line.decode()


def is_kept_out(dataset: Dataset, copy: Copy) -> bool:
    if copy.kind == "null":
        return copy.field in dataset.key and copy.field not in dataset.nullable_key
    return copy.field in dataset.key and copy.kind in ("object", "array")


def test_metadata_that_say_so_are_drift(drifted: SimpleNamespace) -> None:
    """In the ledger and in the mart, each field; and a dbt test warns."""
    published = dict(
        drifted.store.ask(
            "select dataset, drift from marts.fct_source_load"
            " qualify row_number() over (partition by dataset order by run_sequence desc) = 1"
        )
    )
    for dataset_id, dataset in registry().items():
        expected = {(field, "retyped", RETYPED) for field in dataset.fields}
        for drift in (
            drifted.told["results"][dataset_id]["drift"],
            json.loads(published[dataset_id]),
        ):
            assert {(d["field"], d["kind"], d["found"]) for d in drift} == expected
    assert drifted.build.statuses["fields_drifted"] == "warn"


def test_metadata_that_say_nothing_of_it(drifted: SimpleNamespace) -> None:
    """The profile of the pull tells, in its ledger entry, and no other pull than that one."""
    for dataset in drifted.shown["datasets"]:
        of_registry = registry()[dataset["dataset"]]
        unlike = dataset["last_pull"]
        assert unlike["run_sequence"] == 2
        found = {c["field"]: c for c in unlike["profile_changes"] if c["what"] == "types"}
        # A field that was null throughout had no type that could change.
        as_it_is = json.loads(drifted.made[dataset["dataset"]][0].line)
        where = of_registry.where or ""
        assert found.keys() == {
            field for field, value in as_it_is.items() if value is not None and field not in where
        }
        (name,) = of_registry.key[-1:]
        assert {"boolean", "number", "text"} <= set(found[name]["after"].split("/"))
    assert all(
        pull["profile_changes"] == []
        for pull in (dataset["last_pull"] for dataset in drifted.shown_after["datasets"])
    )


@pytest.mark.parametrize("dataset_id", STAGING)
def test_staging_is_null_where_it_cannot_read(dataset_id: str, drifted: SimpleNamespace) -> None:
    """A text says what came, a number that number; all else is null, and nothing else changes."""
    dataset = registry()[dataset_id]
    rows = staged(drifted.store, dataset_id)
    as_it_is, *damaged = drifted.made[dataset_id]
    was = rows[as_it_is.record_key]
    # The copies differ in this, whatever is damaged.
    of_key = {name for name, value in was.items() if value == json.loads(was["record_key"])[0]}
    seen = set()
    for copy in damaged:
        if is_kept_out(dataset, copy):
            continue
        row = rows[copy.record_key]
        same = BOOKKEEPING if copy.field == dataset.key[0] else BOOKKEEPING | of_key
        for name in was.keys() - same:
            if row[name] != was[name]:
                seen.add(name)
                assert is_reading(row[name], was[name], VALUES[copy.kind]), (copy, name)
        unread = row.get("unread_values")
        assert unread is None or unread.startswith(f"{copy.field}: "), copy
    # The portal filters by the code and the nature; where a position cannot be read, the other
    # field that holds it is.
    untouched = was.keys() - BOOKKEEPING - seen
    assert untouched <= {
        "is_withdrawn", "department_code", "nature_code", "longitude", "latitude",
    }  # fmt: skip


def is_reading(found: Any, was: Any, value: Any) -> bool:
    """Whether a column that had such a value may make this of the new one."""
    if found is None:
        return True
    if isinstance(value, float) and isinstance(was, float | str | None):
        return float(found) == value
    is_text = isinstance(was, str | None) and value is not None
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return is_text and found in (text, text.upper())  # UAI are in capitals


def staged(store: Store, dataset_id: str) -> dict[str, dict[str, Any]]:
    with duckdb.connect(str(store.home / "warehouse.duckdb"), read_only=True) as connection:
        cursor = connection.execute(f"select * from staging.{STAGING[dataset_id]}")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row["record_key"]: row for row in rows}


def never_null(model: str) -> list[str]:
    """The columns of a model that its yml says are never null."""
    (path,) = (PROJECT_DIR / "models/staging").rglob(f"{model}.yml")
    (entry,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    (test,) = (t["never_null"] for t in entry["data_tests"] if "never_null" in t)
    return list(test["arguments"]["columns"])


def test_a_column_that_must_not_be_null_fails_its_test(drifted: SimpleNamespace) -> None:
    """Exactly where drift made it null, so that no mart is built of it."""
    found, expected = {}, {}
    for dataset_id, model in STAGING.items():
        rows = staged(drifted.store, dataset_id).values()
        for name, outcome in drifted.build.statuses.items():
            if name.startswith(f"never_null_{model}_"):
                columns = never_null(model)
            elif name.startswith(f"not_null_{model}_"):
                columns = [name.removeprefix(f"not_null_{model}_")]
            else:
                continue
            has_null = any(row[column] is None for row in rows for column in columns)
            expected[name] = "fail" if has_null else "pass"
            # Their yml says: a sector without a school year does not stop the others.
            found[name] = "fail" if name in WARNS and outcome == "warn" else outcome
    assert found == expected
    assert {"pass", "fail"} == set(expected.values())
    assert drifted.build.exit_code == 1
