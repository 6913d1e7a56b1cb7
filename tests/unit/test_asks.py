"""A person asked, from the act to the answer: one request, one wait, at most one send that goes out (J.8.7)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.engine.reconsideration import NOTHING, reconsider
from tests.support import invented
from tests.support.desk import BROKER, DELIVERY, Desk, answered

DAY = 86_400_000


@pytest.fixture
def desk() -> Desk:
    return Desk(invented.source(**BROKER))


def asked(desk: Desk, **fields: Any) -> None:
    """Sends one piece and asks about it."""
    desk.send(delivery=DELIVERY, **fields)
    assert desk.act("ask") == ("asked", None)
    assert desk.act("redecide") == ("refused", "awaits_answer")


def test_ask_then_no_name_address_or_letter_is_on_ledger_or_audit_nor_code_on_audit(desk: Desk) -> None:
    asked(desk)
    (ask,) = desk.asks()
    kept = b"\n".join(desk.ledger.values()).decode()
    told = desk.records[-1].model_dump_json()
    for words in ("見本", "若葉", "お伺い"):
        assert words not in kept
        assert words not in told
    assert ask.answer_code
    assert ask.answer_code not in told


def test_cancelled_then_a_yes_clears_of_the_campaign_only_what_is_sent_later(desk: Desk) -> None:
    desk.send(campaign_id="K-0", delivery=DELIVERY)
    asked(desk, campaign_id="K-1")
    desk.campaign("cancel")
    desk.at += 1
    desk.send(campaign_id="K-1", event_id="E-9", delivery=DELIVERY)
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear", None, "clear"]
    assert orjson.loads(desk.outputs["cleared"][-1].value or b"")["event_id"] == "E-9"
    desk.check_ledger()


def test_no_template_that_may_ask_then_asking_is_refused(desk: Desk) -> None:
    desk.learn(*(invented.template(id=id_, ask_complete=False) for id_ in ("T-1", "T-FACE")))
    desk.send(delivery=DELIVERY)
    assert (desk.act("ask"), desk.asks()) == (("refused", "template_missing"), [])


def test_yes_after_the_mail_date_then_nothing_goes_out(desk: Desk) -> None:
    asked(desk, mail_date="2026-11-26")
    desk.learn(answered(desk))
    desk.at = invented.T + 4 * DAY
    assert reconsider(desk.now, desk.review[0]) == NOTHING


def test_yes_with_a_code_of_another_then_it_moves_nobody(desk: Desk) -> None:
    asked(desk)
    _, consent = answered(desk)
    desk.learn(invented.source(**{**BROKER, "recipient_id": "P-2", "source_id": "S-2"}))
    desk.learn(("consents", {**consent, "recipient_id": "P-2"}))
    desk.at += 2 * DAY
    assert desk.reconsider() == [None]
    assert desk.send(recipient_id="P-2", delivery=DELIVERY).codes == ("THIRD_PARTY_UNCONFIRMED",)


def test_withdrawn_after_the_yes_then_it_stays_withheld(desk: Desk) -> None:
    asked(desk)
    desk.learn(answered(desk))
    desk.learn(invented.consent(record_id="R-9", state="Withdrawn", event_time="2026-11-26", purpose="*", channels="*"))
    desk.at += 3 * DAY
    assert desk.reconsider() == ["withheld"]
    assert "cleared" not in desk.outputs


def test_defect_of_ours_then_it_is_told_once_and_the_item_is_left_to_a_colleague(desk: Desk) -> None:
    asked(desk)
    view = desk.store.view
    desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    again = reconsider(desk.now, desk.review[0]).judged
    assert again
    assert again.failed, "ten of them stop the partition"
    desk.reconsider()
    act = desk.records[-1].act
    assert act
    assert (act.kind, act.by, act.outcome, act.item) == (
        "redecide", "gatekeeper", "failed", desk.told(0)["decision_id"],
    )  # fmt: skip
    assert desk.reconsider() == [], "or it would fail at every touch"
    desk.store.view = view  # type: ignore[method-assign]
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == []
    assert desk.act("redecide") == ("cleared", None)
