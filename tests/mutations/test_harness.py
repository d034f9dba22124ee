"""The harness itself: what it does not make again is what it would have made."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Marts
from tests.mutations.test_keys import CASES
from tests.mutations.test_links import CASES as LINKS


def test_a_node_left_as_it_is_holds_what_it_should(project: Project) -> None:
    (case,) = (case for case in CASES if case.name == "a_withdrawn_record_is_still_withdrawn")
    marts = case.check(project, everything=True)
    held = dict(marts._content)
    marts._made.clear()
    marts.build()
    assert marts._content == held


def test_a_build_that_begins_again_holds_what_a_first_one_does(project: Project) -> None:
    (case,) = (case for case in LINKS if case.name == "a_renumbered_uai_keeps_its_earlier_sessions")
    (state,) = case.states()
    assert state.origin
    marts = case.check(project, everything=True)
    first = Marts(project)
    first.load(state)
    first.build()
    assert marts._content == first._content
