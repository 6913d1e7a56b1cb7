"""The review queue as people read it is what the worker remembers, in whatever order its topics are read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.review.queue import Queue
from tests.property.test_acts import ACTS
from tests.support import invented
from tests.support.desk import TWO, YOUNG, Desk

Read = tuple[str, int, Any]


class Watched(Desk):
    """A desk whose topics are kept as they would be read: topic, offset, and what stands there."""

    def __init__(self, *facts: invented.Event) -> None:
        super().__init__(*facts)
        self.acts: list[bytes] = []

    def judged(self, value: dict[str, Any] | bytes) -> tuple[str, str | None]:
        self.acts.append(value if isinstance(value, bytes) else orjson.dumps(value))
        return super().judged(value)

    def topics(self) -> list[Read]:
        audits = [record.model_dump_json(by_alias=True).encode() for record in self.records]
        return [
            *(("review", place, record) for place, record in enumerate(self.review)),
            *(("acts", place, value) for place, value in enumerate(self.acts)),
            *(("audit", place, value) for place, value in enumerate(audits)),
        ]


def queue(read: Iterable[Read]) -> Queue:
    found = Queue()
    for topic, offset, what in read:
        if topic == "review":
            found.review(3, offset, what.value, what.headers)
        elif topic == "acts":
            found.act(None, what)
        else:
            found.audit(3, offset, what, origins=True)
    return found


def told(found: Queue) -> dict[str, Any]:
    return {item.id: (item, found.doings(item.id)) for item in found.items()}


STEPS = st.lists(ACTS | st.just(("send",)) | st.just(("bad",)), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((YOUNG, TWO)), STEPS, st.randoms(use_true_random=False))
def test_any_acts_then_the_order_of_reading_changes_nothing_and_states_are_the_workers(
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
    found = queue(read)
    assert told(queue(shuffled)) == told(found)
    assert len(list(found.items())) == len(desk.review)
    for item in found.items():
        standing = desk.state.standing("P-1", item.id)
        assert item.state == (standing.state if standing else "open")
        # who took an act back is no longer who left the item in its state
        assert item.by == (standing.by if standing and standing.state != "open" else None)
        assert all(doing.outcome for doing in found.doings(item.id))
        assert [doing.reason for doing in found.doings(item.id)] == ["looked at the form"] * len(found.doings(item.id))
