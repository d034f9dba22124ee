"""What failed, where, and what to do about it, from what dbt and DuckDB said."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something that failed: what, where, and what was said."""

    name: str
    kind: str
    """``model``, ``test``, ``unit_test``, ``seed``, ``snapshot``, or ``project`` (not parsed)."""
    file: str | None
    line: int | None
    message: str
    hint: str = ""
    """One sentence that says what to do; empty where nobody knows better than the message."""
    sample: Sequence[Sequence[str]] = ()
    """Of a failing test: header and first rows of what it found."""
    is_on_base: bool = False
    """It fails on the base already."""


def locate(project: Path, node: Mapping[str, Any], message: str) -> tuple[str | None, int | None]:
    """The file and, where it can be told, the line a message of dbt or DuckDB speaks of."""
    named = re.search(r"([\w./-]+\.(?:sql|ya?ml|csv|md))\b", message)
    file = node.get("original_file_path") or (named[1] if named else None)
    if file is None:
        return None, None
    if not (project / file).exists() and (project / "models" / file).exists():
        file = f"models/{file}"  # dbt leaves the folder out in what it says of a yml
    path = project / file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return file, None
    if quoted := re.search(r"^\s*LINE \d+: (.*)$", message, re.MULTILINE):
        # DuckDB counts lines of the compiled SQL; the text itself leads back to the source.
        return file, _only_line(lines, quoted[1].strip(". "))
    if numbered := re.search(r"\bline (\d+)", message):
        return file, int(numbered[1])
    if missing := re.search(r"\b(?:name|column|named) [\"']?(\w+)", message):
        return file, _only_line(lines, missing[1])
    if column := node.get("column_name"):
        return file, _only_line(lines, f"- name: {column}", whole=True)
    return file, None


def _only_line(lines: Sequence[str], text: str, *, whole: bool = False) -> int | None:
    """Number of the one line that has the text; None where none or several have."""
    found = [
        number
        for number, line in enumerate(lines, 1)
        if text and (line.strip() == text if whole else text in line)
    ]
    return found[0] if len(found) == 1 else None


def plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def explain(project: Path, message: str, node: Mapping[str, Any]) -> str:
    """What a common mistake is and what to paste where, in one sentence; else nothing.

    Args:
        project: folder of the dbt project.
        message: what dbt or DuckDB said.
        node: the manifest's entry of what failed; empty where the project was not parsed.
    """
    return (
        _columns_differ(message, node)
        or _no_columns(message, node)
        or _unknown_ref(project, message)
        or _broken_yml(project, message, node)
    )


def _yml(node: Mapping[str, Any]) -> str:
    return re.sub(r"\.sql$", ".yml", str(node.get("original_file_path") or "its yml"))


def _columns_differ(message: str, node: Mapping[str, Any]) -> str:
    """Columns of the SQL against those of the yml."""
    said = []
    file = _yml(node)
    for name, sql_type, yml_type, reason in re.findall(
        r"^\s*\| *(\S+) *\| *([^|]*?) *\| *([^|]*?) *\| *([^|]*?) *\|", message, re.MULTILINE
    ):
        if "missing in contract" in reason:
            entry = f"- name: {name} / data_type: {sql_type.lower()} / description: …"
            said.append(f"Column {name} is in the SQL and not in {file}: add {entry}")
        elif "missing in definition" in reason:
            said.append(f"Column {name} is in {file} and not in the SQL: select it or take it out")
        elif "data type mismatch" in reason:
            said.append(
                f"Column {name} is {sql_type} in the SQL and {yml_type} in {file}: "
                "cast it, or change data_type there"
            )
    return "; ".join(said) + "." if said else ""


def _no_columns(message: str, node: Mapping[str, Any]) -> str:
    """A mart without yml, or without columns in it."""
    found = re.search(r"model[ .][\w.]*?(\w+)[\s'\"(]*.*enforced contract", message, re.DOTALL)
    if "contract" not in message or "columns" not in message or "missing" not in message:
        return ""
    name = node.get("name") or (found[1] if found else "the model")
    return (
        f"{name} has an enforced contract and no columns: write {_yml(node)} "
        "(`make new-model` makes one) with name, data_type and description of each."
    )


def _unknown_ref(project: Path, message: str) -> str:
    """A `ref` to nothing; in a unit test, a table of its model without a `given`."""
    found = re.search(r"depends on a node named '(\w+)'", message)
    if not found:
        return ""
    missing = found[1]
    folders = ("models", "seeds", "snapshots")
    names = {
        path.stem
        for folder in folders
        for path in (project / folder).rglob("*")
        if path.suffix in {".sql", ".csv"}
    }
    if missing in names:
        return (
            f"The unit test says nothing of {missing}, which its model reads: add "
            f"`- input: ref('{missing}')` with its rows (`rows: []` for none) under `given`."
        )
    close = difflib.get_close_matches(missing, sorted(names), n=1)
    return f"There is no model, seed or snapshot {missing}" + (
        f": did you mean ref('{close[0]}')?" if close else "."
    )


def _broken_yml(project: Path, message: str, node: Mapping[str, Any]) -> str:
    """Text that is no YAML."""
    if not (near := re.search(r"Syntax error near line (\d+)", message)):
        return ""
    file, _ = locate(project, node, message)
    return (
        f"{file or 'A yml'} is no YAML near line {near[1]}: look at indentation, quotes and colons."
    )
