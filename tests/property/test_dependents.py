"""A stop by token, a frozen list: the index touches those whom a look at all facts and clearances finds."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.identity import Identified
from gatekeeper.ledger import entries
from gatekeeper.ledger.state import LedgerState
from schemas.codec import parse
from streams.worker.reevaluation import ReevaluationQueue
from tests.support import invented
from tests.support.facts import fact

PEOPLE, POINTS, BATCHES = ("P-1", "P-2", "P-3"), ("cp-1", "cp-2", "cp-3", "cp-4"), ("B-1", "B-2")
people, points, batches = st.sampled_from(PEOPLE), st.sampled_from(POINTS), st.sampled_from(BATCHES)
steps = st.one_of(
    st.tuples(st.just("learn"), people, points, batches),
    st.tuples(st.just("clear"), people, points),
    st.tuples(st.just("end"), people),
    st.tuples(st.just("stop"), points),
    st.tuples(st.just("freeze"), batches),
    st.tuples(st.just("take_over")),
)


class Partition:
    """A partition, beside a model of the names in the facts and in the live clearance of each person."""

    def __init__(self) -> None:
        self._store, self._ledger, self._offsets = invented.store(), LedgerState(), count()
        self._named: dict[str, set[str]] = {name: set() for name in PEOPLE}
        self._ever: dict[str, set[str]] = {name: set() for name in PEOPLE}
        self._cleared: dict[str, str] = {}
        self._touched = ReevaluationQueue(self._store, asyncio.Event())
        self._touched.watch(self._ledger)

    def taken(self) -> set[str]:
        """The people to judge again; few at a time."""
        found: set[str] = set()
        while self._touched._arrived.is_set():
            self._touched._arrived.clear()
            found.update(self._touched.take(2))
        return found

    def learn(self, name: str, point: str, batch: str) -> set[str]:
        """A source of a person touches that person."""
        self._named[name] |= {point, batch}
        here = {"id": point, "token": point}
        self._apply(
            invented.source(recipient_id=name, source_id=f"{point}-{batch}", batch_id=batch, contact_points=[here])
        )
        return {name} & self._cleared.keys()

    def clear(self, name: str, point: str) -> set[str]:
        """A clearance touches nobody, and replaces the one before it."""
        self._cleared[name] = point
        self._ever[name].add(point)
        self._ledger.put(_entry(name, point))
        self._touched.cleared(name)
        return set()

    def end(self, name: str) -> set[str]:
        """A clearance ends."""
        if point := self._cleared.pop(name, None):
            self._ledger.put(entries.Entry(_entry(name, point).key, None))
        return set()

    def stop(self, point: str) -> set[str]:
        """A stop touches those whose facts or clearance name its token."""
        self._apply(invented.suppression(token=point))
        return {name for name, printed in self._cleared.items() if point in {printed, *self._named[name]}}

    def freeze(self, batch: str) -> set[str]:
        """A frozen list touches those whose facts name it."""
        self._apply(invented.batch(id=batch, state="quarantined"))
        return {name for name in self._cleared if batch in self._named[name]}

    def take_over(self) -> set[str]:
        """A new owner touches everybody with a clearance."""
        self._touched.stop()
        self._touched = ReevaluationQueue(self._store, asyncio.Event())
        self._touched.watch(self._ledger)
        return {*self._cleared}

    def related(self, name: str) -> set[str]:
        """The people with a clearance who ever had to do with a name."""
        return {person for person in self._cleared if name in self._named[person] | self._ever[person]}

    def _apply(self, event: invented.Event) -> None:
        topic, value = event
        assert self._store.apply(fact(topic, 9, next(self._offsets), None, orjson.dumps(value))) is None


def _entry(name: str, point: str) -> entries.Entry:
    sent = parse("sends", None, orjson.dumps(invented.send(recipient_id=name, point=point)))
    src: dict[str, Any] = {"topic": "mail.sends.v1", "partition": 0, "offset": 0, "timestamp": 0}
    more = {"did": "D", "at": 0, "until": invented.T, "basis": None, "released": False, "src": src}
    return entries.clearance(sent, **more, printed=Identified(invented.token(point)))  # type: ignore[arg-type]


@given(st.lists(st.tuples(steps, st.booleans()), max_size=25))
def test_any_history_then_those_are_touched_who_depend_on_its_facts(history: list[tuple[Any, bool]]) -> None:
    partition, due = Partition(), set[str]()
    for (step, *what), drained in history:
        due |= getattr(partition, step)(*what)
        if drained:
            assert partition.taken() >= due & partition._cleared.keys()
            due = set()
    partition.taken()
    for step, what in (("stop", POINTS), ("freeze", BATCHES)):
        for name in what:
            expected = getattr(partition, step)(name)
            assert expected <= partition.taken() <= partition.related(name)
