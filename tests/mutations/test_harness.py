"""The harness itself: what it does not make again is what it would have made."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.test_keys import CASES


def test_a_node_left_as_it_is_holds_what_it_should(project: Project) -> None:
    (case,) = (case for case in CASES if case.name == "a_withdrawn_record_is_still_withdrawn")
    marts = case.check(project, everything=True)
    held = dict(marts._content)
    marts._made.clear()
    marts.build()
    assert marts._content == held
