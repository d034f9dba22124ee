"""Builds of the whole dbt project in seconds, on states that a test makes up.

A `Case` says what a portal did, what a person would conclude if the marts followed blindly, and
what the marts must say instead. `check` loads its states one after the other, as the loader would
write them to raw, and builds the compiled SQL in the order of the DAG on an in-memory DuckDB.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb
import pyarrow as pa
import yaml

from ingestion.settings import PROJECT_DIR
from tests.mutations.compiled import DATABASE, Node, Project, create_raw
from tests.mutations.states import State

Rows = Sequence[tuple[Any, ...]]
Outcome = Literal["pass", "warn", "error"]

_REGISTRY = {
    dataset["id"]: dataset
    for dataset in yaml.safe_load(
        (PROJECT_DIR / "ingestion/datasets.yml").read_text(encoding="utf-8")
    )["datasets"]
}


BEFORE_ALL = datetime(2000, 1, 1)  # noqa: DTZ001 - UTC without zone, as raw has it


# -- a case ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One small change to what a portal publishes, and the marts that must follow."""

    name: str
    """What holds, in snake_case: the id of the test."""
    concludes: str
    """What a person would conclude from marts that get it wrong."""
    states: Callable[[], Sequence[State]]
    """The states, oldest first; called when the case runs."""
    expect: Mapping[str, Rows] = field(default_factory=dict)
    """Query → the rows it must give, in its own order. Schemas: `marts.…`, `intermediate.…`."""
    warns: Collection[str] = ()
    """Data tests that must warn (their dbt names) ..."""
    errors: Collection[str] = ()
    """... that must fail ..."""
    passes: Collection[str] = ()
    """... and that must pass."""
    keeps: Mapping[str, Rows] = field(default_factory=dict)
    """As `expect`, where an alarm must stop the last build before it replaces a mart."""
    builds_each: bool = True
    """Whether a build follows each load, or the last alone."""
    seeds: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rows a person adds to a seed before the last build, by the seed's name."""

    def check(
        self, project: Project, *, before: Project | None = None, everything: bool = False
    ) -> Marts:
        """Load, build what is asked for, or everything, and compare.

        Args:
            before: builds all but the last load; the project itself by default.

        Returns:
            The marts, for more questions.

        Raises:
            AssertionError: the marts or the tests say something else.
        """
        only = None if everything else self.asked(project)
        marts = self.prepare(before or project, only)
        marts.project = project
        marts.build(stops_at_errors=bool(self.keeps), seeds=self.seeds, only=only)
        self.compare(marts)
        return marts

    def asked(self, project: Project) -> Collection[str] | None:
        """Ids of what the expectations name and what that is made of; None, for all, where an alarm
        anywhere must be able to stop the build."""
        if self.keeps:
            return None
        queries = " ".join(self.expect)
        names = {*self.warns, *self.errors, *self.passes}
        found = {
            node_id
            for node_id, node in project.nodes.items()
            if re.search(rf"\b{node.name}\b", queries)
        }
        for test in project.tests.values():
            if test.name in names:
                found.update(test.parents)
        return found.union(*(project.ancestors(node_id) for node_id in found))

    def prepare(self, project: Project, only: Collection[str] | None = None) -> Marts:
        """Everything loaded, and all, or what is wanted, built but for the last load."""
        *earlier, last = self.states()
        shared = [*takewhile(lambda state: state.is_as_read, earlier)] if self.builds_each else []
        origin = last.origin
        if origin and not earlier and not self.keeps and origin.extracted_at == last.extracted_at:
            marts = start(project, [origin])
            marts.begin_again()
        else:
            marts = start(project, shared)
        for state in earlier[len(shared) :]:
            marts.load(state)
            if self.builds_each:
                marts.build(only=only)
        marts.load(last)
        return marts

    def compare(self, marts: Marts) -> None:
        """Hold the built marts against the expectations."""
        for query, expected in (*self.expect.items(), *self.keeps.items()):
            found = marts.rows(query)
            assert found == [tuple(row) for row in expected], (
                f"{self.name}: {self.concludes}\n{query}\nexpected {expected}\nfound    {found}"
            )
        for outcome, names in (
            ("warn", self.warns),
            ("error", self.errors),
            ("pass", self.passes),
        ):
            for name in names:
                result = marts.test(name)
                assert result.outcome == outcome, (
                    f"{self.name}: the data test {name} must {outcome} and gave "
                    f"{result.outcome} ({result.failures} rows)"
                )


def distinct(*cases: Case) -> tuple[Case, ...]:
    """The cases, once no two have the same name."""
    names = [case.name for case in cases]
    doubled = {name for name in names if names.count(name) > 1}
    assert not doubled, f"two cases are called {doubled}"
    return cases


# -- the warehouse ---------------------------------------------------------------------------------


class Result(NamedTuple):
    """What a data test said."""

    name: str
    outcome: Outcome
    failures: int


class ConstraintError(AssertionError):
    """A column that the contract calls `not_null` got a null: dbt's build would fail there."""


class Marts:
    """A warehouse in memory: `load` states, `build`, ask."""

    def __init__(
        self,
        project: Project,
        connection: duckdb.DuckDBPyConnection | None = None,
        clock: datetime = BEFORE_ALL,
    ) -> None:
        self.project = project
        self.failed: dict[str, str] = {}
        """Nodes of the last build that failed or were skipped, with the reason."""
        if connection is None:
            connection = duckdb.connect(config={"threads": 2})
            connection.execute(f"attach ':memory:' as {DATABASE}; use {DATABASE}")
            create_raw(connection, project.raw_tables)
        self.connection = connection
        connection.execute("set TimeZone = 'UTC'")
        self._held: dict[str, dict[str, str | None]] = {name: {} for name in _REGISTRY}
        self._run = 0
        self._clock = clock
        self._made: dict[str, tuple[Any, ...]] = {}
        """What each node was last made from: its SQL, added rows, `_content` of what it reads."""
        self._content: dict[str, Any] = {}
        """What each node holds and each raw table got, as a value that is equal where they are."""

    def save(self, path: Path) -> None:
        """Write everything to a new file."""
        self.connection.execute(
            f"attach '{path}' as saved; copy from database {DATABASE} to saved; detach saved"
        )

    def read(self, path: Path, other: Marts) -> None:
        """Take in what another saved, in an empty warehouse."""
        self.connection.execute(
            f"attach '{path}' as saved (read_only); drop schema raw cascade;"
            f" copy from database saved to {DATABASE}; detach saved"
        )
        self._held = {dataset: dict(held) for dataset, held in other._held.items()}
        self._run, self._clock = other._run, other._clock
        self._made, self._content = dict(other._made), dict(other._content)

    def begin_again(self) -> None:
        """Forget all that was loaded, and with it history; what was built stays.

        A node that comes out the same of what is loaded next is then not made again.
        """
        for table in self.project.raw_tables:
            self.connection.execute(f"truncate raw.{table}")
            self._content.pop(table, None)
        for node_id, node in self.project.nodes.items():
            if _has_history(node):
                self.connection.execute(f"drop table if exists {node.relation}")
                self._made.pop(node_id, None)
                self._content.pop(node_id, None)
        self._held = {name: {} for name in _REGISTRY}
        self._run, self._clock = 0, BEFORE_ALL

    @contextmanager
    def taken_back(self) -> Iterator[Mapping[str, Any]]:
        """Whatever is built inside is gone afterwards; gives the `_content` of before."""
        made, content = dict(self._made), dict(self._content)
        self.connection.execute("begin")
        try:
            yield content
        finally:
            self.connection.execute("rollback")
            self._made, self._content = made, content

    def changed(self, content: Mapping[str, Any]) -> set[str]:
        """Ids of the nodes that do not hold what they held then."""
        return {name for name, held in self._content.items() if content.get(name) != held}

    # -- loading

    def load(self, state: State) -> None:
        """One run: the versions that are new, changed, restored or withdrawn, and the ledger."""
        self._run += 1
        self._clock = max(self._clock + timedelta(seconds=1), state.extracted_at)
        for dataset, records in state.records.items():
            self._load_dataset(self._run, dataset, records, state)

    def _load_dataset(
        self, run: int, dataset: str, records: Sequence[Mapping[str, Any]], state: State
    ) -> None:
        entry = _REGISTRY[dataset]
        held = self._held[dataset]
        counts = dict.fromkeys(("new", "changed", "unchanged", "restored", "withdrawn"), 0)
        versions: list[tuple[str, str | None, str | None]] = []
        seen: dict[str, str] = {}
        for record in records:
            key = record_key(record, entry["key"])
            digest, payload = _serialised(record)
            if key in seen:
                assert seen[key] == digest, f"two records of {dataset} have the key {key}"
                continue
            seen[key] = digest
            if key in held and held[key] == digest:
                counts["unchanged"] += 1
                continue
            became = "new" if key not in held else "restored" if held[key] is None else "changed"
            counts[became] += 1
            versions.append((key, digest, payload))
        refused = len(seen) < entry["volume_floor"]
        if not refused:
            for key, digest in held.items():
                if key not in seen and digest is not None:
                    counts["withdrawn"] += 1
                    versions.append((key, None, None))
        held.update((key, digest) for key, digest, _ in versions)
        table = f"{entry['portal']}__{dataset.replace('-', '_')}"
        columns = list(zip(*versions, strict=True)) or [(), (), ()]
        arrived = pa.table(
            {
                name: pa.array(values, pa.string())
                for name, values in zip(
                    ("record_key", "content_hash", "payload"), columns, strict=True
                )
            }
        )
        self.connection.register("arrived", arrived)
        self.connection.execute(
            f"insert into raw.{table} by name select record_key, cast(? as bigint) as run_sequence,"
            " ? as run_id, content_hash, payload, payload is null as is_withdrawn,"
            " cast(? as timestamp) as extracted_at from arrived",
            [run, f"run-{run}", state.extracted_at],
        )
        self.connection.unregister("arrived")
        if versions:
            arrived_at = (run, state.extracted_at, *versions)
            self._content[table] = hash((self._content.get(table), arrived_at))
        ledger = {
            "run_sequence": run,
            "run_id": f"run-{run}",
            "portal": entry["portal"],
            "dataset": dataset,
            "table_name": table,
            "status": "finished",
            **dict.fromkeys(("started_at", "finished_at", "extracted_at"), state.extracted_at),
            "duration_s": 1.0,
            "rows_expected": len(records),
            "rows_received": len(records),
            **{f"rows_{name}": count for name, count in counts.items()},
            "rows_quarantined": 0,
            "rows_present": sum(digest is not None for digest in held.values()),
            "is_withdrawal_refused": refused,
            "drift": state.drift.get(dataset, "[]"),
            "portal_data_processed_at": state.extracted_at,
            "portal_modified_at": state.extracted_at,
            "portal_records_count": len(records),
            "is_synthetic": state.is_synthetic,
            "error": None,
        }
        columns_of_ledger = self.project.raw_tables["_source_load"]
        named = {name: ledger[name] for name in columns_of_ledger}
        self.connection.execute(
            f"insert into raw._source_load ({', '.join(named)})"
            f" values ({', '.join('?' for _ in named)})",
            list(named.values()),
        )
        told = hash((self._content.get("_source_load"), *named.values()))
        self._content["_source_load"] = told

    # -- building

    def build(
        self,
        *,
        stops_at_errors: bool = False,
        seeds: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        instead: Mapping[str, str] | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        """Build seeds, models and snapshots in the order of the DAG.

        A node that would be made of the very same again, as its SQL and what it reads are the same,
        stays as it is.

        Args:
            stops_at_errors: also run the data tests where `dbt build` would, and skip what comes
                after one that fails.
            seeds: rows added to seeds, by the seed's name.
            instead: SQL that takes the place of a node's own, by node id.
            only: ids of the nodes to build; all by default.
        """
        self.failed = {}
        waiting = dict(self.project.tests) if stops_at_errors else {}
        for node_id, node in self.project.nodes.items():
            if only is not None and node_id not in only:
                continue
            reason = None
            if stops_at_errors:
                ancestors = self.project.ancestors(node_id)
                self._run_due(waiting, ancestors)
                reason = next(
                    (
                        f"{name}: {self.failed[name]}"
                        for name in self.failed
                        if set(self._parents(name)) <= ancestors
                        or (name in ancestors and name in self.project.nodes)
                    ),
                    None,
                )
            if reason:
                self.failed[node_id] = f"skipped after {reason}"
                continue
            self._make(node, (instead or {}).get(node_id), (seeds or {}).get(node.name, ()))

    def _parents(self, name: str) -> tuple[str, ...]:
        node = self.project.tests.get(name)
        # A model that failed or was skipped stops those made of it, which the caller looks at.
        return node.parents if node else (name,)

    def _run_due(self, waiting: dict[str, Node], built: Collection[str]) -> None:
        for test_id in [t for t, test in waiting.items() if set(test.parents) <= set(built)]:
            test = waiting.pop(test_id)
            if set(test.parents).intersection(self.failed):
                continue
            result = self.test_node(test)
            if result.outcome == "error":
                self.failed[test_id] = f"{result.failures} rows"

    def _make(self, node: Node, sql: str | None, added: Sequence[Mapping[str, Any]]) -> None:
        # Looking it up takes longer than to make a small table.
        is_later = _has_history(node) and self._exists(node)
        if sql is None:
            sql = node.later_sql if is_later else node.sql
        read = (*node.parents, *node.sources)
        made_from = (sql, str(added), *(self._content.get(name) for name in read))
        if self._made.get(node.node_id) == made_from:
            return
        self._made.pop(node.node_id, None)
        self._replace(node, sql, added, is_later=is_later)
        (content,) = self.connection.execute(
            f"select count(*), sum(cast(hash(held) as hugeint)) from {node.relation} as held"
        ).fetchall()
        self._content[node.node_id] = content
        self._made[node.node_id] = made_from

    def _replace(
        self, node: Node, sql: str, added: Sequence[Mapping[str, Any]], *, is_later: bool
    ) -> None:
        schema = node.relation.split(".")[1]
        self.connection.execute(f"create schema if not exists {schema}")
        if node.kind == "seed":
            self._make_seed(node, added)
            return
        if node.kind == "snapshot":
            self._make_snapshot(node, sql, is_later=is_later)
        elif node.materialized == "view":
            self.connection.execute(f"create or replace view {node.relation} as {sql}")
        elif node.materialized == "incremental" and is_later:
            self._make_incremental(node, sql)
        else:
            self.connection.execute(f"create or replace table {node.relation} as {sql}")
        if node.not_null and node.materialized != "view":
            self._check_not_null(node)

    def _check_not_null(self, node: Node) -> None:
        counted = ", ".join(f"count(*) - count({name}) as {name}" for name in node.not_null)
        (row,) = self.connection.execute(f"select {counted} from {node.relation}").fetchall()
        nulls = {name: n for name, n in zip(node.not_null, row, strict=True) if n}
        if nulls:
            raise ConstraintError(f"{node.name}: nulls in columns that may hold none: {nulls}")

    def _make_seed(self, node: Node, added: Sequence[Mapping[str, Any]]) -> None:
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in node.config_types.items())
        self.connection.execute(
            f"create or replace table {node.relation} as select * from"
            f" read_csv('{PROJECT_DIR / node.path}', header = true, types = {{{types}}})"
        )
        for row in added:
            self.connection.execute(
                f"insert into {node.relation} ({', '.join(row)})"
                f" values ({', '.join('?' for _ in row)})",
                list(row.values()),
            )

    def _make_incremental(self, node: Node, sql: str) -> None:
        self.connection.execute(f"create or replace temp table arriving as {sql}")
        unique = node.config.get("unique_key")
        keys = [unique] if isinstance(unique, str) else unique or []
        if keys:
            same = " and ".join(f"held.{key} = arriving.{key}" for key in keys)
            self.connection.execute(
                f"delete from {node.relation} as held using arriving where {same}"
            )
        self.connection.execute(f"insert into {node.relation} by name select * from arriving")

    def _make_snapshot(self, node: Node, sql: str, *, is_later: bool) -> None:
        """As dbt's strategy `check` does it, with the load's clock for the time of the build."""
        config = node.config
        key, compared = config["unique_key"], config["check_cols"]
        marks_deleted = config.get("hard_deletes") == "new_record"
        now = f"cast('{self._clock}' as timestamp)"
        fresh = (
            f"md5(concat_ws('|', {key}, {now})) as dbt_scd_id, {now} as dbt_updated_at,"
            f" {now} as dbt_valid_from, cast(null as timestamp) as dbt_valid_to"
        )
        flag = ", '{}' as dbt_is_deleted" if marks_deleted else ""
        self.connection.execute(
            f"create or replace temp table arriving as select *, {fresh}{flag.format('False')}"
            f" from ({sql})"
        )
        if not is_later:
            self.connection.execute(f"create table {node.relation} as select * from arriving")
            return
        differs = " or ".join(f"held.{name} is distinct from arriving.{name}" for name in compared)
        if marks_deleted:
            differs += " or held.dbt_is_deleted = 'True'"
        same = f"held.{key} = arriving.{key} and held.dbt_valid_to is null"
        self.connection.execute(
            f"delete from arriving using {node.relation} as held where {same} and not ({differs})"
        )
        gone = (
            f"held.dbt_valid_to is null and not exists"
            f" (select 1 from ({sql}) as found where found.{key} = held.{key})"
        )
        if marks_deleted:
            self.connection.execute(
                "insert into arriving by name select * replace ("
                f"md5(concat_ws('|', {key}, {now})) as dbt_scd_id, {now} as dbt_updated_at,"
                f" {now} as dbt_valid_from, cast(null as timestamp) as dbt_valid_to,"
                f" 'True' as dbt_is_deleted) from {node.relation} as held"
                f" where {gone} and held.dbt_is_deleted = 'False'"
            )
        if config.get("hard_deletes") == "invalidate":
            self.connection.execute(
                f"update {node.relation} as held set dbt_valid_to = {now} where {gone}"
            )
        self.connection.execute(
            f"update {node.relation} as held set dbt_valid_to = {now} from arriving where {same}"
        )
        self.connection.execute(f"insert into {node.relation} by name select * from arriving")

    def _exists(self, node: Node) -> bool:
        _, schema, table = node.relation.replace('"', "").split(".")
        return bool(
            self.connection.execute(
                "select 1 from information_schema.tables where table_catalog = current_database()"
                " and table_schema = ? and table_name = ?",
                [schema, table],
            ).fetchall()
        )

    # -- asking

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(query)
        return value

    def test(self, name: str) -> Result:
        """Run one data test by its dbt name."""
        (node,) = [test for test in self.project.tests.values() if test.name == name]
        return self.test_node(node)

    def run_tests(self, tests: Iterable[Node] | None = None) -> dict[str, Result]:
        """Those data tests (all by default) that warn or fail, by name."""
        chosen = self.project.tests.values() if tests is None else tests
        results = (self.test_node(test) for test in chosen)
        return {result.name: result for result in results if result.outcome != "pass"}

    def test_node(self, node: Node) -> Result:
        """Run one data test."""
        config = node.config
        limit = f" limit {config['limit']}" if config.get("limit") else ""
        failures, is_error, is_warning = self.connection.execute(
            f"select {config['fail_calc']} as failures, failures {config['error_if']},"
            f" failures {config['warn_if']} from ({node.sql}{limit})"
        ).fetchall()[0]
        outcome: Outcome = "pass"
        if is_error and config["severity"].lower() == "error":
            outcome = "error"
        elif is_warning:
            outcome = "warn"
        return Result(node.name, outcome, failures or 0)


# -- what many cases start from --------------------------------------------------------------------


def start(project: Project, states: Sequence[State]) -> Marts:
    """A warehouse with the states, as they were read, loaded and built one by one.

    Each sequence is built once and copied: most cases begin with the same two.
    """
    marts = Marts(project)
    if states:
        key = (id(project), *((id(state.records), state.extracted_at) for state in states))
        if key not in _STARTS:
            first = start(project, states[:-1])
            first.load(states[-1])
            first.build()
            path = Path(_folder().name) / f"{len(_STARTS)}.duckdb"
            first.save(path)
            _STARTS[key] = path, first
        marts.read(*_STARTS[key])
    return marts


_STARTS: dict[tuple[Any, ...], tuple[Path, Marts]] = {}


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="colleges-mutations-")


def _has_history(node: Node) -> bool:
    """Whether a build goes on from what the one before left."""
    return node.kind == "snapshot" or node.materialized == "incremental"


# -- keys and hashes, as the ingestion makes them -------------------------------------------------


def record_key(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Canonical JSON array of the key's values."""
    return _canonical([record[name] for name in fields])


_SERIALISED: dict[int, tuple[Mapping[str, Any], str, str]] = {}


def _serialised(record: Mapping[str, Any]) -> tuple[str, str]:
    """Hash and JSON text; remembered, since states share the records that do not change."""
    found = _SERIALISED.get(id(record))
    if found is None:
        text = json.dumps(record, ensure_ascii=False)
        found = _SERIALISED[id(record)] = (record, content_hash(record), text)
    return found[1:]


def content_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(_canonical(record).encode()).hexdigest()


def _canonical(value: Any) -> str:
    plain = _plain(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
