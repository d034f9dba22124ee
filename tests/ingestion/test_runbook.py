"""docs/runbook.md against the code: what it quotes is written there, and no message is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import errors
from ingestion.settings import PROJECT_DIR

RUNBOOK = PROJECT_DIR / "docs" / "runbook.md"
COMPLETE = ("load", "reconcile", "store")
"""Modules each of whose errors must be in the runbook."""
SETTINGS = frozenset({"COLLEGES_HOME", "dbt build", "REQUESTS_CA_BUNDLE"})
"""Names between backticks that are no message."""
GAP = "\0"
"""Stands in a message for what is put in when it is written."""


def quotations(text: str) -> list[str]:
    """What stands between backticks in the first column of the tables that begin ``you see``."""
    found: list[str] = []
    is_wanted = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_wanted = False
        elif line.startswith("| you see"):
            is_wanted = True
        elif is_wanted:
            found += re.findall(r"`([^`]+)`", line.split("|")[1])
    return [quotation for quotation in found if quotation not in SETTINGS]


def pattern(quotation: str) -> re.Pattern[str]:
    """``…`` is anything, ``N`` one thing that is put in; the rest is to the letter."""
    parts = re.split(r"( *… *|\bN\b)", quotation)
    means = {"…": ".*", "N": GAP}
    return re.compile("".join(means.get(part.strip()) or re.escape(part) for part in parts))


def text_of(node: ast.expr) -> str:
    """A message as it is written in the source, with gaps."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(\.0f|[sd])", GAP, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return GAP


def all_texts(module: Path) -> Iterator[str]:
    """Every text of a module but its docstrings."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
            and id(node) not in docstrings
        ):
            yield text_of(node)


def told_to_a_person(module: Path) -> Iterator[str]:
    """The messages of the errors of a module, but those it passes on."""
    ours = {name for name, value in vars(errors).items() if isinstance(value, type)}
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        is_error = isinstance(called, ast.Name) and called.id in ours
        message = text_of(node.args[0])
        if is_error and re.search(r"\w", message):
            yield message


def modules() -> list[Path]:
    return sorted((PROJECT_DIR / "ingestion").glob("*.py"))


RUNBOOK_QUOTATIONS = quotations(RUNBOOK.read_text(encoding="utf-8"))


@pytest.mark.parametrize("quotation", RUNBOOK_QUOTATIONS)
def test_what_is_quoted_is_written_in_the_code(quotation: str) -> None:
    wanted = pattern(quotation)
    assert any(wanted.search(text) for module in modules() for text in all_texts(module))


@pytest.mark.parametrize("module", COMPLETE)
def test_every_error_is_in_the_runbook(module: str) -> None:
    known = [pattern(quotation) for quotation in RUNBOOK_QUOTATIONS]
    messages = list(told_to_a_person(PROJECT_DIR / "ingestion" / f"{module}.py"))
    assert messages
    assert [m for m in messages if not any(one.search(m) for one in known)] == []


def test_every_reason_is_in_the_runbook() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    table = re.search(r"^\| reason \|.*?(?=\n\n)", text, re.M | re.S)
    assert table
    named = re.findall(r"^\| (`.*?`) \|", table[0], re.M)
    reasons = {reason for cell in named for reason in re.findall(r"`(\w+)`", cell)}
    code = "".join(module.read_text(encoding="utf-8") for module in modules())
    raised = re.findall(r'(?:BadRecordError\(\s*|Quarantined\(number, line, )f?"(\w+)"', code)
    assert {*raised, "key_missing", "key_null", "key_blank"} - {"key_"} == reasons


def test_a_quotation_that_is_nowhere_is_found_out() -> None:
    table = "| you see | |\n|---|---|\n| `run N … was interrupted`, `as if` | `not this` |\n"
    first, second = quotations(f"{table}\n`nor this`")
    assert pattern(first).search(f"run {GAP} ({GAP}, started {GAP}) was interrupted; its")
    assert not pattern(first).search(f"the run {GAP} was disturbed")
    assert not pattern(first).search("run 1 was interrupted")
    assert second == "as if"
