"""What the report says of branches that change something, of a small project really built."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from review.definitions import DefinitionChange
from review.findings import BuildTime, Comparison, NewTable, RawChange, RowCount, ValueDiff
from review.markdown import block, code, percent
from review.problems import Problem
from review.render import LIMIT, annotated, render
from review.report import Report
from review.sides import review
from review.verdict import verdict
from tests.review.conftest import Repository

pytestmark = pytest.mark.timeout(600)

Edited = Callable[[str, str, str], Report]


def test_untouched_has_no_difference(repository: Repository) -> None:
    report = repository.review()
    assert not report.is_failed
    assert report.comparison.is_same
    # the snapshot too, whose dbt columns differ by the moment
    assert verdict(report) == "✅ No difference in 4 tables"
    assert "mermaid" not in render([report])


def test_change_is_named_exactly(repository: Repository) -> None:
    """A changed model, a renamed mart column, 10 % fewer rows."""
    repository.edit("models/marts/fct_visit.sql", "    cost,", "    cost as price,")
    repository.edit("models/marts/fct_visit.yml", "name: cost", "name: price")
    repository.edit(
        "models/marts/fct_visit.sql",
        "from {{ ref('stg_visits') }}",
        "from {{ ref('stg_visits') }} where id % 10 <> 3",
    )
    repository.edit("snapshots/seen.yml", "check_cols: [cost]", "check_cols: [price]")
    repository.edit("models/marts/dim_place.sql", "sum(cost)", "sum(cost + (id = 8)::int)")
    report = repository.review()
    found = report.comparison
    counts = {row.name: (row.base, row.pr) for row in found.rows if row.base != row.pr}
    # the snapshot began with the base's rows, as in production, and keeps those that left
    assert counts == {"fct_visit": (200, 180)}
    assert [(c.model, c.kind, c.before, c.after) for c in found.columns if c.is_mart] == [
        ("fct_visit", "renamed", "cost DOUBLE", "price")
    ]
    differences = {d.name: (d.lost, d.added, d.changed, dict(d.columns)) for d in found.values}
    assert differences["fct_visit"] == (20, 0, 0, {})
    assert differences["dim_place"] == (0, 0, 1, {"cost": 1})
    assert differences["stg_visits"] == (0, 0, 0, {})
    assert found.contracts == {"fct_visit": ["column cost renamed to price"]}
    assert found.edited["dim_place"] == ["SQL"]
    assert found.exposures == {"page": ["fct_visit"], "other_page": ["dim_place"]}
    text = render([report])
    assert "| `fct_visit` | 200 | 180 | −20 | −10.0 % |" in text
    # rows lost come with their values: the first of them
    assert "| `3` | `place 3` | `note 3` |" in text
    assert re.search(r"\| `place 0` \| `490\.0\d*` \| `491\.0\d*` \|", text)


def test_float_noise_is_no_difference(edited: Edited) -> None:
    report = edited("models/marts/dim_place.sql", "sum(cost)", "sum(cost) * (1 + 1e-14)")
    assert not any(diff.is_different for diff in report.comparison.values)
    assert verdict(report) == "✅ Same data in 4 tables"


def test_broken_contract_fails_and_says_where(edited: Edited) -> None:
    report = edited("models/marts/fct_visit.sql", "    cost,", "    cast(cost as integer) as cost,")
    assert report.is_failed
    (problem,) = report.pr.problems
    assert (problem.name, problem.file) == ("fct_visit", "models/marts/fct_visit.sql")
    assert "data type mismatch" in problem.message
    assert "Does not build: 1 error" in verdict(report)
    # what does not depend on it was built and compared
    assert {d.name for d in report.comparison.values} == {"stg_visits", "dim_place"}
    assert "seen" in report.pr.skipped


def test_contract_that_changes_is_broken_for_its_readers(repository: Repository) -> None:
    repository.edit("models/marts/fct_visit.sql", "    cost,", "    cast(cost as integer) as cost,")
    repository.edit("models/marts/fct_visit.yml", "data_type: double", "data_type: integer")
    report = repository.review()
    assert report.comparison.contracts == {"fct_visit": ["column cost is integer, was double"]}
    assert ("retyped", "cost DOUBLE", "INTEGER") in [
        (c.kind, c.before, c.after) for c in report.comparison.columns
    ]
    assert verdict(report).startswith("⚠️ Contract of 1 mart broken; ")
    assert "- `fct_visit.cost` is read by `seen` (for `cost`)\n" in render([report])


def test_dropped_key_test_is_caught(edited: Edited) -> None:
    report = edited("models/marts/fct_visit.yml", "          - unique\n", "")
    assert report.comparison.keys_lost == ["fct_visit"]
    assert [(c.name, c.loses) for c in report.comparison.definitions] == [
        ("unique on fct_visit.id", "check gone")
    ]
    assert "1 model lost the tested key" in verdict(report)


def test_undocumented_mart_column_is_caught(edited: Edited) -> None:
    report = edited("models/marts/fct_visit.yml", "        description: How much.\n", "")
    assert report.comparison.undocumented == ["fct_visit.cost"]
    assert "1 mart column without description" in verdict(report)


def test_sql_error_says_file_and_line(edited: Edited) -> None:
    report = edited("models/marts/dim_place.sql", "sum(cost)", "no_such_function(cost)")
    (problem,) = report.pr.problems
    assert (problem.file, problem.line) == ("models/marts/dim_place.sql", 2)
    assert "in `models/marts/dim_place.sql:2`" in render([report])


def test_project_that_does_not_parse_says_where(edited: Edited) -> None:
    report = edited("models/marts/dim_place.sql", "ref('stg_visits')", "ref('stg_vists')")
    (problem,) = report.pr.problems
    assert problem.kind == "project"
    assert problem.file == "models/marts/dim_place.sql"
    assert "stg_vists" in render([report])


def test_failing_test_is_said_and_hides_no_data(edited: Edited) -> None:
    report = edited("models/marts/fct_visit.sql", "    id,", "    id // 2 as id,")
    assert [(p.name, p.file, p.line) for p in report.pr.problems if "unique" in p.name] == [
        ("unique_fct_visit_id", "models/marts/fct_visit.yml", 6)
    ]
    # matching rows on a key that is none would lie
    (diff,) = [d for d in report.comparison.values if d.name == "fct_visit"]
    assert diff.not_compared == "the key is not unique: id 0 has 2 rows"
    assert "Rows not compared" in render([report])


def test_base_that_does_not_build_leaves_the_branch_alone(repository: Repository) -> None:
    good = (repository.path / "models/marts/dim_place.sql").read_text()
    repository.edit("models/marts/dim_place.sql", "sum(cost)", "no_such_function(cost)")
    repository.git("commit", "--all", "--quiet", "--message", "broken")
    (repository.path / "models/marts/dim_place.sql").write_text(good)
    report = repository.review_with_base()
    assert not report.is_failed
    assert (
        "The base does not build: dim_place (models/marts/dim_place.sql:2)" in report.base_missing
    )
    assert verdict(report) == "✅ Builds; nothing to compare with"
    assert "| `fct_visit` | 200 |" in render([report])


def test_text_of_the_data_is_harmless(repository: Repository) -> None:
    """A `$`, a pipe, a backtick, a tag, a mention: shown, and nothing else."""
    hostile = "$\\alpha$ | `x` <img src=y> @team"
    repository.edit(
        "models/marts/fct_visit.sql",
        "    note\n",
        f"    case when id = 5 then '{hostile}' else note end as note\n",
    )
    repository.edit("models/marts/fct_visit.yml", "What was said.", "Costs $5, `really` | @team")
    text = render([repository.review()])
    assert "&#36;" in text
    outside = re.sub(r"`[^`\n]*`|```.*?```", "", text, flags=re.DOTALL)
    for sign in ("$", "<img", "@team"):
        assert sign not in outside
    # the row of the table still has its three cells
    (line,) = [line for line in text.splitlines() if "img" in line]
    assert line.count(" | ") == 2


def test_code_and_block_escape() -> None:
    assert code("plain_name") == "`plain_name`"
    assert code("a|b") == "<code>a&#124;b</code>"
    assert code("two\nlines") == "`two lines`"
    assert code("turned \u202e around") == "<code>turned � around</code>"
    assert "</pre>" not in block("</pre><script>").removesuffix("</pre>").replace("&#60;", "")
    assert len(code("x" * 500)) < 100


def test_percentages() -> None:
    assert percent(456, 411) == "−9.9 %"
    assert percent(200, 180) == "−10.0 %"
    assert percent(10, 25) == "+150.0 %"
    assert percent(3, 0) == "−100.0 %"
    assert percent(0, 3) == "was empty"
    assert percent(100_000, 99_999) == "−under 0.1 %"


def test_report_stays_below_the_limit() -> None:
    from review.build import Side

    problems = [Problem("x" * 200, "model", "f.sql", 1, "line $\n" * 500) for _ in range(500)]
    side = Side("pr", "abc", None, problems=problems, skipped=["y" * 200] * 5000)
    changes = [DefinitionChange("test", "z" * 300, "removed", loses="check gone")] * 5000
    found = Comparison(definitions=changes, undocumented=["m.c"] * 5000)
    text = render([Report("main", "a" * 40, "b", "raw", None, "", side, found)])
    assert len(text) < LIMIT + 500


def test_a_base_that_moved_is_not_the_authors(repository: Repository) -> None:
    """As in CI: the branch merged into a base that has a commit more than where it left."""
    run = repository.git
    run("switch", "--quiet", "--create", "branch")
    repository.edit("models/marts/dim_place.yml", "In all.", "All of it.")
    run("commit", "--all", "--quiet", "--message", "a word")
    run("switch", "--quiet", "main")
    repository.edit("models/marts/dim_place.sql", "sum(cost)", "round(sum(cost))")
    run("commit", "--all", "--quiet", "--message", "somebody else's")
    run("switch", "--quiet", "--detach", "main")
    run("merge", "--quiet", "--no-ff", "--message", "merge", "branch")
    folder = repository.path.parent
    report = review(repository.path, "HEAD^1", folder / "given.duckdb", folder / "out")
    assert report.comparison.edited == {}
    assert verdict(report) == "✅ No difference in 4 tables"


def report_of(found: Comparison) -> Report:
    from review.build import Side

    side = Side("pr", "abc", {"nodes": {}})
    return Report("main", "a" * 40, "b", "the sample", side, "", side, found)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Comparison(56), "✅ No difference in 56 tables"),
        (Comparison(56, edited={"dim_place": ["SQL"]}), "✅ Same data in 56 tables"),
        (
            Comparison(values=[ValueDiff("dim_college", True, ["id"], changed=114, rows=115)]),
            "ℹ️ dim_college: 114 of 115 rows changed",
        ),
        (
            Comparison(
                rows=[RowCount("fct_visit", True, 100, 298)],
                values=[ValueDiff("fct_visit", True, [], not_compared="the key is not unique")],
            ),
            "⚠️ fct_visit has +198.0 % rows; data of fct_visit changed",
        ),
        (
            Comparison(new_tables=[NewTable("fct_new", True, 3, [("id", "INTEGER", 0)], [], [])]),
            "ℹ️ 1 new mart",
        ),
        (
            Comparison(empty_columns=["stg_visits.phone"]),
            "⚠️ 1 column null in every row",
        ),
        (
            Comparison(times=[BuildTime("dim_place", 0.3, 44.4)]),
            "⚠️ 1 model slower",
        ),
        (
            Comparison(unstable=["fct_visit"]),
            "⚠️ 1 table other at each build",
        ),
        (
            Comparison(raw=[RawChange("opendata_paris__colleges", 800, 686, 114, 0)]),
            "⚠️ opendata_paris__colleges loses 114 raw records",
        ),
    ],
)
def test_the_first_line(found: Comparison, line: str) -> None:
    assert verdict(report_of(found)).startswith(line)


def test_what_fails_on_the_base_too_is_told_apart() -> None:
    from review.build import Side

    problem = Problem("old_test", "test", "tests/data/old_test.sql", None, "Got 1 result", "")
    side = Side("pr", "abc", None, problems=[replace(problem, is_on_base=True)])
    report = Report("main", "a" * 40, "b", "raw", side, "", side, Comparison(4))
    assert not report.is_failed
    assert verdict(report) == "✅ No difference in 4 tables"
    assert "**Test fails (on the base too)** `old_test`" in render([report])
    assert list(annotated([report])) == []
    new = replace(problem, name="new_test", sample=[["college_id"], ["c1"]])
    report = replace(report, pr=replace(side, problems=[*side.problems, new]))
    assert report.is_failed
    assert verdict(report).startswith("❌ 1 test fails")
    assert "  | `college_id` |\n  | :- |\n  | `c1` |" in render([report])
    (line,) = annotated([report])
    assert line == "::error file=tests/data/old_test.sql::Test fails: new_test. Got 1 result"
