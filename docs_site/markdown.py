"""Markdown → HTML. Markup within it is shown as text, never passed on."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

Resolve = Callable[[str], str | None]
"""A link's target → what to link to, None where the site has nothing to link to."""

_SLUG = re.compile(r"[^\w\- ]")


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

_WIDE = {"table_open": "Table", "fence": "Code", "code_block": "Code"}
_WIDE_END = ("table_close", "fence", "code_block")


def inline(text: str) -> Markup:
    """A description of one paragraph."""
    return Markup(_MARKDOWN.renderInline(" ".join(text.split())))  # noqa: S704 — markup in it is text


def page(text: str, resolve: Resolve) -> tuple[str, Markup]:
    """A document: its title, and the whole of it with an id at every heading.

    Args:
        text: Markdown.
        resolve: says where its relative links lead.
    """
    env: MutableMapping[str, Any] = {}
    tokens = _MARKDOWN.parse(text, env)
    title = ""
    is_link = True
    shown: list[Token] = []
    for token, following in pairwise([*tokens, Token("end", "", 0)]):
        if token.type == "heading_open":
            token.attrs["id"] = slug(following.content)
            title = title or following.content
        for child in token.children or ():
            if child.type == "link_open":
                is_link = _relink(child, resolve)
            elif child.type == "link_close" and not is_link:
                child.tag = "span"
        # The corner of a table of two headings; an empty heading tells a screen reader nothing.
        opens_empty = token.type == "th_open" and not following.content
        if opens_empty or (token.type == "th_close" and shown[-2].tag == "td"):
            token.tag = "td"
        # What may be wider than the page scrolls within it, by the keyboard too.
        if label := _WIDE.get(token.type):
            scroll = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
            shown.append(_html(scroll))
        shown.append(token)
        if token.type in _WIDE_END:
            shown.append(_html("</div>"))
    return title, Markup(_MARKDOWN.renderer.render(shown, _MARKDOWN.options, env))  # noqa: S704


def _html(content: str) -> Token:
    return Token("html_block", "", 0, content=content)


def _relink(token: Token, resolve: Resolve) -> bool:
    """Point a link where the site has its target; False where it has none."""
    target = str(token.attrs["href"])
    if not target.startswith(("https://", "http://", "mailto:", "#")):
        found = resolve(target)
        if found is None:
            token.tag, token.attrs = "span", {}
            return False
        token.attrs["href"] = found
    return True


def slug(heading: str) -> str:
    """The id GitHub gives a heading."""
    return _SLUG.sub("", heading.lower()).replace(" ", "-")
