"""A person asked, from the act to the answer: one request, one wait, at most one send that goes out (J.8.7)."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.deciding.answer import rendered
from gatekeeper.engine.reconsideration import NOTHING, reconsider
from gatekeeper.ledger import entries
from schemas.events import Send
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


def test_ask_then_one_request_with_the_letter_and_all_that_the_print_house_needs(desk: Desk) -> None:
    asked(desk)
    (ask,) = desk.asks()
    assert ask.request_id == desk.records[-1].did
    assert (ask.recipient_id, ask.purpose, ask.notice_id, ask.answer_by) == ("P-1", "mkt.dm.own", "OK", "2026-12-24")
    assert ask.delivery
    assert ask.delivery.name == DELIVERY["name"]
    assert codes.read(ask.answer_code or "") == ask.answer_code
    assert ask.text
    assert codes.shown(ask.answer_code or "") in ask.text
    assert "さくら名簿センター株式会社から購入した名簿「通販購入者名簿」" in ask.text


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


def test_second_send_of_the_person_asked_then_it_waits_for_the_same_answer(desk: Desk) -> None:
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    assert desk.act("ask", act_id="ask-2") == ("asked", "waits_along")
    assert len(desk.asks()) == 1
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear", "clear"]
    assert len(desk.outputs["cleared"]) == 2


def test_sends_that_nobody_asked_about_then_a_yes_clears_those_before_and_after_it(
    desk: Desk,
) -> None:
    desk.send(campaign_id="K-0", delivery=DELIVERY)
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    assert [item["had"][0] for item in map(desk.told, (0, 2))] == [
        "THIRD_PARTY_UNCONFIRMED",
        "CONFIRMATION_PENDING",
    ]
    assert desk.reconsider() == [None], "without an answer only what was asked about"
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear"] * 3
    assert desk.reconsider() == []
    assert [act.by for record in desk.records[-3:] if (act := record.act)] == ["gatekeeper"] * 3
    assert desk.act("redecide", item=0) == ("refused", "closed")
    desk.check_ledger()


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


def test_a_piece_sent_twice_then_a_yes_clears_it_once_even_if_it_is_called_back(
    desk: Desk,
) -> None:
    asked(desk)
    desk.send(delivery=DELIVERY)
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear", "withheld"]
    desk.campaign("cancel")
    assert desk.reconsider() == [None]
    assert [topic for topic, _ in desk.out].count("cleared") == 1


def test_colleague_s_act_of_any_id_then_no_two_records_have_one_id(desk: Desk) -> None:
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    desk.learn(answered(desk))
    view = desk.store.view
    desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    desk.reconsider()
    desk.store.view = view  # type: ignore[method-assign]
    desk.act("ask", item=1, act_id="held")
    desk.at += 2 * DAY
    desk.reconsider()
    assert len({record.did for record in desk.records}) == len(desk.records)


def test_a_no_then_what_nobody_asked_about_stays_withheld(desk: Desk) -> None:
    desk.send(campaign_id="K-0", delivery=DELIVERY)
    asked(desk)
    desk.learn(answered(desk, answer="no"))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["withheld"], "the other is not even looked at"
    assert "cleared" not in desk.outputs


def test_person_who_may_not_be_asked_then_refused(desk: Desk) -> None:
    desk.send(delivery=DELIVERY)
    desk.learn(invented.suppression())
    assert desk.act("ask") == ("refused", "not_confirmable")
    assert desk.asks() == []


def test_no_template_that_may_ask_then_asking_is_refused_until_one_is_registered(desk: Desk) -> None:
    desk.learn(*(invented.template(id=id_, ask_complete=False) for id_ in ("T-1", "T-FACE")))
    sent = desk.send(delivery=DELIVERY)
    (*_, reason) = rendered(dict(desk.review[-1].headers)["gate-decision"]).reasons
    assert (sent.verdict, reason.code) == ("confirm", "ASK_TEMPLATE_MISSING")
    assert "gatekeeper import reference" in reason.ja
    assert "gatekeeper import reference" in reason.en
    assert desk.act("ask") == ("refused", "template_missing")
    assert desk.asks() == []
    desk.learn(invented.template(notice_id="OK"))
    assert desk.act("ask", act_id="ask-2") == ("asked", None)


def test_yes_of_today_then_it_waits_until_the_day_is_over(desk: Desk) -> None:
    asked(desk)
    desk.learn(answered(desk, date="2026-11-24"))
    assert desk.reconsider() == ["withheld"]
    desk.at += DAY
    assert desk.reconsider() == ["clear"]


def test_late_yes_then_cleared_from_then_on_if_the_send_is_still_wanted(desk: Desk) -> None:
    asked(desk)
    desk.at = invented.T + 31 * DAY
    assert desk.reconsider() == ["withheld"]
    _, consent = answered(desk)
    desk.learn(("consents", {**consent, "event_time": "2026-12-26"}))
    desk.at = invented.T + 34 * DAY
    assert desk.reconsider() == ["clear"]


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
        "redecide",
        "gatekeeper",
        "failed",
        desk.told(0)["decision_id"],
    )
    assert (act.code or "").startswith("ZeroDivisionError-")
    assert desk.reconsider() == [], "or it would fail at every touch"
    desk.store.view = view  # type: ignore[method-assign]
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == []
    assert desk.act("redecide") == ("cleared", None)


def released(desk: Desk) -> None:
    """Lets a release of another item of the same key be alive."""
    said = invented.act(decision_id="A" * 26, reasons=["AGE_UNCERTAIN"], had=["AGE_UNCERTAIN"])[1]
    desk.state.put(entries.release(SEND, "A" * 26, said, until=desk.at + 60 * DAY))


SEND = Send.model_validate_json(json.dumps(invented.send()))


def test_hard_fact_met_by_the_gate_then_a_record_ends_the_release_and_the_item_waits(desk: Desk) -> None:
    asked(desk)
    released(desk)
    desk.reconsider()
    assert desk.state.releases(SEND) == ()
    record = desk.records[-1]
    assert "RELEASE_SUPERSEDED" in [reason.code for reason in record.reasons]
    assert record.act
    assert (record.act.by, record.act.outcome, record.act.code) == ("gatekeeper", "refused", "awaits_answer")
    desk.reconsider()
    assert desk.records[-1] == record, "what changes nothing is not recorded"
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear"]
    assert len({one.did for one in desk.records}) == len(desk.records)
