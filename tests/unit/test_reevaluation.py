"""Any fact that bears on a clearance touches its person, once, and nobody waits for it."""

from __future__ import annotations

import asyncio
from itertools import count

import orjson
import pytest

from gatekeeper.ground.tables import SPOILT
from gatekeeper.identity import Identified
from gatekeeper.ledger import entries
from gatekeeper.ledger.state import LedgerState
from schemas.codec import parse
from schemas.record import Refusal
from streams.worker.reevaluation import STEP, ReevaluationQueue
from tests.support import invented
from tests.support.facts import fact

RESOLVED = (
    "reference",
    {"v": 1, "kind": "resolution", "id": "consents-1-77", "topic": "consents", "partition": 1, "offset": 77}
    | {"by": "pm-7", "reason": "entered again", "at": "2026-11-24"},
)
PEOPLE = [f"P-{number}" for number in range(2 * STEP)]


def clearance(name: str) -> entries.Entry:
    value = invented.send(recipient_id=name, point=f"cp-{name}", match=[{"token": f"match-{name}", "score": 900}])
    src = {"topic": "mail.sends.v1", "partition": 0, "offset": 0, "timestamp": 0}
    fields = {"did": "D", "at": 0, "until": invented.T, "basis": None, "released": False, "src": src}
    fields["printed"] = Identified(invented.token(f"cp-{name}"))
    return entries.clearance(parse("sends", None, orjson.dumps(value)), **fields)  # type: ignore[arg-type]


@pytest.fixture
def watched() -> tuple[ReevaluationQueue, invented.FactStore]:
    """A partition that remembers PEOPLE, and has judged them all since it was taken over."""
    own = [{"id": "own", "token": "own"}]
    store = invented.store(invented.source(recipient_id="P-7", batch_id="B-1", contact_points=own))
    remembered = LedgerState()
    for name in PEOPLE:
        remembered.put(clearance(name))
    touched = ReevaluationQueue(store, asyncio.Event())
    touched.watch(remembered)
    assert sorted(everybody(touched)) == sorted(PEOPLE)
    return touched, store


def everybody(touched: ReevaluationQueue) -> list[str]:
    """Takes until nobody is left, a few at a time."""
    found: list[str] = []
    while touched._arrived.is_set():
        touched._arrived.clear()
        taken = touched.take(100)
        assert len(taken) <= 100
        found += taken
    return found


def waits(touched: ReevaluationQueue, *names: str) -> None:
    """Lets an item of each of them wait for facts."""
    for offset, name in enumerate(names):
        touched._ledger.put(entries.held(name, f"D-{name}", offset=offset, until=invented.T, rejudge=invented.T))


OFFSETS = count()


def learn(store: invented.FactStore, *facts: invented.Event) -> None:
    for topic, value in facts:
        assert store.apply(fact(topic, 9, next(OFFSETS), None, orjson.dumps(value))) is None


@pytest.mark.parametrize(
    ("fact", "touches"),
    [
        (invented.consent(recipient_id="P-5"), ["P-5"]),
        (invented.suppression(token="cp-P-3"), ["P-3"]),
        (invented.suppression(token="match-P-4"), ["P-4"]),
        (invented.suppression(token="own"), ["P-7"]),
        (invented.suppression(token="nobody's"), []),
        (invented.suppression(token="x", readings=[{"token": invented.token("cp-P-6"), "score": 900}]), ["P-6"]),
        (invented.batch(state="quarantined"), ["P-7"]),
        (invented.controller(suspended_since="2026-01-01"), PEOPLE),
    ],
)
def test_a_fact_then_those_are_touched_on_whom_it_bears(
    watched: tuple[ReevaluationQueue, invented.FactStore], fact: invented.Event, touches: list[str]
) -> None:
    touched, store = watched
    learn(store, fact, fact)
    assert sorted(everybody(touched)) == sorted(touches)


def test_an_index_that_changed_on_the_disk_then_everybody_is_touched(
    watched: tuple[ReevaluationQueue, invented.FactStore],
) -> None:
    touched, store = watched
    rows = store.mentions._table
    for name, _ in list(rows.items()):
        rows[name] = SPOILT
    learn(store, invented.batch(state="quarantined"))
    assert sorted(everybody(touched)) == sorted(PEOPLE)


def test_a_flood_of_facts_about_people_then_a_quarantined_list_is_found_all_the_same(
    watched: tuple[ReevaluationQueue, invented.FactStore],
) -> None:
    touched, store = watched
    learn(store, invented.batch(state="quarantined"))
    for _ in range(len(PEOPLE) // STEP):
        learn(store, *(invented.consent(recipient_id=name) for name in PEOPLE[100:300]))
        taken = touched.take(100)
        assert len(taken) == 100
        if "P-7" in taken:
            return
    pytest.fail("the walk came to nobody")


def test_a_batch_that_withholds_everybody_then_nobody_is_touched_until_a_resolution(
    watched: tuple[ReevaluationQueue, invented.FactStore],
) -> None:
    touched, store = watched
    waits(touched, "W-1", "W-2")
    store.apply(fact("consents", 1, 77, None, None, Refusal("batch_broken", "0" * 64, "batch", 77)))
    learn(store, ("reference", {**RESOLVED[1], "id": "consents-1-8", "offset": 8}))
    assert set(everybody(touched)) == {*PEOPLE}
    learn(store, RESOLVED)
    assert set(everybody(touched)) == {"W-1", "W-2", *PEOPLE}
