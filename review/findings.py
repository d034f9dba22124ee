"""What a comparison found: the shapes that the parts of the review hand to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from review.definitions import DefinitionChange

SLOWER_FACTOR, SLOWER_S = 3.0, 10.0
"""A build is called slower beyond both: below, it is noise of the machine."""


@dataclass(frozen=True)
class RowCount:
    """Rows of one table; None where a side has no such table."""

    name: str
    is_mart: bool
    base: int | None
    pr: int | None


@dataclass(frozen=True)
class ColumnChange:
    """One column of one table: added, removed, retyped or renamed (same values on every key)."""

    model: str
    is_mart: bool
    kind: Literal["added", "removed", "retyped", "renamed"]
    before: str
    after: str


@dataclass(frozen=True)
class Sample:
    """Rows to look at: header and cells, all text."""

    title: Literal["lost", "added", "changed"]
    column: str
    """The changed one; empty for whole rows."""
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class ValueDiff:
    """Two tables compared row by row on their tested key."""

    name: str
    is_mart: bool
    key: Sequence[str]
    lost: int = 0
    added: int = 0
    changed: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    """Rows changed, by column."""
    rows: int = 0
    """Rows on the base."""
    largest: Mapping[str, float] = field(default_factory=dict)
    """Largest change of a number, by column."""
    samples: Sequence[Sample] = ()
    not_compared: str = ""
    """Why the rows could not be matched."""

    @property
    def is_different(self) -> bool:
        return bool(self.lost or self.added or self.changed or self.not_compared)


@dataclass(frozen=True)
class Node:
    """One box of the lineage."""

    id: str
    name: str
    kind: str
    marks: Sequence[str]
    """What is said of it: ``SQL``, ``new``, ``removed``, ``data``, …"""


@dataclass(frozen=True)
class BuildTime:
    name: str
    base_s: float | None
    pr_s: float

    @property
    def is_slower(self) -> bool:
        return (
            self.base_s is not None
            and self.pr_s > self.base_s * SLOWER_FACTOR
            and self.pr_s > self.base_s + SLOWER_S
        )


@dataclass(frozen=True)
class Coverage:
    """Descriptions of models and columns: how many there are, of how many."""

    described: int
    total: int


@dataclass(frozen=True)
class NewTable:
    """A table that the base does not have."""

    name: str
    is_mart: bool
    rows: int
    columns: Sequence[tuple[str, str, int]]
    """Name, type, rows in which it is null."""
    sample: Sequence[Sequence[str]]
    reads: Sequence[str]


@dataclass(frozen=True)
class RawChange:
    """A raw table that the code of the two sides loads differently from the same portals."""

    table: str
    base: int
    pr: int
    lost: int
    """Rows (record and content) that only the base's code loads."""
    added: int


@dataclass(frozen=True)
class Comparison:
    """All that differs, and how much is the same."""

    tables_compared: int = 0
    edited: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Model → what of it was edited: ``SQL``, ``macro``, ``config``, …"""
    rows: Sequence[RowCount] = ()
    columns: Sequence[ColumnChange] = ()
    values: Sequence[ValueDiff] = ()
    contracts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Model → what its consumers lose."""
    keys_lost: Sequence[str] = ()
    definitions: Sequence[DefinitionChange] = ()
    new_tables: Sequence[NewTable] = ()
    empty_columns: Sequence[str] = ()
    """``model.column`` without a value in any row, new or with values on the base."""
    without_effect: Sequence[str] = ()
    """Edited in a way that may change rows, and neither it nor what reads it has other ones."""
    column_readers: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """Column removed, renamed or retyped, as ``table.column`` → table that reads it → which of its
    columns are made of it."""
    columns_not_followed: int = 0
    """Columns whose readers were not looked for: there were too many."""
    unread: Sequence[str] = ()
    """Tables whose SQL could not be taken apart to see whether they read such a column."""
    unstable: Sequence[str] = ()
    """Tables whose query, run again, gives other rows."""
    raw: Sequence[RawChange] = ()
    undocumented: Sequence[str] = ()
    """``model.column`` of marts without a description, as the working tree has them."""
    docs_base: Coverage | None = None
    docs: Coverage | None = None
    exposures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Exposure → the changed tables it reads."""
    metrics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nodes: Sequence[Node] = ()
    edges: Sequence[tuple[str, str]] = ()
    times: Sequence[BuildTime] = ()

    @property
    def is_same(self) -> bool:
        return not (
            self.edited
            or self.columns
            or self.contracts
            or self.definitions
            or self.raw
            or self.nodes
            or any(diff.is_different for diff in self.values)
        )
