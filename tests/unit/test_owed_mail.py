"""Mail that is owed to a person: each of its events goes out once, and each piece is recalled by itself."""

from __future__ import annotations

import orjson

from gatekeeper.ground.times import instant
from tests.support import invented
from tests.support.desk import Desk

RECALL = {"message_class": "safety_legal"}
CAME_BACK = invented.suppression(kind="undeliverable")


def test_events_handed_off_then_each_piece_is_and_each_is_recalled_by_itself() -> None:
    desk = Desk()
    first, second = (desk.send(**RECALL, event_id=event).did for event in ("E-1", "E-2"))
    assert {item for outcome, item in desk.campaign("handoff") if outcome == "handed"} == {first, second}
    desk.learn(CAME_BACK)
    desk.weigh()
    recalled = [orjson.loads(one.value or b"") for one in desk.outputs["recalls"]]
    assert [(one["event_id"], one["decision_id"]) for one in recalled] == [("E-1", first), ("E-2", second)]
    desk.check_ledger()


def test_a_reply_then_it_goes_out_after_an_erasure_and_a_later_one_needs_a_request() -> None:
    reply, request = {"message_class": "rights_reply"}, invented.event(kind="request_received", asked="erasure")
    desk = Desk(request)
    assert desk.send(**reply, event_id="E-1").verdict == "clear"
    erased = {"v": 1, "kind": "erase", "act_id": "erase-1", "at": instant(desk.at), "by": "hanako", "reason": "asked"}
    assert desk.judged({**erased, "recipient_id": "P-1"}) == ("recorded", None)
    after = Desk()
    desk.store = after.store  # what was known of the person is gone
    desk.learn(invented.suppression(kind="erasure"))
    desk.weigh()
    assert not desk.outputs.get("recalls")
    assert {outcome for outcome, _ in desk.campaign("handoff")} == {"handed", "done"}
    assert desk.send(**reply, event_id="E-2").codes == ("EVENT_INVALID",)
