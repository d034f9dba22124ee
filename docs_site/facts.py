"""The known facts about the data, out of ``docs/data-quality.md``, and the marts each touches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from docs_site.artifacts import Artifacts
from docs_site.marts import Mart

_CODE = re.compile(r"`(\w+)(?:\.\w+)?`")


@dataclass(frozen=True)
class Fact:
    section: str
    fact: str
    evidence: str
    consequence: str
    test: str
    """All four are Markdown."""

    @property
    def names(self) -> set[str]:
        """Names it sets in code: of tests, unit tests and models among others."""
        return set(_CODE.findall(" ".join((self.fact, self.evidence, self.consequence, self.test))))


def read_facts(text: str) -> list[Fact]:
    """The rows of the tables of four columns."""
    facts = []
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if (
            line.startswith("|")
            and len(cells) == 4
            and cells[0] != "fact"
            and "---" not in cells[0]
        ):
            facts.append(Fact(section, *cells))
    return facts


def facts_of(mart: Mart, facts: Iterable[Fact], artifacts: Artifacts) -> list[Fact]:
    """Those whose tests or models are the mart, or a node it reads directly."""
    near = mart.parents | {mart.node}
    return [fact for fact in facts if artifacts.nodes_named(fact.names) & near]
