"""Put classic mistakes into the models' SQL and say which test sees each.

Run as ``python -m tests.mutations.mutants [--per-rule N] [--model NAME] [--out FILE]``.

A mutant is one model with one small mistake in its compiled SQL: the oldest record for the latest,
a union without `all`, a threshold ten times as large. It is killed by a data test that says
something else than before, by a unit test of the model, or by a case of the mutation suite. Those
that change no mart in any state tried here are listed apart, as are those that give no SQL that
runs; neither counts. What changes a mart in a state or a case, and is seen by nobody, survives.
Every state is built once, and each mutant rebuilds what is made of its model inside a transaction
that is rolled back.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from tests.mutations.compiled import Node, Project, UnitTest, load_project
from tests.mutations.harness import Case, ConstraintError, Marts
from tests.mutations.states import State, recorded, synthetic

# -- mutants ---------------------------------------------------------------------------------------

THRESHOLD = r"(?:(?<=[<>] )|(?<=[<>]= ))(?!0\b(?!\.))\d+(?:\.\d+)?"  # not 0, which stays 0
RULES: dict[str, tuple[str, str | Callable[[re.Match[str]], str]]] = {
    "max for min": (r"\bmin\(", "max("),
    "min for max": (r"\bmax\(", "min("),
    "max for mean": (r"\bavg\(", "max("),
    "max for sum": (r"\bsum\(", "max("),
    "count of rows for distinct": (r"count\(distinct ", "count("),
    "first for last": (r"\bdesc\b", "asc"),
    "last for first": (r"\basc\b", "desc"),
    "second for first": (r"\) = 1$", ") = 2"),
    "next for last": (r"\blag\(", "lead("),
    "last for next": (r"\blead\(", "lag("),
    "union for union all": (r"\bunion all\b", "union"),
    "inner for left join": (r"\bleft join\b", "inner join"),
    "left for inner join": (r"\binner join\b", "left join"),
    "filter dropped": (r"\bwhere\b(?! false)", "where true or"),
    "or for and": (r"^(\s+)and\b", r"\1or"),
    "not null for null": (r"\bis null\b", "is not null"),
    "null for not null": (r"\bis not null\b", "is null"),
    "negation dropped": (r"\bnot (is_\w+|exists)", r"\1"),
    "strictly more": (r">=", ">"),
    "strictly less": (r"<=", "<"),
    "not equal": (r"(?<![<>!])=(?![>=])", "<>"),
    "one more": (r"\+ 1\b", "+ 2"),
    "one less dropped": (r" - 1\b", " - 0"),
    "threshold times ten": (THRESHOLD, lambda m: str(float(m.group(0)) * 10)),
    "threshold by ten": (THRESHOLD, lambda m: str(float(m.group(0)) / 10)),
    "true for false": (r"\bfalse\b", "true"),
    "false for true": (r"\btrue\b", "false"),
    "professional for general": (r"_general\b(?= ?[,\n])", "_professional"),
    "academy for department": (r"_department_public\b", "_academy_public"),
    "distinct dropped": (r"\bselect distinct\b", "select"),
    "group of one dropped": (r"^having .*$", ""),
}
"""Name → pattern and replacement, each tried at every place in a model."""


@dataclass(frozen=True)
class Mutant:
    """A model with one mistake in it."""

    model: str
    """Id of the model."""
    rule: str
    place: int
    """Number of the match in the model, from 1."""
    sql: str
    line: str
    """What it became, for a person."""

    @property
    def name(self) -> str:
        return f"{self.model.rsplit('.', 1)[1]}: {self.rule} #{self.place}"


def mutants(project: Project) -> Iterator[Mutant]:
    """Every mutant of every model."""
    for node in project.nodes.values():
        if node.kind != "model":
            continue
        for rule, (pattern, replacement) in RULES.items():
            places = re.finditer(pattern, node.sql, re.MULTILINE | re.IGNORECASE)
            for place, match in enumerate(places, start=1):
                changed = match.expand(replacement) if isinstance(replacement, str) else None
                text = changed if changed is not None else replacement(match)  # type: ignore[operator]
                yield _mutant(node, rule, place, match, text)
        yield from _wrong_fields(node)


def _mutant(node: Node, rule: str, place: int, match: re.Match[str], text: str) -> Mutant:
    sql = node.sql[: match.start()] + text + node.sql[match.end() :]
    start = node.sql.rfind("\n", 0, match.start()) + 1
    end = sql.find("\n", match.start() + len(text))
    return Mutant(node.node_id, rule, place, sql, " ".join(sql[start:end].split())[:150])


def _wrong_fields(node: Node) -> Iterator[Mutant]:
    """A column read from the field of the column after it."""
    fields = list(re.finditer(r"'\$\.(\w+)'", node.sql))
    names = list(dict.fromkeys(match.group(1) for match in fields))
    for place, name in enumerate(names, start=1):
        other = names[place % len(names)]
        if other != name:
            sql = node.sql.replace(f"'$.{name}'", f"'$.{other}'")
            yield Mutant(node.node_id, "wrong field", place, sql, f"{other} read for {name}")


def sample(found: Iterable[Mutant], per_rule: int) -> list[Mutant]:
    """At most so many of each rule, the same ones each time, from as many models as possible."""
    by_rule: dict[str, list[Mutant]] = {}
    for mutant in sorted(found, key=lambda m: hashlib.sha256(m.name.encode()).digest()):
        by_rule.setdefault(mutant.rule, []).append(mutant)
    chosen: list[Mutant] = []
    for of_rule in by_rule.values():
        seen: Counter[str] = Counter()
        ranked = []
        for mutant in of_rule:
            ranked.append((seen[mutant.model], len(ranked), mutant))
            seen[mutant.model] += 1
        chosen += [mutant for *_, mutant in sorted(ranked, key=lambda r: r[:2])[:per_rule]]
    return chosen


# -- what kills them -------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What was said of a mutant."""

    mutant: Mutant
    killers: list[str] = field(default_factory=list)
    is_invalid: bool = False
    changes_marts: bool = False

    @property
    def said(self) -> str:
        """In a few words."""
        if self.is_invalid:
            return "gives no SQL that runs"
        if self.killers:
            return f"killed by {self.killers[0]}"
        return "SURVIVES" if self.changes_marts else "changes no mart"


class States:
    """Built warehouses, in which a mutant can be tried and taken back."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.built: list[tuple[Marts, dict[str, str]]] = []
        names = ("2025-02", "2025-06", "2025-11", "2026-10")
        sequences: list[Callable[[], list[State]]] = [
            lambda: [synthetic(name) for name in names],
            lambda: [recorded("2021-05"), recorded("2024-11")],
        ]
        for states in sequences:
            try:
                loaded = states()
            except pytest.skip.Exception as reason:
                print(f"without recorded states: {reason}", file=sys.stderr)  # noqa: T201
                continue
            marts = Marts(project)
            for state in loaded:
                marts.load(state)
            marts.build()
            self.built.append((marts, self._said(marts, project.tests.values())))

    @staticmethod
    def _said(marts: Marts, tests: Iterable[Node]) -> dict[str, str]:
        return {test.node_id: marts.test_node(test).outcome for test in tests}

    def try_on(self, verdict: Verdict, *, asks_all: bool) -> None:
        """Rebuild what is made of the model, and ask the data tests, all or until one says no."""
        mutant = verdict.mutant
        only = self.project.descendants(mutant.model)
        for marts, said in self.built:
            with marts.taken_back() as before:
                try:
                    marts.build(only=only, instead={mutant.model: mutant.sql})
                    changed = marts.changed(before)
                    verdict.changes_marts |= bool(changed & self.project.marts)
                    for test in self.project.tests.values():
                        if not changed.intersection(test.parents):
                            continue
                        outcome = marts.test_node(test).outcome
                        if outcome not in (said[test.node_id], "pass"):
                            verdict.killers.append(f"data test {test.name}")
                            if not asks_all:
                                break
                except ConstraintError as error:
                    verdict.killers.append(f"constraint of {str(error).split(':')[0]}")
                    verdict.changes_marts = True
                except duckdb.Error as error:
                    # A mistake in SQL that does not run is none that could be made; one that stops
                    # on these rows would stop the build.
                    verdict.is_invalid = isinstance(error, duckdb.ProgrammingError)
                    if not verdict.is_invalid:
                        why = str(error).splitlines()[0][:80]
                        verdict.killers.append(f"the build stops: {why}")
            if verdict.is_invalid or (verdict.killers and not asks_all):
                return


class UnitTests:
    """dbt's unit tests, without dbt: the rows given stand in for what the model reads."""

    def __init__(self, project: Project, shapes: Marts) -> None:
        self.project = project
        self.connection = shapes.connection
        self.by_model: dict[str, list[UnitTest]] = {}
        for test in project.unit_tests.values():
            if not test.has_overrides:
                self.by_model.setdefault(test.model, []).append(test)
        self.known_broken = {
            test.name
            for tests in self.by_model.values()
            for test in tests
            if not self.holds(test, project.nodes[test.model].sql)
        }

    def try_on(self, verdict: Verdict) -> None:
        """Run the unit tests of the model on the mutant."""
        for test in self.by_model.get(verdict.mutant.model, ()):
            if test.name not in self.known_broken and not self.holds(test, verdict.mutant.sql):
                verdict.killers.append(f"unit test {test.name}")

    def holds(self, test: UnitTest, sql: str) -> bool:
        """Whether the SQL gives the rows the test expects."""
        self.connection.execute("begin; create schema unit_test")
        try:
            for number, relation in enumerate(sorted(set(_RELATION.findall(sql)))):
                stand_in = f"unit_test.input_{number}"
                self._fill(stand_in, relation, test.given.get(relation, ()))
                sql = sql.replace(relation, stand_in)
            columns = ", ".join(dict.fromkeys(name for row in test.expect for name in row)) or "*"
            self.connection.execute(
                f"create table unit_test.found as select {columns} from ({sql})"
            )
            self._fill("unit_test.wanted", "unit_test.found", test.expect)
            both = "select * from unit_test.{} except all select * from unit_test.{}"
            return not any(
                self.connection.execute(both.format(*pair)).fetchall()
                for pair in (("found", "wanted"), ("wanted", "found"))
            )
        except duckdb.ProgrammingError:
            return True  # no SQL that runs: the states will say so
        except duckdb.Error:
            return False
        finally:
            self.connection.execute("rollback")

    def _fill(self, table: str, like: str, rows: Sequence[Mapping[str, object]] | str) -> None:
        self.connection.execute(f"create table {table} as select * from {like} limit 0")
        if isinstance(rows, str):
            self.connection.execute(f"insert into {table} by name {rows}")
            return
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join("?" for _ in row)
            self.connection.execute(
                f"insert into {table} ({names}) values ({marks})",
                [None if value is None else str(value) for value in row.values()],
            )


_RELATION = re.compile(r'"warehouse"\."\w+"\."\w+"')


class Cases:
    """The mutation suite, each case loaded and built once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._prepared: dict[str, Marts] = {}
        self._broken: set[str] = set()
        self.cases = list(all_cases())

    def try_on(self, verdict: Verdict) -> None:
        """Run cases on the mutant until one is red."""
        mutant = verdict.mutant
        only = self.project.descendants(mutant.model)
        for case in self.cases:
            marts = self._marts(case)
            if marts is None:
                continue
            with marts.taken_back() as before:
                try:
                    marts.build(
                        only=only,
                        instead={mutant.model: mutant.sql},
                        seeds=case.seeds,
                        stops_at_errors=bool(case.keeps),
                    )
                    if changed := marts.changed(before):
                        verdict.changes_marts |= bool(changed & self.project.marts)
                        case.compare(marts)
                except (AssertionError, duckdb.Error):
                    verdict.killers.append(f"case {case.name}")
                    return

    def _marts(self, case: Case) -> Marts | None:
        if case.name in self._broken:
            return None
        if case.name not in self._prepared:
            try:
                self._prepared[case.name] = case.check(self.project, everything=True)
            except (AssertionError, duckdb.Error, pytest.skip.Exception) as error:
                print(f"case {case.name} is left out: {str(error)[:200]}", file=sys.stderr)  # noqa: T201
                self._broken.add(case.name)
                return None
        return self._prepared[case.name]


def all_cases() -> Iterator[Case]:
    """Every case of the suite, file by file."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        yield from getattr(importlib.import_module(f"tests.mutations.{path.stem}"), "CASES", ())


# -- the report ------------------------------------------------------------------------------------


def main() -> None:
    """Try the mutants and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-rule", type=int, default=5, help="mutants of each rule")
    parser.add_argument("--model", help="of this model alone, and all of them")
    parser.add_argument("--out", type=Path, help="where the report goes as well")
    parser.add_argument(
        "--part", default="1/1", help="K/N: the Kth of N parts, to run them at once"
    )
    parser.add_argument("--all", action="store_true", help="name all that kill a mutant")
    options = parser.parse_args()
    project = load_project()
    found = list(mutants(project))
    if options.model:
        chosen = [m for m in found if m.model.endswith(f".{options.model}")]
    else:
        chosen = sample(found, options.per_rule)
    part, parts = map(int, options.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    states = States(project)
    unit_tests = UnitTests(project, states.built[0][0])
    cases = Cases(project)
    verdicts: list[Verdict] = []
    text = "No mutant.\n"
    for mutant in chosen:
        verdict = Verdict(mutant)
        verdicts.append(verdict)
        unit_tests.try_on(verdict)
        if options.all or not verdict.killers:
            states.try_on(verdict, asks_all=options.all)
        if not verdict.is_invalid and not verdict.killers:
            cases.try_on(verdict)
        said = f"{mutant.name}: {verdict.said}"
        print(f"{len(verdicts)}/{len(chosen)} {said}", file=sys.stderr, flush=True)  # noqa: T201
        text = report(verdicts, sorted(unit_tests.known_broken), sorted({*RULES, "wrong field"}))
        if options.out:  # after each, since all of them take long
            options.out.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


def report(verdicts: Sequence[Verdict], broken: Sequence[str], rules: Sequence[str]) -> str:
    """Markdown: the score, who killed how many, and every survivor."""
    valid = [v for v in verdicts if not v.is_invalid]
    killed = [v for v in valid if v.killers]
    silent = [v for v in valid if not v.killers and not v.changes_marts]
    survivors = [v for v in valid if not v.killers and v.changes_marts]
    counted = len(killed) + len(survivors)
    by_kind = Counter(
        kind
        for verdict in killed
        for kind in {killer.split(" ", 2)[0] for killer in verdict.killers}
    )
    used = {verdict.mutant.rule for verdict in verdicts}
    lines = [
        f"{len(killed)} of {counted} mutants killed ({len(killed) / max(counted, 1):.0%}).",
        f"{len(silent)} more change no mart in the states tried; {len(verdicts) - len(valid)} give "
        "no SQL that runs.",
        "Killed by (a mutant counts for each): "
        + ", ".join(f"{kind} {count}" for kind, count in by_kind.most_common())
        + ".",
    ]
    if unused := [rule for rule in rules if rule not in used]:
        lines.append(f"Rules that applied nowhere: {', '.join(unused)}.")
    if broken:
        lines.append(f"Unit tests that fail here without a mutant: {', '.join(broken)}.")
    for title, listed in (
        ("Survivors", survivors),
        ("No mart changes", silent),
        ("Killed", killed),
    ):
        lines += ["", f"## {title}", ""]
        for verdict in listed:
            by = f" ({'; '.join(dict.fromkeys(verdict.killers))[:160]})" if verdict.killers else ""
            lines.append(f"- {verdict.mutant.name}: `{verdict.mutant.line}`{by}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
