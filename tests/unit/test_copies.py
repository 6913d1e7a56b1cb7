"""A copied topic: the first arrivals that its headers state are believed only under a manager's signature over all."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.archive import Archive
from gatekeeper.knowledge.copies import Copies, header
from gatekeeper.knowledge.store import FactStore
from schemas.codec import canonical
from schemas.events import Send
from schemas.record import Record
from schemas.topics import DAY_MS
from tests.support import invented, staff
from tests.support.copied_topic import AHEAD, COPIED_AT, copied_records, copy_word, founded, reference_records

SEND = Send.model_validate_json(orjson.dumps(invented.send()))


def arrivals(*records: Record) -> list[int | None]:
    """The arrivals of a person's consents as days before now; None where no rule may read one."""
    store = FactStore(staff.ORIGIN)
    for record in records:
        assert store.apply(record) is None
    return [
        None if one.arrived is None else (COPIED_AT - one.arrived) // DAY_MS
        for one in invented.view(store, SEND).consents
    ]


def test_signed_by_a_manager_then_the_first_arrival_is_believed_in_any_order() -> None:
    facts = copied_records(AHEAD, invented.consent(recorded_at="2026-11-20")[1], days=(9, 5))
    people, signed = founded(facts)[:-1], founded(facts)[-1:]
    parts = (people, signed, facts[:1], facts[1:])
    orders = [one for one in permutations(range(4)) if one.index(0) < one.index(1) and one.index(2) < one.index(3)]
    assert [9 in arrivals(*(record for n in one for record in parts[n])) for one in orders] == [True] * 6


@pytest.mark.parametrize(
    "more",
    [{"by": ()}, {"by": ("kenji",)}, {"count": 3}, {"sha256": "0" * 64}, {"topic": "sources"}, {"partition": 1}],
    ids=["unsigned", "by a reviewer", "of more records", "of others", "of another topic", "of another partition"],
)
def test_another_word_or_nobodys_then_the_copy_arrived_when_it_was_made(more: dict[str, Any]) -> None:
    facts = copied_records(AHEAD, invented.consent(recorded_at="2026-11-20")[1], days=(9, 5))
    assert 9 not in arrivals(*facts, *founded(facts, **more))
    assert 0 in arrivals(*facts, *founded(facts, **more))


def test_copied_facts_and_notices_then_a_replay_derives_what_the_worker_saw() -> None:
    facts = copied_records(AHEAD, invented.consent(recorded_at="2026-11-20")[1], days=(9, 5))
    notices = copied_records(invented.notice(complete=False)[1], invented.notice()[1], days=(30, 20), topic="reference")
    lines = [*staff.founding(at=staff.instant(COPIED_AT)), *copy_word(facts), *copy_word(notices, id="y")]
    records = [*facts, *notices, *reference_records(lines, first=len(notices))]
    store, archive = FactStore(staff.ORIGIN), Archive(staff.ORIGIN)
    for record in records:
        assert store.apply(record) is None
        archive.apply(record)
    seen = store.view(SEND, None, at=COPIED_AT, zone="Asia/Tokyo")
    known = {"consents": [len(facts)], "reference": [100]}
    again = archive.view(SEND, None, known, instant=COPIED_AT, zone="Asia/Tokyo", asks=b"", releases=b"")
    assert again.snapshot == seen.snapshot
    before = (COPIED_AT - 25 * DAY_MS) * 1000
    assert archive.reference(known).reference.notice("OK", before) == store.reference.notice("OK", before)


def test_a_record_behind_the_copies_then_its_header_is_not_believed() -> None:
    facts = copied_records(AHEAD, days=(9,))
    later = {**AHEAD, "event_time": "2026-12-25", "recorded_at": "2026-12-25"}
    behind = Record(
        "consents", 0, 1, COPIED_AT, None, orjson.dumps(later), (header(COPIED_AT - 99 * DAY_MS, last=True),)
    )
    assert sorted(arrivals(*facts, behind, *founded(facts)), key=str) == [0, 9]


@pytest.mark.parametrize("stated", [b"soon", b"%d" % (COPIED_AT + 1)])
def test_a_header_that_is_no_earlier_instant_then_the_run_is_over_before_it(stated: bytes) -> None:
    copies = Copies()
    record = Record("consents", 0, 0, COPIED_AT, None, canonical(AHEAD), (("gate-arrived", stated),))
    assert copies.take(record) is None
    assert (copies.runs["consents", 0].count, copies.runs["consents", 0].open) == (0, False)
