"""Each act about a withheld send has one answer, and an item goes out once at most."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
import pytest

from gatekeeper.engine.item import FROM
from gatekeeper.engine.sends import Judge
from gatekeeper.ledger.person_entries import NOTHING_REMEMBERED
from schemas.events import Send
from schemas.record import Record
from tests.support import guesses, invented, policies
from tests.support.desk import JUDGE, TWO, YOUNG, Desk
from tests.support.guesses import Person


def no(**fields: Any) -> invented.Event:
    fields = {"purpose": "*", "channels": "*", "notice_id": None, "event_time": "2026-11-24T09:59:30+09:00", **fields}
    return invented.consent(record_id="R-9", state="Withdrawn", **fields)


@pytest.fixture
def desk() -> Desk:
    found = Desk(*YOUNG)
    assert found.send().codes == ("AGE_UNCERTAIN",)
    return found


@pytest.fixture
def conflicted() -> Desk:
    found = Desk(*TWO)
    assert "SOURCE_CONFLICT" in found.send().codes
    assert found.records[-1].verdict == "review"
    return found


def test_release_then_the_piece_goes_out_once_with_the_act_as_its_decision(desk: Desk) -> None:
    assert desk.act("release") == ("cleared", None)
    record = desk.records[-1]
    assert (record.stage, record.verdict, record.notes) == ("release", "clear", ("RELEASED_BY_REVIEWER",))
    assert desk.out[-1] == ("cleared", record.did)
    assert record.act is not None
    assert (record.act.by, record.act.item, record.act.act_id) == ("hanako", desk.told(0)["decision_id"], "release-1")
    assert desk.act("release", act_id="release-1") == ("refused", "seen_before")
    assert desk.act("release") == ("refused", "closed")
    assert desk.act("uphold") == ("refused", "closed")
    assert [topic for topic, _ in desk.out].count("cleared") == 1
    assert desk.send().codes == ("DUPLICATE_SEND",)


def test_reason_in_words_then_no_guess_can_be_tried_and_the_signed_hash_proves_it(desk: Desk) -> None:
    kept, header, sign = list[Record](), list[bytes](), desk.sign

    def signed(record: Record) -> list[tuple[str, bytes]]:
        kept.append(record)
        found = sign(record)
        header.extend(value for _, value in found)
        return found

    desk.sign = signed
    desk.act("note", act_id="n-1", reason="花子 said so")
    known = [Person(("花子", "花子 said so"))]
    told = {"audit": [desk.records[-1].model_dump_json().encode()]}
    assert guesses.guessed(told, known, known=("n-1", "hanako")) == []
    assert desk.records[-1].act
    (proof,) = desk.records[-1].act.signed or ()
    blind = bytes.fromhex(orjson.loads(header[-1])["blind"])
    assert proof.sha256 == sha256(blind + (kept[-1].value or b"")).hexdigest()


def test_withdrawal_known_then_a_release_ends_superseded_and_its_item_is_a_new_one(desk: Desk) -> None:
    desk.learn(no())
    assert desk.act("release") == ("withheld", None)
    assert [r.code for r in desk.records[-1].reasons][-1] != "AGE_UNCERTAIN"
    assert "RELEASE_SUPERSEDED" in [r.code for r in desk.records[-1].reasons]
    assert desk.out[-1][0] == "review"
    assert desk.state.about(_send(), desk.at).releases == b"", "a hard fact ends it for good"
    assert desk.act("release", item=0, act_id="again") == ("refused", "closed")
    assert desk.act("release", item=1) == ("refused", "hard")


def test_withdrawal_after_a_release_then_the_release_is_over_for_good(desk: Desk) -> None:
    assert desk.act("release") == ("cleared", None)
    desk.learn(no())
    assert "RELEASE_SUPERSEDED" in desk.send().codes
    assert desk.state.about(_send(), desk.at).releases == b""


REFUSED = [
    ({"review": {"partition": 3, "offset": 9}}, "item_unknown"),
    ({"review": {"partition": 2, "offset": 0}}, "item_elsewhere"),
    ({"decision_id": "A" * 26}, "item_differs"),
    ({"recipient_id": "P-2"}, "item_differs"),
    ({"reason": " "}, "no_reason"),
    ({"at": "2026-11-24T10:06:00+09:00"}, "dated_ahead"),
    ({"at": "2026-11-21T09:59:59+09:00"}, "too_old"),
    ({"reasons": []}, "unnamed"),
    ({"evidence_ref": None}, "evidence"),
    ({"had": ["SOURCE_CONFLICT"]}, "had_differs"),
    ({"seen": {"AGE_UNCERTAIN": ["0" * 32]}}, "seen_differs"),
    ({"kind": "approve"}, "nothing_to_approve"),
]


@pytest.mark.parametrize(("wrong", "code"), REFUSED, ids=[f"{code}-{next(iter(wrong))}" for wrong, code in REFUSED])
def test_release_that_is_wrong_then_it_is_refused_and_a_right_one_still_goes(
    desk: Desk, wrong: dict[str, Any], code: str
) -> None:
    value = invented.bare(invented.item_act("release", desk.told()) | wrong)
    if value["kind"] == "approve":
        value = {name: field for name, field in value.items() if name not in ("reasons", "had", "seen", "bulk")}
    before = dict(desk.state._people)
    assert desk.judged(value) == ("refused", code)
    assert desk.records[-1].verdict is None
    assert desk.state._people == before
    assert len(desk.out) == 1, "nothing goes out"
    assert desk.act("release") == ("cleared", None)


def test_hard_item_then_no_act_releases_it() -> None:
    desk = Desk(invented.source())
    desk.learn(no())
    assert desk.send().verdict == "block"
    assert desk.act("release") == ("refused", "hard")
    assert desk.act("ask") == ("refused", "not_confirmable")


def test_soft_item_without_r_then_it_is_asked_not_released() -> None:
    desk = Desk(invented.source())
    assert desk.send().codes == ("CONSENT_MISSING",)
    assert desk.act("release", evidence_ref="scan-9") == ("refused", "not_releasable")
    assert desk.act("ask") == ("asked", None)
    assert desk.out[-1] == ("confirmations", desk.records[-1].did)
    assert desk.records[-1].verdict == "confirm"
    assert desk.act("ask", act_id="ask-2") == ("refused", "closed")
    assert desk.act("redecide") == ("refused", "awaits_answer")


def test_two_persons_needed_then_one_waits_the_same_is_refused_and_another_releases(conflicted: Desk) -> None:
    assert conflicted.act("release", evidence_ref="scan-9") == ("waiting", None)
    assert len(conflicted.out) == 1
    assert conflicted.act("approve") == ("refused", "same_person")
    assert conflicted.act("release", act_id="release-2", by="taro", evidence_ref="x") == ("refused", "closed")
    assert conflicted.act("approve", by="taro") == ("cleared", None)
    assert conflicted.records[-1].stage == "release"
    assert conflicted.act("approve", by="yuki") == ("refused", "nothing_to_approve")


def test_bulk_above_the_threshold_then_it_takes_a_second_person_and_records_say_so(desk: Desk) -> None:
    assert desk.act("release", bulk=101) == ("waiting", None)
    assert desk.records[-1].act is not None
    assert desk.records[-1].act.bulk == 101
    assert len(desk.out) == 1
    assert desk.act("approve") == ("refused", "same_person")
    assert desk.act("approve", by="taro", act_id="approve-2") == ("cleared", None)
    assert desk.records[-1].facts is not None
    (release,) = desk.records[-1].facts.releases
    assert (release["bulk"], release["by"]) == (101, ["hanako", "taro"])


def test_threshold_lowered_after_one_persons_release_then_its_word_is_not_enough(desk: Desk) -> None:
    assert desk.act("release", bulk=80) == ("cleared", None)
    desk.learn(("reference", policies.policy_record(policies.text(7, ("four_eyes_bulk = 100", "four_eyes_bulk = 50")))))
    desk.at += 1
    assert [code for _, code in desk.campaign("handoff")] != []
    assert desk.out[-1][0] == "recalls"
    assert [reason.code for reason in desk.records[-2].reasons] == ["AGE_UNCERTAIN"]


def test_undo_of_a_release_then_the_piece_is_recalled_and_cannot_be_released_again(desk: Desk) -> None:
    desk.act("release")
    cleared = desk.records[-1].did
    assert desk.act("undo", undoes="release-1") == ("recalled", None)
    assert desk.out[-1][0] == "recalls"
    assert desk.state.about(_send(), desk.at) == NOTHING_REMEMBERED
    assert desk.act("release") == ("refused", "closed")
    assert desk.act("undo") == ("refused", "nothing_to_undo")
    assert desk.act("redecide") == ("withheld", None)
    assert desk.act("release") == ("cleared", None)
    assert desk.records[-1].did != cleared


def test_late_copy_of_an_act_that_was_undone_then_it_counts_no_more(desk: Desk) -> None:
    assert desk.act("uphold") == ("upheld", None)
    assert desk.act("undo") == ("reopened", None)
    assert desk.act("uphold", act_id="uphold-1") == ("refused", "seen_before")
    later(desk)
    assert desk.act("uphold", act_id="uphold-1") == ("refused", "repeated")
    assert desk.act("uphold", act_id="uphold-2") == ("upheld", None)
    assert desk.act("undo", act_id="undo-1") == ("refused", "repeated"), "the first undo took back another act"
    assert desk.act("undo", act_id="undo-2") == ("reopened", None)
    later(desk)
    assert desk.act("uphold", act_id="uphold-2") == ("refused", "repeated")
    assert desk.act("release") == ("cleared", None)


def later(desk: Desk) -> None:
    """Lets a desk forget the ids of its acts, so that these may be signed anew."""
    desk.at += 12 * 60_000
    desk.act("note")


def test_duplicate_cleared_meanwhile_then_a_release_clears_no_second_piece(desk: Desk) -> None:
    desk.learn(invented.source(birth_date="1990-01-01"))
    assert desk.send().verdict == "clear"
    assert desk.act("release", item=0) == ("withheld", None)
    assert [reason.code for reason in desk.records[-1].reasons] == ["DUPLICATE_SEND"]
    assert [topic for topic, _ in desk.out].count("cleared") == 1


@pytest.mark.parametrize("value", [b"", b'{"v":1,"kind":"fly"}'])
def test_act_that_cannot_be_read_then_it_is_a_dead_letter_and_recorded(desk: Desk, value: bytes) -> None:
    outcome, code = desk.judged(value)
    assert (outcome, bool(code)) == ("unreadable", True)
    assert desk.out[-1] == ("deadletter", desk.records[-1].did)
    assert desk.act("release") == ("cleared", None)


def test_defect_of_ours_then_the_act_does_nothing_and_tells_no_values(desk: Desk) -> None:
    view = desk.store.view
    desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    outcome, code = desk.act("release", reason="花子")
    assert outcome == "failed"
    assert (code or "").startswith("ZeroDivisionError-")
    desk.store.view = view  # type: ignore[method-assign]
    assert desk.act("release") == ("cleared", None)


def test_shadow_then_nobody_acts_on_its_items_and_nothing_goes_out() -> None:
    desk = Desk(*YOUNG, judge=Judge(JUDGE.packs, 8, "shadow"))
    desk.send()
    for kind in FROM:
        assert desk.act(kind) == ("refused", "shadow")
    assert desk.records[-1].mode == "shadow"
    assert [topic for topic, _ in desk.out] == ["review"]
    assert desk.act("note") == ("recorded", None)


def _send() -> Any:
    return Send.model_validate_json(orjson.dumps(invented.send()))
