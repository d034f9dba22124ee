"""The index of the site's search: a script that the page loads when somebody begins to type.

A script and not JSON, because a page opened from a file may not fetch one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from docs_site.marts import Mart
from ingestion.warehouse import Connection

LONGEST = 110
"""Characters of a description that a result shows."""

_HEADING = re.compile(r'<h2 id="([^"]*)">(.*?)</h2>', re.DOTALL)

Entry = tuple[str, str, str, str]
"""Kind, name, words of explanation, address from the top of the site."""


def write_index(
    out: Path,
    pages: Iterable[tuple[str, str]],
    marts: Iterable[Mart],
    models: Mapping[str, tuple[str, str]],
    documents: Mapping[str, tuple[str, Markup]],
    colleges: Iterable[tuple[str, str, str]],
) -> int:
    """Write ``search-index.js``.

    Args:
        out: the site's directory.
        pages: title and path of the pages that are none of the following.
        marts: each with its columns.
        models: id → name and description, of the models that have no page of their own.
        documents: name → title and content.
        colleges: id, name and place, of collèges that have a page on the dashboard.

    Returns:
        How many entries.
    """
    entries: list[Entry] = [("page", title, "", path) for title, path in pages]
    for mart in marts:
        page = f"data/{mart.name}.html"
        entries.append(("table", mart.name, _short(mart.description), page))
        entries += [
            (
                "column",
                f"{mart.name}.{column.name}",
                _short(column.description),
                f"{page}#column-{column.name}",
            )
            for column in mart.columns
        ]
    entries += [
        ("model", name, _short(description), f"dbt/index.html#!/model/{node_id}")
        for node_id, (name, description) in models.items()
    ]
    for name, (title, content) in documents.items():
        entries.append(("document", title, "", f"docs/{name}.html"))
        entries += [
            ("document", Markup(heading).striptags(), title, f"docs/{name}.html#{anchor}")  # noqa: S704
            for anchor, heading in _HEADING.findall(str(content))
        ]
    entries += [
        ("collège", name, place, f"dashboard/index.html#/college/{college_id}?lang=en")
        for college_id, name, place in colleges
    ]
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    (out / "search-index.js").write_text(f"window.searchIndex={text};\n", encoding="utf-8")
    return len(entries)


def colleges_of(connection: Connection, relation: str) -> list[tuple[str, str, str]]:
    """Id, name as people write it, and arrondissement of every collège."""
    return [
        (
            college_id,
            name,
            f"{number}{'er' if number == 1 else 'e'} arrondissement" if number else "",
        )
        for college_id, name, number in connection.rows(
            f"select college_id, display_name, arrondissement_number from {relation} order by 2"  # noqa: S608
        )
    ]


def _short(text: str) -> str:
    plain = " ".join(text.replace("`", "").split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1].rsplit(" ", 1)[0] + "…"
