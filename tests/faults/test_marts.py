"""What went, came back and changed between two loads, a field of another type, and a wrong clock:
in marts and snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from pymongo import MongoClient

from tests.faults.conftest import COLLEGES, Jobs, Store, rewritten

pytestmark = pytest.mark.timeout(900)

MODELS = (
    "fct_portal_edit",
    "fct_college_school_year",
    "rpt_college_record_not_counted",
    "fct_source_load",
    "college_ids_published",
    "college_records_seen",
    "bridge_college_id_alias",
)
MARTS = (
    "marts.dim_college",
    "marts.bridge_college_id_alias",
    "marts.fct_college_school_year",
)
ELSEWHERE = "1 rue d'ailleurs"
CLOSED = "ANAIS MIRBENDRE"
"""The sample's collège that closed."""


@pytest.fixture(scope="module")
def built(
    jobs: Jobs,
    make_store: Callable[[], Store],
    states: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SimpleNamespace]:
    """A pull that is loaded and built; two more, loaded and built once; and a twin, once each.

    ``back`` is gone from the second pull and back in the third, at another address; ``gone`` is
    edited in the second and gone from the third; ``vague`` has a text for a point in the third,
    whose metadata announces that. A collège comes in the second without a point, and so with an id
    of its own, and has the point of a closed one in the third: an alias.

    The clock of the twin went back ten years after the first build.
    """
    work = tmp_path_factory.mktemp("story")
    (records,) = states[0].glob(f"*/{COLLEGES}/records.jsonl")
    lines = records.read_bytes().splitlines()
    back, gone, vague = (json.loads(line) for line in lines[:3])
    (closed,) = (r for r in map(json.loads, lines) if r["libelle"] == CLOSED)
    reopened = {**closed, "libelle": CLOSED + "S", "annee_scol": "2021-2022"}

    def line(record: dict[str, Any], **changed: Any) -> bytes:
        return json.dumps({**record, **changed}).encode()

    second = rewritten(
        states[0],
        work / "2",
        COLLEGES,
        lambda lines: [
            line(gone, adresse=ELSEWHERE),
            *lines[2:],
            line(reopened, geo_point_2d=None, geo_shape=None),
        ],
    )
    third = rewritten(
        second,
        work / "3",
        COLLEGES,
        lambda _: [
            line(back, adresse=ELSEWHERE),
            line(vague, geo_point_2d="there", geo_shape=None),
            *lines[3:],
            line(reopened),
        ],
    )
    (metadata,) = third.glob(f"*/{COLLEGES}/dataset.json")
    document = json.loads(metadata.read_bytes())
    for field in document["fields"]:
        if field["name"] == "geo_point_2d":
            field["type"] = "text"
    metadata.write_text(json.dumps(document))

    store = make_store()
    jobs.succeed(store, "run", portal=states[0])
    store.build(*MODELS)
    twin = store.clone(store.home.with_name(store.home.name + "-twin"))
    say_ten_years_later(twin)
    for state in (second, third):
        answer = jobs.succeed(store, "extract", portal=state, datasets=[COLLEGES])
        jobs.succeed(twin, "run", portal=state, datasets=[COLLEGES])
        twin.build(*MODELS)
    jobs.succeed(store, "load")
    # Cautious: no test of a model that is not built.
    select = ("--indirect-selection", "cautious", "--select", *(f"+{name}" for name in MODELS))
    build = store.dbt("build", "--exclude-resource-type", "unit_test", *select)
    assert build.exit_code == 0, build.log[-6000:]
    yield SimpleNamespace(
        ask=store.ask,
        store=store,
        twin=twin,
        back=key(back),
        gone=key(gone),
        vague=key(vague),
        was={key(record): record["adresse"] for record in (back, gone)},
        drift=answer["results"][COLLEGES]["drift"],
        statuses=build.statuses,
    )
    twin.drop()


def say_ten_years_later(store: Store) -> None:
    """As if all that was done so far had been done by a clock ten years ahead, dbt's too."""
    with MongoClient[dict[str, Any]](store.uri, tz_aware=True) as client:
        database = client[store.database]
        for run in database["runs"].find():
            database["runs"].replace_one({"_id": run["_id"]}, later(run))
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        times = connection.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns"
            " where table_schema in ('raw', 'snapshots') and data_type like 'TIMESTAMP%'"
        ).fetchall()
        for table, column in times:
            connection.execute(f"update {table} set {column} = {column} + interval 10 years")


def later(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: later(inner) for name, inner in value.items()}
    return value + timedelta(days=3653) if isinstance(value, datetime) else value


def key(record: dict[str, Any]) -> str:
    names = [record["libelle"], record["annee_scol"]]
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def test_raw_has_every_step(built: SimpleNamespace) -> None:
    def steps(record_key: str) -> list[tuple[Any, ...]]:
        return list(
            built.ask(
                "select run_sequence, is_withdrawn, coalesce(contains(payload, 'ailleurs'), false)"
                " from raw.opendata_paris__etablissements_scolaires_colleges"
                f" where record_key = '{record_key}' order by 1"
            )
        )

    assert steps(built.back) == [(1, False, False), (2, True, False), (3, False, True)]
    assert steps(built.gone) == [(1, False, False), (2, False, True), (3, True, False)]


def test_staging_has_the_last_word(built: SimpleNamespace) -> None:
    def latest(record_key: str) -> tuple[Any, ...]:
        (row,) = built.ask(
            "select address, is_withdrawn from staging.stg_opendata_paris__colleges"
            f" where record_key = '{record_key}'"
        )
        return tuple(row)

    assert latest(built.back) == (ELSEWHERE, False)
    assert latest(built.gone) == (ELSEWHERE, True)


def test_the_edits_tell_it_in_order(built: SimpleNamespace) -> None:
    def edits(record_key: str) -> list[tuple[Any, ...]]:
        return list(
            built.ask(
                "select run_sequence, edit_type, field, new_value from marts.fct_portal_edit"
                f" where record_key = '{record_key}' order by all"
            )
        )

    assert edits(built.back) == [
        (2, "withdrawn", None, None),
        (3, "edited", "adresse", ELSEWHERE),
        (3, "restored", None, None),
    ]
    assert edits(built.gone) == [
        (2, "edited", "adresse", ELSEWHERE),
        (3, "withdrawn", None, None),
    ]


def test_the_edits_are_those_of_a_build_after_each_pull(built: SimpleNamespace) -> None:
    every = (
        "select run_sequence, * exclude (run_sequence, detected_at) from marts.fct_portal_edit"
        " order by all"
    )
    assert len(built.ask(every)) >= 5
    assert built.ask(every) == built.twin.ask(every)


def test_marts_and_snapshot(built: SimpleNamespace) -> None:
    """A record that goes while its school year stays is taken back: it counts no more."""
    assert built.ask("select count_if(is_withdrawn) from marts.fct_college_school_year") == [(0,)]
    assert built.ask(
        "select record_key, reason from marts.rpt_college_record_not_counted where is_withdrawn"
    ) == [(built.gone, "retracted")]
    assert built.ask(
        "select count(*) = count(distinct college_id) and count(*) > 0"
        " from snapshots.college_ids_published where dbt_valid_to is null"
    ) == [(True,)]


def test_what_each_build_saw(built: SimpleNamespace) -> None:
    """A move between two builds, a deletion, and in the twin what came between these two."""

    def seen(ask: Callable[[str], list[tuple[Any, ...]]], record_key: str) -> list[tuple[Any, ...]]:
        return [
            (ELSEWHERE if "AILLEURS" in address.upper() else built.was[record_key], *rest)
            for address, *rest in ask(
                "select address_key, dbt_is_deleted, dbt_valid_to is null"
                f" from snapshots.college_records_seen where record_key = '{record_key}'"
                " order by dbt_valid_to is null, dbt_is_deleted, address_key like '%AILLEURS%'"
            )
        ]

    here = {name: built.was[name] for name in (built.back, built.gone)}
    assert seen(built.ask, built.back) == [
        (here[built.back], "False", False),
        (ELSEWHERE, "False", True),
    ]
    assert seen(built.ask, built.gone) == [
        (here[built.gone], "False", False),
        (here[built.gone], "True", True),
    ]
    assert seen(built.twin.ask, built.back) == [
        (here[built.back], "False", False),
        (here[built.back], "True", False),
        (ELSEWHERE, "False", True),
    ]
    assert seen(built.twin.ask, built.gone) == [
        (here[built.gone], "False", False),
        (ELSEWHERE, "False", False),
        (ELSEWHERE, "True", True),
    ]
    # The two agree in the end, on every record.
    last = (
        "select * exclude (dbt_scd_id, dbt_updated_at, dbt_valid_from, dbt_valid_to)"
        " from snapshots.college_records_seen where dbt_valid_to is null"
        " and dbt_is_deleted = 'False' order by all"
    )
    assert built.ask(last) == built.twin.ask(last)


def test_a_field_of_another_type(built: SimpleNamespace) -> None:
    """It loads, is in the ledger as drift, staging yields null, and a dbt test warns."""
    retyped = {(d["kind"], d["field"], d["found"]) for d in built.drift}
    assert ("retyped", "geo_point_2d", "text") in retyped
    assert built.ask(
        "select longitude, latitude from staging.stg_opendata_paris__colleges"
        f" where record_key = '{built.vague}'"
    ) == [(None, None)]
    ((reported,),) = built.ask(
        f"select drift from marts.fct_source_load where dataset = '{COLLEGES}'"
        " order by run_sequence desc limit 1"
    )
    assert "geo_point_2d" in reported
    assert built.statuses["fields_drifted"] == "warn"


def test_a_clock_that_went_back(built: SimpleNamespace) -> None:
    """The later builds are dated years before the first: no row is another for that."""
    for name in MARTS:
        assert built.twin.model(name) == built.store.model(name), name
    # The twin's second build published an id that is an alias since the third.
    register = "select * exclude (dbt_valid_from, dbt_updated_at, dbt_scd_id)"
    register += " from snapshots.college_ids_published where"
    aliases = "college_id in (select alias_college_id from marts.bridge_college_id_alias)"
    assert built.twin.ask(f"{register} not {aliases} order by all") == built.ask(
        f"{register} true order by all"
    )
    ((name, before),) = built.twin.ask(
        f"select college_name, ids_published_before > 0 from ({register} {aliases})"
    )
    assert (name, before) == (CLOSED + "S", True)
    assert built.twin.ask(
        "select min(dbt_valid_from) < max(dbt_valid_from) - interval 9 years,"
        " arg_min(ids_published_before, dbt_valid_from) > 0"
        " from snapshots.college_ids_published"
    ) == [(True, True)]
    test = built.twin.dbt("test", "--select", "published_college_ids_stay")
    assert test.statuses == {"published_college_ids_stay": "pass"}
