"""CONTRIBUTING's recipe, followed in a copy of the project: nothing else is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from ingestion.settings import PROJECT_DIR
from tests.once import TIMEOUT_S

DATASET = "effectifs_par-college-"
"""An id of the kind that portals publish and that dlt and SQL would rename."""
COPIED = ("dbt_project.yml", "ingestion", "sandbox", "models", "macros", "seeds", "snapshots",
          "tests/data", "selectors.yml", "profiles.example.yml", ".dlt")  # fmt: skip
STAGING = """\
with

source as (

    select * from {{{{ source_or_empty('opendata_paris', '{name}') }}}}

),

latest as (

    select * from {{{{ latest_records('source') }}}}

),

final as (

    select
        record_key,
        {{{{ json_text('payload', 'uai') }}}} as uai,
        {{{{ json_integer('payload', 'eleves') }}}} as pupils,
        is_now_withdrawn as is_withdrawn,
        run_sequence,
        extracted_at
    from latest

)

select * from final
"""


def state(folder: Path, records: list[dict[str, object]], processed: str) -> Path:
    target = folder / "opendata.paris.fr" / DATASET
    target.mkdir(parents=True)
    (target / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    metas = {"title": "Effectifs", "publisher": "Ville de Paris", "license": "ODbL"}
    metas |= {"records_count": len(records), "data_processed": processed}
    document = {
        "dataset_id": DATASET,
        "has_records": True,
        "metas": {"default": metas},
        "fields": [{"name": "uai", "type": "text"}, {"name": "eleves", "type": "int"}],
    }
    (target / "dataset.json").write_text(json.dumps(document))
    return folder


@pytest.mark.timeout(TIMEOUT_S)
def test_an_entry_a_source_and_a_staging_model_are_all(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in COPIED:
        source, target = PROJECT_DIR / name, project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    environment = os.environ | {"COLLEGES_HOME": str(tmp_path / "home"), "PYTHONPATH": str(project)}
    environment.pop("MONGODB_URI", None)

    def colleges(*arguments: str) -> str:
        command = [sys.executable, "-m", "ingestion.cli", *arguments]
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    records = [{"uai": f"07500{n:02}X", "eleves": 100 + n} for n in range(10)]
    first = state(tmp_path / "first", records, "2026-01-01T00:00:00+00:00")
    records[0]["eleves"] = 7
    second = state(tmp_path / "second", records, "2026-02-01T00:00:00+00:00")

    # What the command prints, with the key filled in, is the entry and the source.
    asked = ("--dataset", DATASET, "--from", "opendata_paris")
    draft = colleges("describe", *asked, "--portal", str(first)).replace("'?'", "uai")
    entry, source = (
        yaml.safe_load(part) for part in draft.replace("# models/", "---\n# models/").split("---\n")
    )
    registry = project / "ingestion" / "datasets.yml"
    document = yaml.safe_load(registry.read_text(encoding="utf-8"))
    document["datasets"] += entry
    registry.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    folder = project / "models" / "staging" / "opendata_paris"
    sources = folder / "_opendata_paris__sources.yml"
    document = yaml.safe_load(sources.read_text(encoding="utf-8"))
    document["sources"][0]["tables"] += source
    sources.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    name = "stg_opendata_paris__headcounts"
    (folder / f"{name}.sql").write_text(STAGING.format(name=source[0]["name"]))
    test = {"present_records": {"arguments": {"dataset": DATASET}}}
    (folder / f"{name}.yml").write_text(
        yaml.safe_dump({"models": [{"name": name, "data_tests": [test]}]})
    )

    recorded = tmp_path / "recorded"
    assert "10 records" in colleges(
        "record", *asked, "--portal", str(second), "--out", str(recorded)
    )
    told = colleges("run", "--portal", str(first), "--portal", str(recorded))
    assert "marts built" in told.splitlines()[0]
    assert "10 received, 1 changed" in told
    with duckdb.connect(str(tmp_path / "home" / "warehouse.duckdb"), read_only=True) as warehouse:
        edits = warehouse.execute(
            "select record_key, field, old_value, new_value from marts.fct_portal_edit"
            " where dataset = ?",
            [DATASET],
        ).fetchall()
        pupils = warehouse.execute(f"select sum(pupils) from staging.{name}").fetchone()
    assert edits == [('["0750000X"]', "eleves", "100", "7")]
    assert pupils == (7 + sum(100 + n for n in range(1, 10)),)
