"""Which field of the portal's record each column of a staging model reads, out of its SQL.

dbt-colibri follows a column to `payload`, the record as text, and no further: the field is named
in the call of a `json_*` macro, in SQL that is still Jinja.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"'[^']*'|[A-Za-z_][A-Za-z0-9_]*|[(),]")
_READ = re.compile(r"json_\w+ \( (?:'payload'|payload) ,((?: '[^']*'(?: ,)?)+) \)")
_TEXT = re.compile(r"'([^']*)'")
_LIST_ENDS = ("from", "qualify", "where")


def fields_read(raw_code: str) -> dict[str, tuple[str, ...]]:
    """Column → names of the portal's fields it is made of, in the order of the SQL.

    Args:
        raw_code: a staging model as written, Jinja and all.
    """
    made_of: dict[str, list[list[str]]] = {}
    for *expression, keyword, name in _select_items(raw_code):
        if keyword == "as":
            made_of.setdefault(name, []).append(expression)

    def resolve(name: str, seen: frozenset[str]) -> Iterator[str]:
        for expression in made_of[name]:
            for call in _READ.findall(" ".join(expression)):
                yield from _TEXT.findall(call)
            for word in expression:
                if word in made_of and word not in seen:
                    yield from resolve(word, seen | {word})

    return {name: tuple(dict.fromkeys(resolve(name, frozenset({name})))) for name in made_of}


def _select_items(raw_code: str) -> Iterator[list[str]]:
    """The tokens of each item of every select list, of those that have two or more."""
    # One entry a bracket that is open: the item being read, None outside a select list.
    open_items: list[list[str] | None] = [None]
    for word in _TOKEN.findall(_COMMENT.sub("", raw_code)):
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
