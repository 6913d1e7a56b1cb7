"""A desk whose topics are read back in any order, and what reviewers may do at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from hypothesis import strategies as st

from gatekeeper.review.queue import Queue
from tests.support import invented
from tests.support.desk import Desk

Read = tuple[str, int, Any]
"""Topic, offset, and what stands there."""
REVIEWER_ACTS = st.tuples(
    st.sampled_from(("release", "approve", "uphold", "ask", "redecide", "undo")),
    st.integers(0, 3),
    st.sampled_from(("hanako", "taro")),
    st.sampled_from((None, "scan-9")),
    st.sampled_from((1, 1, 101, None)),
)
"""An act of a reviewer: its kind, the item, the person, the evidence, and how many it is done to at once."""


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


def queue_of(read: Iterable[Read]) -> Queue:
    """Returns the queue of those who read this, in this order."""
    found = Queue()
    for topic, offset, what in read:
        if topic == "review":
            found.review(3, offset, what.value, what.headers)
        elif topic == "acts":
            found.act(None, what)
        else:
            found.audit(3, offset, what, origins=True)
    return found
