"""Acts with and without a signature, as the worker judges them and the audit record tells them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import orjson
import pytest

from gatekeeper.engine.act import ActRecord
from schemas.codec import canonical
from schemas.record import Record
from streams.worker.batch_input import cancels
from streams.worker.intake import InputRange
from tests.support import invented, staff
from tests.support.desk import TWO, YOUNG
from tests.support.facts import fact
from tests.support.office import SIGNED_AT, Office, acted_by


@pytest.fixture
def desk() -> Office:
    found = Office(*YOUNG)
    found.send()
    return found


def test_release_that_a_reviewer_signed_then_it_goes_and_the_signature_is_recorded(desk: Office) -> None:
    assert desk.act("release", **acted_by("kenji", evidence_ref="form-1")) == ("cleared", None)
    act = desk.records[-1].act
    assert act
    assert act.signed
    (signed,) = act.signed
    assert (signed.by, signed.method, signed.key) == ("kenji", "key", "k1")
    assert signed.subject == f"release/{act.item}"
    desk.check_anew()


@pytest.mark.parametrize(
    ("signer", "person", "code"),
    [(None, "kenji", "unsigned"), ("yuki", "kenji", "unsigned"), ("", "ami", "role"), ("", "mallory", "not_staff")],
)
def test_release_of_nobody_then_it_is_refused_on_record_and_nothing_changes(
    desk: Office, signer: str | None, person: str, code: str
) -> None:
    desk.by, before = signer, dict(desk.ledger)
    assert desk.act("release", **acted_by(person, evidence_ref="form-1")) == ("refused", code)
    act = desk.records[-1].act
    assert act
    assert act.signed is None
    assert desk.ledger == before
    desk.by = ""
    assert desk.act("release", **acted_by("kenji", evidence_ref="form-1")) == ("cleared", None), "nothing was used up"


def test_copy_of_a_signed_act_then_it_is_refused_until_it_is_too_old_anyway(desk: Office) -> None:
    note = invented.item_act("note", desk.told(), **acted_by("kenji", "n-1"))
    assert [desk.judged(note) for _ in range(2)] == [("recorded", None), ("refused", "seen_before")]
    desk.at += 10 * 60_000 + 1
    assert desk.judged(note) == ("refused", "too_old")
    desk.check_anew()


def test_two_people_needed_then_the_consoles_word_is_enough_for_neither() -> None:
    desk = Office(*TWO)
    desk.send()
    desk.word = True
    first = acted_by("kenji", evidence_ref="form-1")
    assert desk.act("release", **first) == ("refused", "vouched_not_enough")
    desk.word = False
    assert desk.act("release", **{**first, "act_id": "a-2"}) == ("waiting", None)
    desk.word = True
    assert desk.act("approve", **acted_by("yuki", "b-1")) == ("refused", "vouched_not_enough")
    desk.word = False
    assert desk.act("approve", **acted_by("kenji", "b-2")) == ("refused", "role")
    assert desk.act("approve", **acted_by("yuki", "b-3")) == ("cleared", None)
    desk.check_anew()


def test_person_of_another_controller_then_the_act_is_refused(desk: Office) -> None:
    staff.known(desk.store.log, "mio", at=desk.at, controllers=["aoi"])
    assert desk.act("release", **acted_by("mio", evidence_ref="form-1")) == ("refused", "role")
    assert desk.campaign("cancel", by="mio", at=SIGNED_AT) == [("refused", "")]


def test_cancellation_of_nobody_then_it_does_not_overtake_facts_or_end_a_hand_off() -> None:
    acts = [campaign_act(kind) for kind in ("handoff", "cancel")]
    for counted in (True, False):
        behind = InputRange(0, 2, tuple(acts))
        alone = InputRange(0, 1, (acts[1],))
        assert [cancels(one, lambda _, yes=counted: yes) for one in (behind, alone)] == [counted, counted]


def campaign_act(kind: str) -> ActRecord:
    said = {"v": 1, "kind": kind, "act_id": kind, "at": SIGNED_AT, "by": "yuki", "subject": "campaign/K-1"}
    return ActRecord.of(Record("mail.acts.v1", 3, 1, 0, b"campaign/K-1", orjson.dumps(said)))


# the fact of a readmission

OFFSETS = count()
ERASURE = {"v": 1, "kind": "erasure", "suppression_id": "erase-1", "received_at": SIGNED_AT, "recipient_id": "P-1"}


def test_correction_of_an_erasure_then_only_two_managers_signatures_free_the_person() -> None:
    desk = Office(invented.source(), invented.consent(), ("suppressions", ERASURE))
    assert desk.send(event_id="E-1").codes == ("SUBJECT_ERASED",)
    for signers, fields, codes in (
        ((), {"by": "hanako"}, "SUBJECT_ERASED"),
        (("kenji",), {}, "SUBJECT_ERASED"),  # a reviewer
        (("hanako",), {}, "SUBJECT_ERASED"),  # one manager
        (("taro",), {"by": "hanako"}, "SUBJECT_ERASED"),  # another one than it names
        (("taro",), {"evidence_ref": None}, "SUBJECT_ERASED"),
        (("taro",), {}, "clear"),
    ):
        assert correct(desk, *signers, **{**ERASURE, "evidence_ref": "form-91", **fields}) == codes, (signers, fields)
    desk.check_anew()


STOPPED = {"v": 1, "kind": "objection", "suppression_id": "X-1", "received_at": "2026-01-01", "recipient_id": "P-1"}
TAKEN_BACK = {**STOPPED, "state": "corrected", "received_at": SIGNED_AT, "evidence_ref": "minutes-1"}


def learned(desk: Office, topic: str, value: bytes, *headers: tuple[str, bytes]) -> int:
    """Applies a fact with these headers, which arrives now; returns its offset."""
    offset = 900 + next(OFFSETS)
    record = replace(fact(topic, 1, offset, None, value), timestamp=desk.at, headers=headers)
    assert desk.store.apply(record) is None
    return offset


def correct(desk: Office, *signers: str, **fields: object) -> str:
    """Applies a correction that names and has these signers, and judges the next send by it."""
    value = canonical({**TAKEN_BACK, "by": [*signers] if len(signers) > 1 else "".join(signers), **fields})
    offset = learned(desk, "suppressions", value, *(staff.correction(value, one, at=SIGNED_AT) for one in signers))
    return " ".join(desk.send(event_id=f"E-{offset}").codes) or "clear"


def test_correction_of_an_objection_then_two_managers_stand_for_it() -> None:
    desk = Office(invented.source(), invented.consent(), ("suppressions", STOPPED))
    assert correct(desk, "kenji") == "SUBJECT_OBJECTED"
    assert "CORRECTION_UNPROVEN" in desk.records[-1].notes
    assert correct(desk, "hanako") == "SUBJECT_OBJECTED"
    assert correct(desk, "taro") == "clear", "each signed a correction of their own"
    other = Office(invented.source(), invented.consent(), ("suppressions", STOPPED))
    assert correct(other, "hanako", "kenji") == "SUBJECT_OBJECTED", "a reviewer is no manager"
    assert correct(other, "hanako", "taro") == "clear"
    other.check_anew()


def test_correction_that_names_others_or_is_old_then_it_takes_nothing_back() -> None:
    desk = Office(invented.source(), invented.consent(), ("suppressions", STOPPED))
    assert correct(desk, "hanako", "taro", by=["yuki", "kenji"]) == "SUBJECT_OBJECTED"
    assert correct(desk, "hanako", "taro", received_at="2026-02-01T10:00:00+09:00") == "SUBJECT_OBJECTED"


def test_a_stop_that_arrives_after_its_correction_then_it_stands() -> None:
    desk = Office(invented.source(), invented.consent())
    assert correct(desk, "hanako", "taro") == "clear"
    desk.at += 60_000
    learned(desk, "suppressions", canonical(STOPPED))
    desk.at += 60_000
    assert "SUBJECT_OBJECTED" in desk.send(event_id="E-9").codes


def test_look_that_a_reviewer_signed_then_the_weak_match_is_another_s() -> None:
    weak = invented.suppression(token="cp-9", suppression_id="X-1")
    near = {"match": [{"token": "cp-9", "score": 899}]}
    desk = Office(invented.source(), invented.consent(), weak)
    assert desk.send(event_id="E-1", **near).codes == ("NAME_NEAR_STOP",)
    said = {"v": 1, "kind": "identity_resolved", "recipient_id": "P-1", "record_id": "L-1", "of": ["X-1"]}
    value = canonical({**said, "at": SIGNED_AT, "by": "kenji", "evidence_ref": "memo-1"})
    for headers in ((), (staff.correction(value, "kenji", at=SIGNED_AT),)):
        offset = learned(desk, "consents", value, *headers)
        assert desk.send(event_id=f"E-{offset}", **near).verdict == ("clear" if headers else "review")


def test_look_that_was_signed_about_another_person_then_this_one_keeps_the_stop() -> None:
    desk = Office(invented.source(), invented.consent(), invented.suppression(token="cp-1", suppression_id="X-1"))
    said = {"v": 1, "kind": "identity_resolved", "record_id": "L-1", "of": ["X-1"], "at": SIGNED_AT}
    said |= {"by": ["hanako", "taro"], "evidence_ref": "memo-1"}
    for person in ("P-2", "P-1"):
        value = canonical({**said, "recipient_id": person})
        headers = [staff.correction(value, one, at=SIGNED_AT) for one in ("hanako", "taro") if person == "P-2"]
        offset = learned(desk, "consents", value, *headers)
        assert desk.send(event_id=f"E-{offset}").codes == ("SUBJECT_OBJECTED",)


def test_request_that_somebody_of_the_staff_signed_then_the_reply_goes_out() -> None:
    desk = Office(invented.source())
    value = canonical(invented.event(kind="request_received", by="kenji", at="2026-11-03")[1])
    for signers, verdict in (((), "block"), (("ami",), "block"), (("kenji",), "clear")):
        offset = learned(desk, "consents", value, *(staff.correction(value, one, at=SIGNED_AT) for one in signers))
        sent = desk.send(event_id=f"E-{offset}", message_class="rights_reply")
        assert (sent.verdict, sent.codes) == (verdict, ("EVENT_INVALID",) if verdict == "block" else ())
    desk.check_anew()


HOME = {"name": "高橋 一郎", "lines": ["緑山県若葉市青葉町1-2-3"]}
WORK = {**HOME, "lines": [*HOME["lines"], "営業部"]}


def test_print_that_somebody_of_the_staff_signed_then_that_text_alone_passes() -> None:
    desk = Office(invented.source(contact_points=[{"id": "cp-1", "written": HOME}]), invented.consent())
    other = {**HOME, "lines": [*HOME["lines"], "総務部"]}
    said = invented.event(kind="print_accepted", text=WORK, at=SIGNED_AT)[1]
    borrowed = {**said, "further": invented.event(kind="print_accepted", text=other)[1]["further"]}
    unproven = {name: field for name, field in said.items() if name != "evidence_ref"}
    header = staff.correction(canonical(said), "kenji", at=SIGNED_AT)
    for value, headers, passing in (
        (said, (), []),
        (said, (staff.correction(canonical(said), "ami", at=SIGNED_AT),), []),
        (unproven, (staff.correction(canonical(unproven), "kenji", at=SIGNED_AT),), []),
        ({**said, "recipient_id": "P-2"}, (header,), []),
        (said, (header,), [WORK]),
        (borrowed, (), [WORK]),  # under the id of the one that is signed
        (borrowed, (header,), [WORK]),
    ):
        offset = learned(desk, "consents", canonical(value), *headers)
        sent = [
            desk.send(event_id=f"E-{name}-{offset}", campaign_id=f"K-{name}-{offset}", delivery=text).codes
            for name, text in (("work", WORK), ("other", other))
        ]
        assert sent == [() if text in passing else ("PRINT_UNACCOUNTED",) for text in (WORK, other)], offset
    desk.check_anew()
