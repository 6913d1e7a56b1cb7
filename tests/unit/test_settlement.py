"""The last transaction of a partition: found whole, or found to be there in part and settled from what is left."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import orjson
import pytest

from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.engine.implied import InputIndex, MissingInput, implied
from gatekeeper.engine.settlement import Settled, lacking, settled
from gatekeeper.engine.tail import Tail, WrittenRecord, said, written
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.texts import text
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from schemas.codec import canonical
from schemas.record import Record
from tests.support import invented
from tests.support.desk import YOUNG, Desk
from tests.support.trails import Step, Trail, signing_key

TRAIL = Trail(partitions=1, seed=7, acting=0.5).write(12)
KEYS: Sequence[Vkey] = [parse_vkey(TRAIL.worker.verifier)]
STEPS = TRAIL.steps
PLACES = range(2, len(STEPS))


def head(steps: Sequence[Step]) -> Head:
    """Returns the head that the ledger has after these steps."""
    found = Head(sends=0, acts=10)
    for step in steps:
        ends = {one["topic"]: one["to"] for one in orjson.loads(step.value)["in"]}
        acts = ends.get("mail.acts.v1", found.acts)
        found = Head(sends=ends["mail.sends.v1"], acts=acts, prev=sha256(step.value).hexdigest(), at=1)
    return found


def manifests(steps: Sequence[Step]) -> list[Record]:
    return [
        Record("manifests", 0, step.offset, 0, b"worker-0", step.value, [("gate-sig", base64.b64encode(step.sig))])
        for step in steps
    ]


def audit(values: Sequence[bytes]) -> list[Record]:
    return [Record("audit", 0, place, 0, did(value).encode(), value) for place, value in enumerate(values)]


def records(steps: Sequence[Step]) -> list[bytes]:
    return [value for step in steps for value in step.records]


def did(value: bytes) -> str:
    return str(orjson.loads(value)["did"])


def judged(
    at: Head, ours: Sequence[Record], theirs: Sequence[Record], *, cut: bool = False, whole: bool = True
) -> Settled | None:
    records = said(theirs, partition=0)
    return settled(at, Tail(written(ours, records, partition=0, keys=KEYS, head=at), records, cut, whole))


def values(some: Sequence[WrittenRecord]) -> list[bytes]:
    return [one.value for one in some]


@pytest.mark.parametrize("place", PLACES)
def test_whole_transactions_then_nothing_is_to_be_settled(place: int) -> None:
    steps = STEPS[:place]
    assert judged(head(steps), manifests(steps), audit(records(steps))) is None
    few = steps[-2:]
    assert judged(head(steps), manifests(few), audit(records(few)), whole=False, cut=True) is None
    assert judged(head(steps), manifests(few), audit(records(few)), whole=False) is None


def test_records_that_people_let_go_then_only_each_after_those_is_demanded() -> None:
    steps, gone = STEPS[:6], STEPS[:4]
    anew = replace(head(gone), anew=head(gone).prev)
    assert judged(head(gone), manifests(gone), []) is not None
    assert judged(anew, manifests(gone), []) is None
    assert judged(replace(head(steps), anew=anew.prev), manifests(steps), audit(records(steps[4:]))) is None
    assert judged(replace(head(steps), anew=anew.prev), manifests(steps), []) is not None


def test_nothing_written_yet_then_nothing_is_to_be_settled() -> None:
    assert judged(Head(sends=7), [], []) is None


def test_manifest_and_records_without_head_then_their_range_counts_as_decided() -> None:
    for place in PLACES:
        before, torn = STEPS[:place], STEPS[place]
        found = judged(head(before), manifests([*before, torn]), audit(records([*before, torn])))
        assert found is not None
        after = head([*before, torn])
        assert (found.head.sends, found.head.acts, found.head.prev) == (after.sends, after.acts, after.prev)
        assert found.least == (after.sends, after.acts)
        assert (found.took, found.records) == ((), ())
        assert values(found.again) == list(torn.records)


def test_manifest_with_a_part_of_its_records_then_its_whole_range_counts_as_decided() -> None:
    before, torn = STEPS[:5], STEPS[5]
    for left in range(len(torn.records)):
        some = torn.records[:left]
        found = judged(head(before), manifests([*before, torn]), audit([*records(before), *some]))
        assert found is not None
        assert found.head.sends == head([*before, torn]).sends
        assert values(found.again) == list(some)


def test_records_without_manifest_then_the_next_manifest_takes_them_in() -> None:
    for place in PLACES:
        before, torn = STEPS[:place], STEPS[place]
        found = judged(head(before), manifests(before), audit(records([*before, torn])))
        assert found is not None
        after, taken = head([*before, torn]), orjson.loads(torn.value)["in"]
        assert found.head.prev == head(before).prev
        assert (found.head.sends, found.head.acts) == (after.sends, after.acts)
        assert values(found.records) == values(found.again) == list(torn.records)
        assert [(one.topic, one.start, one.to, one.n) for one in found.took] == [
            (one["topic"], one["from"], one["to"], one["n"]) for one in taken
        ]


def test_first_records_without_manifest_then_only_what_they_are_about_is_decided() -> None:
    before, torn = STEPS[:4], STEPS[4]
    last = next(value for value in reversed(torn.records[:-1]) if orjson.loads(value)["stage"] == "intake")
    some = torn.records[: torn.records.index(last) + 1]
    found = judged(head(before), manifests(before), audit([*records(before), *some]))
    assert found is not None
    assert found.head.sends == orjson.loads(last)["src"]["offset"] + 1
    assert values(found.records) == list(some)


def test_a_head_beyond_manifests_and_records_then_the_partition_does_not_go_back() -> None:
    before, torn = STEPS[:4], STEPS[4]
    ahead = head([*before, torn])
    found = judged(ahead, manifests(before), audit(records(before)))
    assert found is not None
    assert (found.head.sends, found.head.prev) == (head(before).sends, head(before).prev)
    assert found.least == (ahead.sends, ahead.acts)
    error = found.error(ahead, topic="mail.sends.v1", partition=0)
    assert isinstance(error, IntegrityError)
    assert str(error) == text("error.torn", **error.values)


def test_a_record_lost_from_the_last_transaction_then_it_is_not_whole() -> None:
    steps = STEPS[:6]
    assert judged(head(steps), manifests(steps), audit(records(steps)[:-1])) is not None
    assert judged(head(steps), manifests(steps), []) is not None


def test_no_manifest_then_only_retention_explains_it() -> None:
    at = head(STEPS[:6])
    assert judged(at, [], [], cut=True) is None
    assert judged(at, [], [], cut=False) is not None
    assert judged(at, manifests(STEPS[5:6]), [], cut=True) is None


def test_what_others_put_there_then_it_refuses_nothing() -> None:
    steps, stranger = STEPS[:6], signing_key("mail.gatekeeper/worker", seed=99)
    last = orjson.loads(steps[-1].value)
    slipped = canonical({**last, "prev": sha256(steps[-1].value).hexdigest(), "kid": stranger.kid})
    forged = Record("manifests", 0, 99, 0, b"x", slipped, [("gate-sig", base64.b64encode(stranger.sign(slipped)))])
    unsigned = [Record("manifests", 0, n, 0, b"x", value) for n, value in enumerate((slipped, b"{", b"", b"[]"))]
    old = canonical({**orjson.loads(steps[0].records[0]), "did": "A" * 26})
    odd = [Record("audit", 0, 90 + n, 0, b"x", value) for n, value in enumerate((b"{", b"[]", b"7", b"", b"\xff"))]
    copies = audit(records(steps)[:3])
    assert (
        judged(
            head(steps),
            [*manifests(steps), forged, *unsigned],
            [*audit(records(steps)), *odd, *copies, *audit([old])],
        )
        is None
    )


def test_a_tail_that_is_too_short_then_more_is_asked_for() -> None:
    steps = STEPS[:6]
    at = head(steps)
    there = said(audit(records(steps)), partition=0)
    whole = Tail(written(manifests(steps), there, partition=0, keys=KEYS, head=at), there, False, True)
    short = Tail(whole.manifests[:-1], whole.audit, False, False)
    late = Tail(whole.manifests, whole.audit[-1:], False, False)
    assert [lacking(at, tail) for tail in (whole, short, late)] == [None, "manifests", "audit"]


def test_a_person_who_was_erased_and_came_back_then_the_ledger_made_anew_says_so() -> None:
    desk = Desk(*YOUNG)
    desk.send()
    act = {"v": 1, "at": "2026-11-24T09:59:00+09:00", "by": "hanako", "recipient_id": "P-1", "reason": "letter"}
    desk.judged({**act, "kind": "erase", "act_id": "a-1"})
    desk.check_anew()
    assert any(key.startswith(b"erased/") for key in desk.ledger)
    for by in ("hanako", "taro"):
        desk.judged({**act, "kind": "readmit", "act_id": f"a-{by}", "by": by})
        desk.check_anew()


def test_an_input_that_expired_then_its_entries_are_lacking_and_nothing_is_guessed() -> None:
    desk = Desk(invented.source(), invented.consent())
    judged = desk.send()
    assert judged.verdict == "clear"
    one = WrittenRecord(judged.audit, orjson.loads(judged.audit))
    with pytest.raises(MissingInput):
        implied(one, InputIndex({}, {}), desk.judge, desk.store, LedgerState())


def test_workers_with_a_key_each_then_none_takes_the_other_s_past_for_torn() -> None:
    trail = Trail(partitions=1, seed=11, acting=0.6)
    both = [trail.worker, signing_key("mail.gatekeeper/worker", seed=77)]
    for turn in range(14):
        trail.worker = both[turn % 2]
        trail.write(1)
    steps = trail.steps
    for ours in both:
        known = [parse_vkey(ours.verifier)]
        for place in range(2, len(steps)):
            at, there = head(steps[:place]), said(audit(records(steps[:place])), partition=0)
            tail = Tail(written(manifests(steps[:place]), there, partition=0, keys=known, head=at), there, False, True)
            assert settled(at, tail) is None, place
            assert [one.hash for one in tail.manifests] == [sha256(step.value).hexdigest() for step in steps[:place]]
            before = head(steps[: place - 1])
            ahead = written(manifests(steps[:place]), there, partition=0, keys=known, head=before)
            found = settled(before, Tail(ahead, there, False, True))
            assert found is not None
            assert (found.head.sends, found.head.prev, found.records) == (at.sends, at.prev, ())
            nothing = written(manifests(steps[:place]), there, partition=0, keys=known, head=None)
            assert [one.hash for one in nothing] == [one.hash for one in tail.manifests]
