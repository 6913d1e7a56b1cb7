"""A clearance stands until a fact comes; after any facts, the clearances left would be cleared again (P4)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support import invented, people
from tests.support.desk import JUDGE, YOUNG, Desk
from tests.support.invented import decide


def known() -> st.SearchStrategy[list[invented.Event]]:
    """Returns people of whom most may be written to."""
    return st.sampled_from((list(YOUNG), [invented.source(), invented.consent()])) | people.people()


@given(known(), people.sends() | st.just(invented.send()), st.lists(people.nos() | people.givens(), max_size=4))
def test_any_facts_after_a_clearance_then_the_rest_is_clear_and_no_recall_is_doubled(
    facts: Any, send: Any, news: Any
) -> None:
    desk = Desk(*[event for event in facts if event[0] != "acts"])
    if desk.send(send).verdict == "review":
        desk.act("release", evidence_ref="scan-9")
    assert desk.weigh() == [], "cleared, and recalled with nothing new"
    before = [one.did for one in desk.state.clearances(desk.at)]
    recalled = 0
    for fact in news:
        desk.learn(fact)
        recalled += len(desk.weigh())
        for clearance in desk.state.clearances(desk.at):
            about = desk.state.about(clearance.send, desk.at)
            now: dict[str, Any] = {"at": desk.at, "zone": "Asia/Tokyo"}
            view = desk.store.view(clearance.send, clearance.printed, **now, asks=about.asks, releases=about.releases)
            assert decide(clearance.send, view, desk.store.reference, JUDGE.packs, desk.at).verdict == "clear"
    assert recalled == len(before) - len(list(desk.state.clearances(desk.at)))
    assert len({did for topic, did in desk.out if topic == "recalls"}) == recalled
