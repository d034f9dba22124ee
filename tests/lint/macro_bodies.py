"""Lint what the macros and the snapshots write, for both dialects.

Run as ``python -m tests.lint.macro_bodies [macros/some_macro.sql …]``; without files, all. Each
macro is called with the arguments that its yml describes, rendered with its real body, and linted
like a model; a snapshot without its tags. Layout is left out, since a body is written for the place
where it is called, and so is what depends on the columns around it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlfluff.core import FluffConfig, Linter

from ingestion.settings import PROJECT_DIR
from tests.lint.standins import MACROS, described

DIALECTS = ("duckdb", "snowflake")
EXCLUDED = ",".join(
    (
        "layout",
        "structure.column_order",
        "ambiguous.column_count",
        "references.qualification",
        "references.consistent",
    )
)
# What stands for an argument of each type, in Jinja; a meta's `examples` say otherwise.
STAND_INS = {
    "string": "'some_text'",
    "relation": "'some_relation'",
    "list[string]": "['one_column', 'other_column']",
}


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    sys.setrecursionlimit(50_000)  # a macro of thirty replacements nests as deep
    files = {Path(argument).stem for argument in sys.argv[1:]}
    problems = list(_undescribed())
    queries = {name: sql for name, stem, sql in _queries() if not files or stem in files}
    for dialect in DIALECTS:
        problems += _lint(dialect, queries)
    for problem in dict.fromkeys(problems):
        print(problem)  # noqa: T201 - a command
    return bool(problems)


def _lint(dialect: str, queries: Mapping[str, str]) -> Iterator[str]:
    os.environ["LINT_DIALECT"] = dialect
    overrides = {"dialect": dialect, "exclude_rules": EXCLUDED, "max_parse_depth": 4000}
    linter = Linter(
        FluffConfig.from_path(str(PROJECT_DIR), overrides=overrides | {"templater": "raw"})
    )
    for name, sql in _rendered(queries, overrides).items():
        if not sql:
            yield f"{name} ({dialect}): it cannot be rendered"
            continue
        lines = sql.splitlines()
        for error in linter.lint_string(f"{sql}\n", fname=name).get_violations():
            line = lines[max(error.line_no - 1, 0)].strip() if error.line_no <= len(lines) else ""
            yield f"{name} ({dialect}): {error.rule_code()} {error.desc()}: {line[:100]}"


def _rendered(queries: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, str]:
    """All in one go, since each time every macro is read; one by one where that fails."""
    config = FluffConfig.from_path(
        str(PROJECT_DIR),
        overrides={**overrides, "library_path": str(PROJECT_DIR / "tests/lint/dispatch")},
    )
    config.set_value(("templater", "jinja", "load_macros_from_path"), str(MACROS))
    joined = "\n".join(f"/* next: {name} */\n{sql}" for name, sql in queries.items())
    done = Linter(config).render_string(joined, "macros", config, "utf-8")
    if not done.templated_variants or done.templater_violations:
        if len(queries) == 1:
            return dict.fromkeys(queries, "")
        return {n: t for q in queries.items() for n, t in _rendered(dict([q]), overrides).items()}
    text = str(done.templated_variants[0])
    parts = re.split(r"/\* next: (\w+) \*/\n", text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _undescribed() -> Iterator[str]:
    """Macros without an entry in a yml, entries without a macro, and arguments that differ."""
    known = described()
    defined: dict[str, list[str]] = {}
    for path in sorted(MACROS.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for name, arguments in re.findall(r"{%-? macro (\w+)\((.*?)\) -?%}", text, re.DOTALL):
            defined[name] = re.findall(r"(?:^|, )\s*(\w+)", arguments)
    for name, arguments in defined.items():
        listed = [argument["name"] for argument in known.get(name, {}).get("arguments", [])]
        if name not in known:
            yield f"{name}: no entry in macros/*.yml"
        elif listed != arguments:
            yield f"{name}: takes {arguments} and macros/*.yml describes {listed}"
    for name in known:
        if name not in defined:
            yield f"{name}: macros/*.yml describes it, and there is no such macro"


def _queries() -> Iterator[tuple[str, str, str]]:
    """Name, file and SQL with Jinja of everything to lint."""
    stems = {name: path.stem for path in MACROS.glob("*.yml") for name in described(path)}
    for name, macro in described().items():
        meta = macro["config"]["meta"]
        if "__" in name or name.startswith("_") or meta["returns"] == "data":
            continue  # those that another calls are rendered with it
        call = f"{name}({', '.join(_argument(a, meta) for a in macro.get('arguments', []))})"
        query = {
            "expression": f"select {{{{ {call} }}}} as rendered from inputs",
            "relation": f"select * from {{{{ {call} }}}}",
            "query": f"{{{{ {call} }}}}",
        }[meta["returns"]]
        yield name, stems[name], query
    for path in sorted((PROJECT_DIR / "snapshots").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        yield path.stem, path.stem, re.sub(r"{%-? (?:end)?snapshot.*?%}", "", text)


def _argument(argument: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    example = meta.get("examples", {}).get(argument["name"])
    if example is not None:
        return repr(example)
    return STAND_INS.get(argument["type"], repr(argument["name"]))


if __name__ == "__main__":
    sys.exit(main())
