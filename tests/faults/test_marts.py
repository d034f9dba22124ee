"""What went, came back and changed between two loads, and a field of another type: in marts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.settings import PROJECT_DIR
from tests.faults.conftest import COLLEGES, Jobs, Store, rewritten

pytestmark = pytest.mark.timeout(900)

# Cautious: no test of a model that is not built.
SELECTION = (
    "--indirect-selection cautious"
    " --select +fct_portal_edit +fct_college_school_year +fct_source_load +college_ids_published"
)
ELSEWHERE = "1 rue d'ailleurs"


@pytest.fixture(scope="module")
def built(
    jobs: Jobs,
    make_store: Callable[[], Store],
    states: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """Three pulls, one load, one build.

    ``back`` is gone from the second pull and back in the third, at another address; ``gone`` is
    edited in the second and gone from the third; ``vague`` has a text for a point in the third,
    whose metadata announces that.
    """
    work = tmp_path_factory.mktemp("story")
    (records,) = states[0].glob(f"*/{COLLEGES}/records.jsonl")
    lines = records.read_bytes().splitlines()
    back, gone, vague = (json.loads(line) for line in lines[:3])

    def line(record: dict[str, Any], **changed: Any) -> bytes:
        return json.dumps({**record, **changed}).encode()

    second = rewritten(
        states[0],
        work / "2",
        COLLEGES,
        lambda lines: [line(gone, adresse=ELSEWHERE), *lines[2:]],
    )
    third = rewritten(
        second,
        work / "3",
        COLLEGES,
        lambda _: [
            line(back, adresse=ELSEWHERE),
            line(vague, geo_point_2d="there", geo_shape=None),
            *lines[3:],
        ],
    )
    (metadata,) = third.glob(f"*/{COLLEGES}/dataset.json")
    document = json.loads(metadata.read_bytes())
    for field in document["fields"]:
        if field["name"] == "geo_point_2d":
            field["type"] = "text"
    metadata.write_text(json.dumps(document))

    store = make_store()
    jobs.succeed(store, "extract", portal=states[0])
    for state in (second, third):
        answer = jobs.succeed(store, "extract", portal=state, datasets=[COLLEGES])
    jobs.succeed(store, "load")
    environment = os.environ | {
        "COLLEGES_HOME": str(store.home),
        "DBT_TARGET_PATH": str(store.home / "target"),
        "DBT_LOG_PATH": str(store.home / "logs"),
    }
    build = subprocess.run(
        [sys.executable, "-c",
         "from ingestion.pipeline import dbt_build; from ingestion.settings import Settings;"
         f"dbt_build(Settings.from_environment(), *'{SELECTION}'.split())"],
        cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stdout[-6000:] + build.stderr[-2000:]
    results = json.loads((store.home / "target" / "run_results.json").read_text())["results"]
    return SimpleNamespace(
        ask=store.ask,
        back=key(back),
        gone=key(gone),
        vague=key(vague),
        drift=answer["results"][COLLEGES]["drift"],
        statuses={result["unique_id"].split(".")[2]: result["status"] for result in results},
    )


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
    def edits(record_key: str) -> set[tuple[Any, ...]]:
        return {
            (kind, None if field is None else new)
            for kind, field, new in built.ask(
                "select edit_type, field, new_value from marts.fct_portal_edit"
                f" where record_key = '{record_key}'"
            )
        }

    assert {("withdrawn", None), ("restored", None), ("edited", ELSEWHERE)} >= edits(built.back)
    assert {("withdrawn", None), ("restored", None)} <= edits(built.back)
    assert edits(built.gone) == {("edited", ELSEWHERE), ("withdrawn", None)}


def test_marts_and_snapshot(built: SimpleNamespace) -> None:
    withdrawn = dict(
        built.ask("select is_withdrawn, count(*) from marts.fct_college_school_year group by 1")
    )
    assert withdrawn[True] == 1
    assert built.ask(
        "select count(*) = count(distinct college_id) and count(*) > 0"
        " from snapshots.college_ids_published where dbt_valid_to is null"
    ) == [(True,)]


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
