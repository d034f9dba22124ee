"""Branches that change a check or a definition and no row: what a reviewer reads in the first line.

Each was once called "No difference" or "Same data". Of this project itself, parsed and not built:
what they change is in the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from review.build import Side
from review.definitions import definition_changes
from review.findings import Comparison
from review.render import render
from review.report import Report
from tests.dbt_parser import Parser, copy_of_project

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Branch:
    """Edits, the first line of the report, and what its table of definitions must say."""

    name: str
    edits: list[tuple[str, str, str]]
    """File, text, what replaces it; None as text: the file is deleted."""
    verdict: str
    shown: str


STAYS = "tests/data/published_college_ids_stay.sql"
SEEN = "snapshots/college_records_seen.yml"
RESULT = "models/marts/fct_college_result.yml"
DISTANCE = "models/marts/fct_college_distance.yml"

BRANCHES = [
    Branch("untouched", [], "✅ No difference in 0 tables", ""),
    Branch(
        "severity of a test",
        [
            (
                DISTANCE,
                "arguments: {to: ref('dim_college'), field: college_id}\n",
                "arguments: {to: ref('dim_college'), field: college_id}\n"
                "              config: {severity: warn}\n",
            )
        ],
        "⚠️ 2 checks loosened",
        "| severity | `ERROR` | `WARN` |",
    ),
    Branch(
        "error_if out of reach",
        [(STAYS, "with\n", "{{ config(error_if='>1000', warn_if='>1000') }}\n\nwith\n")],
        "⚠️ 2 checks loosened",
        "| ⚠️ test | `published_college_ids_stay` | error_if | `!= 0` | `>1000` |",
    ),
    Branch(
        "a singular test gutted",
        [(STAYS, "select * from younger_kept", "select * from younger_kept\nlimit 0")],
        "⚠️ 1 check changed",
        "| ⚠️ test | `published_college_ids_stay` | SQL |  | `limit 0` |",
    ),
    Branch(
        "a singular test deleted",
        [(STAYS, "", "")],
        "⚠️ 1 check gone",
        "| ⚠️ test | `published_college_ids_stay` | removed |  |  |",
    ),
    Branch(
        "another condition of a test",
        [(DISTANCE, "condition: college_id_a < college_id_b", "condition: 'true'")],
        "⚠️ 1 check changed",
        "| ⚠️ test | `holds on fct_college_distance` | arguments "
        "| `condition=college_id_a < college_id_b` | `condition=true` |",
    ),
    Branch(
        "a test macro that finds nothing",
        [("tests/data/generic/holds.sql", "select", "select /* none */")],
        "⚠️ 1 check changed",
        "| ⚠️ test macro | `holds (",
    ),
    Branch(
        "a unit test with its rule",
        [("models/marts/fct_college_distance.yml", "distance_km: 7.3", "distance_km: 11.1")],
        "⚠️ 1 check changed",
        "| ⚠️ unit test | `fct_college_distance.fct_college_distance_takes_longitude_for_longitude` "
        "| expect |",
    ),
    Branch(
        "a metric's formula",
        [(RESULT, "candidates * success_rate_pct / 100", "candidates * success_rate_pct")],
        "⚠️ 1 metric computed in another way",
        "| ⚠️ metric | `passed_candidates` | formula "
        "| `case when not is_retracted then candidates * success_rate_pct / 100 end` "
        "| `case when not is_retracted then candidates * success_rate_pct end` |",
    ),
    Branch(
        "an exposure that loses a ref",
        [("models/exposures.yml", "      - ref('fct_college_change')\n", "")],
        "⚠️ ",
        "| ⚠️ exposure | `dashboard_map` | reads | `fct_college_change` |  |",
    ),
    Branch(
        "a snapshot's strategy",
        [
            (SEEN, "[address_key, insee_code, establishment_type_key, longitude, latitude]",
             "[address_key, insee_code]"),
            (SEEN, "hard_deletes: new_record", "hard_deletes: invalidate"),
        ],
        "⚠️ 2 snapshots whose history cannot be rebuilt",
        "| ⚠️ snapshot | `college_records_seen` | hard_deletes | `new_record` | `invalidate` |",
    ),
    Branch(
        "a table that becomes a view",
        [("models/marts/dim_school_year.sql", "with\n",
          "{{ config(materialized='view') }}\n\nwith\n")],
        "ℹ️ dim_school_year is a view, was a table",
        "| model | `dim_school_year` | materialized | `table` | `view` |",
    ),
    Branch(
        "a selector",
        [("selectors.yml", "value: modified\n", "value: new\n")],
        "ℹ️ 1 selector changed",
        "| selector | `slim_ci` | definition | `modified` | `new` |",
    ),
    Branch(
        "a description alone",
        [(DISTANCE, "The other collège of the pair.", "The second collège of the pair.")],
        "✅ No difference in 0 tables",
        "",
    ),
    # The last: after it, and after its undoing, dbt parses everything anew.
    Branch(
        "a variable",
        [("dbt_project.yml", "college_moved_threshold_m: 100", "college_moved_threshold_m: 240")],
        "ℹ️ 1 variable changed",
        "| variable | `college_moved_threshold_m` | value | `100` | `240` |",
    ),
]  # fmt: skip


class Parsed:
    """The project, parsed: as it is, and after the edits of a branch."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.parser = Parser(project)
        self.base = self.side("base")

    def side(self, name: str) -> Side:
        assert self.parser.parse() == ""
        manifest = json.loads((self.project / "target/manifest.json").read_text(encoding="utf-8"))
        settings = yaml.safe_load((self.project / "dbt_project.yml").read_text(encoding="utf-8"))
        return Side("pr" if name == "pr" else "base", name, manifest, settings=settings)

    def after(self, edits: list[tuple[str, str, str]]) -> Side:
        texts = {file: (self.project / file).read_text(encoding="utf-8") for file, _, _ in edits}
        try:
            for file, old, new in edits:
                path = self.project / file
                if not old:
                    path.unlink()
                    continue
                text = path.read_text(encoding="utf-8")
                assert old in text, f"{file} no longer has {old!r}: choose another edit"
                path.write_text(text.replace(old, new), encoding="utf-8")
            return self.side("pr")
        finally:
            for file, text in texts.items():
                (self.project / file).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parsed]:
    made = Parsed(copy_of_project(tmp_path_factory.mktemp("branches") / "project"))
    yield made
    made.parser.close()


@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.name)
def test_the_first_line_names_it(branch: Branch, parsed: Parsed) -> None:
    side = parsed.after(branch.edits)
    found = Comparison(definitions=definition_changes(parsed.base, side))
    text = render([Report("main", "a" * 40, "b", "no data", parsed.base, "", side, found)])
    assert text.startswith(f"## {branch.verdict}")
    assert branch.shown in text
