"""The review queue as people read it is what the worker remembers, in whatever order its topics are read."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.review.queue import Queue
from tests.support import invented
from tests.support.desk import TWO, YOUNG
from tests.support.watched import REVIEWER_ACTS, Watched, queue_of


def told(found: Queue) -> dict[str, Any]:
    return {item.id: (item, found.doings(item.id)) for item in found.items()}


STEPS = st.lists(REVIEWER_ACTS | st.just(("send",)) | st.just(("bad",)), min_size=1, max_size=12)


@given(st.sampled_from((YOUNG, TWO)), STEPS, st.randoms(use_true_random=False))
def test_any_acts_then_reading_order_changes_nothing_and_states_are_the_workers(
    facts: tuple[invented.Event, ...], steps: list[Any], chance: random.Random
) -> None:
    desk = Watched(*facts)
    desk.send()
    for number, step in enumerate(steps):
        desk.at += 60_000
        if step[0] == "send":
            desk.send(event_id=f"E-{number}")
        elif step[0] == "bad":
            desk.judged(b"{")
        elif desk.review:
            kind, item, by, evidence, bulk = step
            of = {"bulk": bulk} if kind == "release" else {}
            desk.act(kind, item % len(desk.review), by=by, evidence_ref=evidence, act_id=f"act-{number}", **of)
    read = desk.topics()
    shuffled = [*read, *chance.sample(read, min(len(read), 3))]
    chance.shuffle(shuffled)
    found = queue_of(read)
    assert told(queue_of(shuffled)) == told(found)
    assert len(list(found.items())) == len(desk.review)
    for item in found.items():
        standing = desk.state.standing("P-1", item.id)
        assert item.state == (standing.state if standing else "open")
        # who took an act back is no longer who left the item in its state
        assert item.by == (standing.by if standing and standing.state != "open" else None)
        assert all(doing.outcome for doing in found.doings(item.id))
        assert [doing.reason for doing in found.doings(item.id)] == ["looked at the form"] * len(found.doings(item.id))
