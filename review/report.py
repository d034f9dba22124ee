"""Everything that is said of one set of raw data, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from review.build import Side
from review.findings import Comparison

TESTS = frozenset({"test", "unit_test"})


@dataclass(frozen=True)
class Report:
    """What was compared, and what came of it."""

    base_name: str
    base_commit: str
    head_commit: str
    raw: str
    """Which raw data both were built from, in words."""
    base: Side | None
    base_missing: str
    """Why there is nothing to compare with; empty where there is."""
    pr: Side
    comparison: Comparison
    seconds: Mapping[str, float] = field(default_factory=dict)
    artifacts_url: str = ""
    artifacts: Sequence[str] = ()
    """Files written beside the report."""
    mentions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column that is removed, renamed or retyped → places that name it, as ``file:line``."""
    head_name: str = ""
    """Its branch; empty where nobody named it."""

    @property
    def is_failed(self) -> bool:
        """Something fails that the base does not fail at."""
        return any(not problem.is_on_base for problem in self.pr.problems)

    @property
    def is_unbuilt(self) -> bool:
        """Something was not built, be it that it did not parse."""
        return any(problem.kind not in TESTS for problem in self.pr.problems)
