"""A dbt project of four models in a real git repository, and what a review of it says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest

import review.build
from ingestion.settings import PROJECT_DIR
from review.build import Side, carry_over, tell_apart, write_profile
from review.mentions import mentions
from review.raw import put_raw
from review.report import Report
from review.sides import build_base, build_head, compare_in
from review.sides import review as review_of
from tests.programs import PARSED, programs

FILES = {
    "dbt_project.yml": """
name: small
profile: paris_colleges
flags: {send_anonymous_usage_stats: false}
models:
  small:
    marts:
      +access: public
      +schema: marts
      +contract: {enforced: true}
      +materialized: table
    staging:
      +access: private
      +schema: staging
      +materialized: table
  +group: all
""",
    "models/sources.yml": """
sources:
  - name: raw
    schema: raw
    tables: [{name: visit}]
groups:
  - name: all
    owner: {name: tests}
exposures:
  - name: page
    type: dashboard
    owner: {name: tests}
    depends_on: [ref('fct_visit')]
  - name: other_page
    type: dashboard
    owner: {name: tests}
    depends_on: [ref('dim_place')]
""",
    "models/staging/stg_visits.sql": """
select id, place, cost, note from {{ source('raw', 'visit') }}
""",
    "models/staging/stg_visits.yml": """
models:
  - name: stg_visits
    description: Visits.
    columns:
      - name: id
        description: Key.
        data_tests: [unique, not_null]
""",
    "models/marts/fct_visit.sql": """
select
    id,
    place,
    cost,
    note
from {{ ref('stg_visits') }}
""",
    "models/marts/fct_visit.yml": """
models:
  - name: fct_visit
    description: Visits.
    columns:
      - name: id
        data_type: integer
        description: Key.
        data_tests:
          - unique
          - not_null
      - name: place
        data_type: varchar
        description: Where.
      - name: cost
        data_type: double
        description: How much.
      - name: note
        data_type: varchar
        description: What was said.
""",
    "models/marts/dim_place.sql": """
select place, sum(cost) as cost from {{ ref('stg_visits') }} group by place
""",
    "models/marts/dim_place.yml": """
models:
  - name: dim_place
    description: Places.
    columns:
      - name: place
        data_type: varchar
        description: Key.
        data_tests: [unique, not_null]
      - name: cost
        data_type: double
        description: In all.
""",
    "snapshots/seen.yml": """
snapshots:
  - name: seen
    relation: ref('fct_visit')
    config: {unique_key: id, strategy: check, check_cols: [cost], schema: snapshots}
""",
}


class Repository:
    """A project under git; `edit` and then `review` what that did."""

    def __init__(self, path: Path, built: Built | None = None) -> None:
        self.path = path
        self.built = built

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
        command = ["git", *who, "-C", str(self.path), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def review(self) -> Report:
        """As ``make review`` does, with the base built once for all tests."""
        assert self.built
        out = self.path.parent / "out"
        parsed = self.built.repository.parent / PARSED
        if parsed.exists():
            (out / "pr").mkdir(parents=True)
            shutil.copy(parsed, out / "pr")
        out.mkdir(exist_ok=True)
        warehouse = Path(shutil.copy(self.built.warehouse, out))
        base = self.built.side
        put_raw(self.path.parent / "given.duckdb", warehouse)
        carry_over(base, warehouse)
        side = build_head(self.path, warehouse, out)
        if not parsed.exists() and (out / "pr" / PARSED).exists():
            shutil.copy(out / "pr" / PARSED, parsed)
        write_profile(out / "base", warehouse)
        side = tell_apart(self.built.repository, base, side, out)
        found = compare_in(warehouse, base, side)
        named = mentions(self.path, side.manifest or {}, found.columns)
        report = Report("main", "a" * 40, side.commit, "the raw data", base, "", side, found)
        return replace(report, mentions=named)

    def review_with_base(self) -> Report:
        folder = self.path.parent
        return review_of(self.path, "main", folder / "given.duckdb", folder / "out")


@pytest.fixture(scope="session", autouse=True)
def _dbt_is_imported_once() -> Iterator[None]:
    """A build starts dbt several times; here each is a fork of one that has it imported."""
    started = review.build.run

    def run(
        command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        if command[0] == sys.executable:
            return programs.run(command[1:], environment, folder)
        return started(command, folder, environment)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review.build, "run", run)
        yield


@dataclass(frozen=True)
class Built:
    """The base, once built: the repository, and the file with its tables."""

    repository: Path
    warehouse: Path
    side: Side


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The project, committed on ``main`` and built from 200 visits to four places."""
    folder = tmp_path_factory.mktemp("base")
    made = Repository(folder / "project")
    macro = "macros/generate_schema_name.sql"
    files = FILES | {macro: (PROJECT_DIR / macro).read_text(encoding="utf-8")}
    for name, text in files.items():
        path = made.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "first")
    with duckdb.connect(str(folder / "given.duckdb")) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.visit as select cast(i as integer) as id, "
            "'place ' || i % 4 as place, i * 1e-1 as cost, 'note ' || i as note "
            "from range(200) as t(i)"
        )
    warehouse = folder / "warehouse.duckdb"
    side, missing = build_base(made.path, "main", folder / "given.duckdb", warehouse, folder)
    assert side
    assert not missing
    return Built(made.path, warehouse, side)


@pytest.fixture
def repository(built: Built) -> Repository:
    """A copy of the project to edit: always in one place, so that dbt parses what differs alone."""
    folder = built.repository.parent / "edited"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built.repository, folder / "project")
    shutil.copy(built.repository.parent / "given.duckdb", folder)
    return Repository(folder / "project", built)


@pytest.fixture
def edited(repository: Repository) -> Callable[..., Report]:
    """A review of the project after one edit: ``edited(file, old, new)``."""

    def after(file: str, old: str, new: str) -> Report:
        repository.edit(file, old, new)
        return repository.review()

    return after
