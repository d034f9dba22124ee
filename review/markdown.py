"""Markdown for a GitHub comment out of text that nobody vouches for.

Names, messages and values come from the code and data under review, so none of them is trusted
to be harmless. They stand in code, where GitHub reads no mention, formula, reference, link or tag,
and what could end the code or a table's cell goes out as an HTML entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

SHOWN = 20
"""Rows of a table, items of a list; then it says how many more."""
CELL = 80

_DANGEROUS = frozenset("`|$@\\")
"""In a code span: what ends it, ends a cell, or could be read as a formula or a mention."""


def code(text: object, limit: int = CELL) -> str:
    """Text of the code or data under review as inline code, harmless inside a table too."""
    flat = " ".join(str(text).split())
    if len(flat) > limit:
        flat = flat[: limit - 1] + "…"
    if flat and flat.isprintable() and not _DANGEROUS & set(flat):
        return f"`{flat}`"
    return html_code(flat)


def block(text: str, lines: int = 20, width: int = 300) -> str:
    """A message of several lines, harmless; to stand in a list."""
    shown = [line[:width].rstrip() for line in text.splitlines() if line.strip()]
    rest = [f"… and {len(shown) - lines} more lines"] if len(shown) > lines else []
    # Nothing but tags and entities is read inside <pre>, so the rest stays readable on a terminal.
    safe = [re.sub(r"[&<>`$@|]", lambda c: f"&#{ord(c[0])};", _visible(line)) for line in shown]
    return "  <pre>\n  " + "\n  ".join([*safe[:lines], *rest]) + "\n  </pre>"


def percent(base: int, pr: int) -> str:
    """Change from ``base`` to ``pr``; never a zero for what is not zero."""
    if base == pr:
        return "0 %"
    if base == 0:
        return "was empty"
    change = (pr - base) / base * 100
    size = f"{abs(change):,.1f} %" if abs(change) >= 0.05 else "under 0.1 %"
    return f"{'+' if change > 0 else '−'}{size}"


def html_code(text: str) -> str:
    """Inline code where Markdown is not read, and for text that would break out of a span."""
    signs = (
        c if c.isalnum() or c == " " or ord(c) > 127 else f"&#{ord(c)};" for c in _visible(text)
    )
    return f"<code>{''.join(signs)}</code>"


def _visible(text: str) -> str:
    """Without controls and what turns the direction of text."""
    return "".join(c if c.isprintable() else "�" for c in text.expandtabs())


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *alignment: str) -> str:
    lines = [header, alignment or [":-"] * len(header), *rows[:SHOWN]]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + "".join(f"\n{line}\n" for line in more(len(rows)))


def listed(names: Sequence[str], limit: int = CELL) -> str:
    shown = ", ".join(code(name, limit) for name in names[:SHOWN])
    return shown + (f", {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def more(count: int, shown: int = SHOWN) -> list[str]:
    return [f"… and {count - shown} more"] if count > shown else []


def sentence(parts: Iterable[str]) -> str:
    """Parts, joined; begun with a capital unless a name stands there."""
    text = "; ".join(parts)
    return text if "_" in text.split(" ")[0] else text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
