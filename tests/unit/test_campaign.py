"""The counts of a campaign, from the records that a desk leaves."""

from __future__ import annotations

import orjson

from gatekeeper.management.campaign import Campaign
from tests.support.desk import YOUNG, Desk
from tests.support.invented import consenting, withdrawn


def told(desk: Desk, expected: int | None = None) -> dict[str, object]:
    found = Campaign("K-1")
    for record in desk.records:
        found.audit(orjson.dumps(record.model_dump(mode="json", by_alias=True)))
    for output in desk.outputs.get("recalls", ()):
        found.recall(output.value)
    for output in desk.outputs.get("results", ()):
        found.result(output.value)
    return found.counts().told(expected)


def test_pieces_in_every_state_then_each_is_counted_once() -> None:
    desk = Desk(*consenting("P-2"), *consenting("P-3"), *YOUNG)
    for number in range(1, 5):
        desk.send(recipient_id=f"P-{number}")
    desk.send(recipient_id="P-2", campaign_id="K-2")
    assert told(desk) == {
        "campaign": "K-1", "expected": 4, "decided": 4, "cleared": 2, "withheld": 2,
        "refused": 0, "faults": {}, "refused_of_no_campaign": 0,
        "reasons": {"AGE_UNCERTAIN": 1, "SOURCE_UNKNOWN": 1}, "recalled": 0, "handed_off": 0,
        "recalled_after_hand_off": 0, "waiting_for_hand_off": 2, "done": False,
    }  # fmt: skip
    assert desk.act("release", item=0) == ("cleared", None)
    desk.learn(withdrawn("P-3"))
    desk.campaign("handoff")
    after = told(desk, 4)
    assert (after["cleared"], after["withheld"], after["reasons"]) == (3, 1, {"SOURCE_UNKNOWN": 1})
    assert (after["recalled"], after["handed_off"], after["done"]) == (1, 2, True)
    desk.campaign("cancel")
    assert told(desk)["recalled_after_hand_off"] == 2
    assert told(desk, 5)["done"] is False
