"""Which field of the portal's record each column of a staging model reads, out of its SQL.

dbt-colibri follows a column to `payload`, the record as text, and no further: the field is named
in the path that is taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A string may hold what would begin a comment outside it.
_STRING_OR_COMMENT = re.compile(r"('[^']*')|/\*.*?\*/|--[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"'[^']*'|[A-Za-z_][A-Za-z0-9_]*|[(),]")
# As macros/json_text.sql and its kin write it for DuckDB and for Snowflake.
_READ = re.compile(r"(?:json_extract\w*|get_path) \( payload , '(?:\$\.)?\"?([^'\".\[]+)[^']*' \)")
_LIST_ENDS = ("from", "qualify", "where")


def fields_read(compiled_code: str) -> dict[str, tuple[str, ...]]:
    """Column → names of the portal's fields it is made of, in the order of the SQL.

    Args:
        compiled_code: of a staging model, without Jinja.
    """
    made_of: dict[str, list[list[str]]] = {}
    for *expression, keyword, name in _select_items(compiled_code):
        if keyword == "as":
            made_of.setdefault(name, []).append(expression)

    def resolve(name: str, seen: frozenset[str]) -> Iterator[str]:
        for expression in made_of[name]:
            yield from _READ.findall(" ".join(expression))
            for word in expression:
                if word in made_of and word not in seen:
                    yield from resolve(word, seen | {word})

    return {name: tuple(dict.fromkeys(resolve(name, frozenset({name})))) for name in made_of}


def _select_items(compiled_code: str) -> Iterator[list[str]]:
    """The tokens of each item of every select list, of those that have two or more."""
    # One entry a bracket that is open: the item being read, None outside a select list.
    open_items: list[list[str] | None] = [None]
    for word in _TOKEN.findall(_STRING_OR_COMMENT.sub(r"\1", compiled_code)):
        item = open_items[-1]
        if word == "select":
            open_items[-1] = []
        elif item is not None and word in (",", *_LIST_ENDS):
            if len(item) > 1:
                yield item
            open_items[-1] = [] if word == "," else None
        elif word == ")":
            open_items.pop()
        if word not in ("select", *_LIST_ENDS):
            # A bracket belongs to the item around it, with all that it holds.
            for around in open_items:
                if around is not None and not (word == "," and around is open_items[-1]):
                    around.append(word)
        if word == "(":
            open_items.append(None)
