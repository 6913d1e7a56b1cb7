"""Acts about a campaign: each clearance is handed off or called back, once, by the facts of then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.times import instant
from gatekeeper.policy.packs import load
from schemas.record import Record, Refusal
from tests.support import invented
from tests.support.desk import Desk, arrival_signature
from tests.support.facts import fact
from tests.support.invented import consenting, withdrawn

NAMES = [f"P-{number}" for number in range(1, 8)]


@pytest.fixture
def desk() -> Desk:
    found = Desk(*(fact for name in NAMES for fact in consenting(name)))
    for name in NAMES:
        assert found.send(recipient_id=name).verdict == "clear"
    return found


def dids(desk: Desk) -> set[str]:
    return {one.did for one in desk.state.clearances(desk.at)}


def test_hand_off_then_all_that_stands_is_handed_once_and_a_later_one_adds_nothing(desk: Desk) -> None:
    first = desk.campaign("handoff")
    assert first == [*(("handed", did) for did in (r.did for r in desk.records[:7])), ("done", "")]
    stages = Counter(record.stage for record in desk.records)
    assert stages == {"intake": 7, "handoff": 7, "act": 1}
    assert {record.verdict for record in desk.records if record.stage == "handoff"} == {"clear"}
    assert len({record.did for record in desk.records}) == 15
    assert desk.campaign("handoff", act_id="another") == [("done", "")]
    again = desk.campaign("handoff", act_id="third", again=True)
    assert Counter(outcome for outcome, _ in again) == {"handed": 7, "done": 1}
    assert {one.handed for one in desk.state.clearances(desk.at)} == {"third"}
    assert desk.send(recipient_id="P-1").codes == ("DUPLICATE_SEND",), "what is handed off stays cleared"


def test_withdrawal_before_the_hand_off_then_the_piece_is_recalled_with_the_reason(desk: Desk) -> None:
    desk.learn(withdrawn("P-2"), withdrawn("P-5"))
    outcomes = desk.campaign("handoff")
    assert Counter(outcome for outcome, _ in outcomes) == {"handed": 5, "recalled": 2, "done": 1}
    fallen = [record for record in desk.records if record.act and record.act.outcome == "recalled"]
    assert all(record.verdict == "block" and record.stage == "handoff" for record in fallen)
    assert {record.reasons[0].code for record in fallen} == {"CONSENT_WITHDRAWN"}
    assert [topic for topic, _ in desk.out].count("recalls") == 2
    assert {record.act.item for record in fallen if record.act}.isdisjoint(dids(desk))


def test_a_batch_of_facts_that_nobody_can_read_then_no_piece_is_handed_or_recalled(desk: Desk) -> None:
    assert desk.store.apply(fact("consents", 1, 7, None, None, Refusal("batch_corrupt", "00", what="batch", base=7)))
    assert desk.weigh() == []
    assert desk.campaign("handoff", act_id="early") == [("done", "")]
    desk.resolve(7)
    assert desk.campaign("handoff", act_id="by-one") == [("done", "")]
    desk.resolve(7, by="taro")
    assert Counter(outcome for outcome, _ in desk.campaign("handoff", act_id="later")) == {"handed": 7, "done": 1}


@pytest.mark.parametrize("steps", [0, 1, 4, 7, 8])
def test_worker_gone_after_any_step_then_it_goes_on_and_each_has_one_outcome(desk: Desk, steps: int) -> None:
    desk.learn(withdrawn("P-2"), withdrawn("P-6"))
    begun = desk.campaign("handoff", most=1, steps=steps)
    rest = desk.campaign("handoff", most=2)
    outcomes = Counter(outcome for outcome, _ in (*begun, *rest) if outcome not in ("done", "refused"))
    assert outcomes == {"handed": 5, "recalled": 2}
    assert rest[-1][0] == ("refused" if ("done", "") in begun else "done"), "a copy of the whole act does nothing"
    assert len({record.did for record in desk.records if record.stage == "handoff"}) == 7


def test_cancelled_then_all_is_called_back_once_and_a_later_send_is_judged_as_usual(desk: Desk) -> None:
    desk.send(recipient_id="P-1", campaign_id="K-10")
    desk.campaign("handoff")
    outcomes = desk.campaign("cancel", most=2)
    assert Counter(outcome for outcome, _ in outcomes) == {"recalled": 7, "done": 1}
    assert [topic for topic, _ in desk.out].count("recalls") == 7
    assert dids(desk) == {desk.records[7].did}, "the piece of another campaign stays"
    assert desk.campaign("cancel", act_id="again") == [("done", "")]
    assert desk.send(recipient_id="P-1").verdict == "clear"


def act(**fields: Any) -> ActRecord:
    """Returns a record of `acts` about the campaign K-1."""
    said = {"v": 1, "act_id": "a-1", "at": instant(invented.T), "by": "hanako", "subject": "campaign/K-1", **fields}
    record = Record("mail.acts.v1", 3, 1, invented.T, said["subject"].encode(), orjson.dumps(said))
    return ActRecord.of(replace(record, headers=arrival_signature(record)))


def test_shadow_then_nothing_is_handed_off_or_called_back() -> None:
    desk = Desk(*consenting("P-1"), judge=Judge(load("jp-pmark"), 8, "shadow"))
    desk.send(recipient_id="P-1")
    for kind in ("handoff", "cancel"):
        assert desk.campaign(kind) == [("refused", "")]
        act = desk.records[-1].act
        assert act is not None
        assert act.code == "shadow"
    assert "recalls" not in [topic for topic, _ in desk.out]


def test_defect_of_ours_on_one_then_it_is_called_back_and_the_others_are_handed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = desk.store.view

    def broken(send, *rest, **more):  # type: ignore[no-untyped-def]
        if send.recipient_id == "P-3":
            raise RuntimeError("花子")
        return view(send, *rest, **more)

    monkeypatch.setattr(desk.store, "view", broken)
    assert Counter(outcome for outcome, _ in desk.campaign("handoff")) == {"handed": 6, "recalled": 1, "done": 1}
    (fallen,) = [record for record in desk.records if record.act and record.act.outcome == "recalled"]
    assert [reason.code for reason in fallen.reasons] == ["DECISION_FAILED"]
    assert "花子" not in str(fallen)
    assert fallen.facts is None, "they could not be looked up"
