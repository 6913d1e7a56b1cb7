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
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.questions import QuestionIndex
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


TWIN = {**BROKER, "recipient_id": "P-2", "source_id": "S-2"}
"""The same broker's data of the same person under another id."""


@pytest.fixture
def of_two_ids(desk: Desk) -> Desk:
    """Returns a desk at which a person was asked as P-1, and a piece to P-2 waits, too."""
    desk.learn(invented.source(**TWIN))
    desk.send(recipient_id="P-2", delivery=DELIVERY)
    desk.send(delivery=DELIVERY)
    assert desk.act("ask") == ("asked", None)
    desk.at += DAY
    return desk


def question(desk: Desk, **fields: Any) -> tuple[str, ...]:
    """Returns the codes of a question that a platform sends by itself."""
    more = {"message_class": "confirmation", "source_id": "S-2", "request_id": "Q-9", "campaign_id": "K-9"}
    return desk.send(**{"recipient_id": "P-2", "delivery": DELIVERY, **more, **fields}).codes


def test_asked_under_one_id_then_no_other_id_of_that_address_is_asked(of_two_ids: Desk) -> None:
    desk = of_two_ids
    assert desk.act("ask", item=0) == ("refused", "not_confirmable")
    told = desk.records[-1]
    assert told.reasons[0].code == "CONFIRMATION_CAP_REACHED"
    assert told.reasons[0].says["case"] == "elsewhere"
    assert question(desk) == ("CONFIRMATION_CAP_REACHED",)
    request = desk.asks()[0].request_id
    assert not any(request.encode() in judged.audit for judged in desk.all[-2:]), "the one id shows no ask of the other"
    (entry,) = [Entry(*each) for each in desk.ledger.items() if each[0].startswith(b"asked/")]
    for words in (b"P-1", b"S-", "見本".encode()):
        assert words not in (entry.value or b"")
    assert len(desk.asks()) == 1
    desk.check_ledger()


def test_an_advertisement_then_questions_under_other_ids_say_nothing_of_it(of_two_ids: Desk) -> None:
    of_two_ids.questions = None
    sent = of_two_ids.send(recipient_id="P-2", delivery=DELIVERY, campaign_id="K-2")
    assert (sent.verdict, sent.codes) == ("confirm", ("THIRD_PARTY_UNCONFIRMED", "CONSENT_MISSING"))
    assert b'"asked"' not in sent.audit


def test_a_question_of_another_company_address_or_channel_then_it_bars_nothing(of_two_ids: Desk) -> None:
    elsewhere = {**DELIVERY, "lines": ["緑山県若葉市青葉町9-9-9"]}
    assert "CONFIRMATION_CAP_REACHED" not in question(of_two_ids, delivery=elsewhere)
    assert "CONFIRMATION_CAP_REACHED" not in question(of_two_ids, controller_id="C2")


def test_questions_that_cannot_be_read_then_nobody_is_asked_and_the_gate_asks_again(of_two_ids: Desk) -> None:
    desk = of_two_ids
    desk.questions = None
    assert desk.act("ask", item=0) == ("refused", "not_confirmable")
    assert question(desk)[0] == "FACTS_UNAVAILABLE"
    assert desk.records[-1].facts
    assert desk.records[-1].facts.unreadable == ("unread/asked",)
    assert "FACTS_UNAVAILABLE" not in question(desk, channel="email", delivery=None), "no such question has a token"


def test_a_cleared_question_then_later_ones_and_unread_ones_call_nothing_back(desk: Desk) -> None:
    desk.learn(invented.source(**TWIN))
    assert question(desk) == ()
    (said,) = [value for key, value in desk.ledger.items() if key.startswith(b"asked/")]
    desk.state.questions.put(Entry(b"asked/P-9/Q-1", said))
    desk.questions = None
    assert desk.campaign("handoff", subject="campaign/K-9")[0][0] == "handed"


def test_the_person_who_was_asked_then_the_question_counts_once(of_two_ids: Desk) -> None:
    assert question(of_two_ids, recipient_id="P-1", source_id="S-1") == ("CONFIRMATION_CAP_REACHED",)
    facts = of_two_ids.records[-1].facts
    assert facts
    assert (len(facts.asks), facts.asked) == (1, ())


def test_a_question_that_outlived_its_transaction_then_it_bars_not_itself(desk: Desk) -> None:
    """A backup may hold it without the rest of its transaction, and the act is then judged again."""
    asked(desk)
    entry = next(Entry(*each) for each in desk.ledger.items() if each[0].startswith(b"asked/"))
    again = Desk(invented.source(**BROKER))
    assert again.questions is not None
    again.questions.put(entry)
    asked(again)
    assert again.asks()[0].request_id == desk.asks()[0].request_id


def test_a_platform_asked_then_that_counts_under_each_other_id_and_not_for_its_own(desk: Desk) -> None:
    desk.learn(invented.source(**TWIN))
    assert question(desk) == ()
    desk.send(delivery=DELIVERY)
    assert desk.act("ask") == ("refused", "not_confirmable")
    assert desk.records[-1].reasons[0].code == "CONFIRMATION_CAP_REACHED"
    assert question(desk, campaign_id="K-8", request_id="Q-8") == ()
    desk.check_ledger()


def test_a_question_recalled_before_it_was_handed_over_then_nobody_was_asked(desk: Desk) -> None:
    desk.learn(invented.source(**TWIN))
    assert question(desk) == ()
    desk.learn(invented.suppression(recipient_id="P-2"))
    assert len(desk.weigh()) == 1
    assert not any(value for key, value in desk.ledger.items() if key.startswith(b"asked/"))
    desk.check_ledger()


def test_many_questions_of_another_company_then_ours_still_count(of_two_ids: Desk) -> None:
    desk = of_two_ids
    (mine,) = [each for each in desk.ledger.items() if each[0].startswith(b"asked/")]
    theirs = (mine[1] or b"").replace(b'"C1"', b'"C2"')
    for number in range(200):
        assert desk.questions is not None
        assert desk.questions.put(Entry(b"asked/P-9/Q-%d" % number, theirs))
    assert question(desk) == ("CONFIRMATION_CAP_REACHED",)
    facts = desk.records[-1].facts
    assert facts
    assert len(facts.asked) == 1


def test_a_question_then_its_entry_is_small(of_two_ids: Desk) -> None:
    (entry,) = [value for key, value in of_two_ids.ledger.items() if key.startswith(b"asked/")]
    assert len(entry) < 400


GOOD = {"v": 1, "until": None, "at": "2026-11-24T10:00:00Z", "controller_id": "C1", "tokens": ["t1_" + "A" * 43]}
"""The value of an entry."""


@pytest.mark.parametrize(
    "bad",
    [
        {"v": 2},
        {"v": True},
        {"until": 7},
        {"at": 7},
        {"at": "2026-02-30T10:00:00Z"},
        {"controller_id": ""},
        {"controller_id": None},
        {"tokens": "t1_" + "A" * 43},
        {"tokens": [7]},
        {"tokens": ["t1_A"]},
        {"more": 1},
    ],
)
def test_an_entry_of_another_form_then_it_counts_for_nobody(bad: dict[str, Any]) -> None:
    questions, key = QuestionIndex(), b"asked/P-1/Q-1"
    assert questions.put(Entry(key, orjson.dumps(GOOD)))
    assert len(questions.naming(GOOD["tokens"], "C1", "P-2")) == 1
    assert not questions.put(Entry(key, orjson.dumps({**GOOD, **bad})))
    assert not questions.naming(GOOD["tokens"], "C1", "P-2"), "the one that it replaces is gone"


@pytest.mark.parametrize(
    "key", [b"", b"asked", b"asked/", b"asked/P-1", b"asked/P-1/", b"asked/P-1/Q/Q", b"asked/\xff/Q"]
)
def test_an_entry_under_another_key_then_it_counts_for_nobody_and_none_is_deleted(key: bytes) -> None:
    questions = QuestionIndex()
    assert questions.put(Entry(b"asked/P-1/Q-1", orjson.dumps(GOOD)))
    for value in (orjson.dumps(GOOD), None, b"", b"[]", b"\xff"):
        assert not questions.put(Entry(key, value))
    assert len(questions.naming(GOOD["tokens"], "C1", "P-2")) == 1


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


def test_asked_then_the_next_send_waits_and_in_the_end_lapses_by_time_alone(desk: Desk) -> None:
    asked(desk)
    desk.at += DAY
    assert desk.send(campaign_id="K-2", delivery=DELIVERY).codes == ("CONFIRMATION_PENDING",)
    desk.at += 30 * DAY
    assert desk.send(campaign_id="K-3", delivery=DELIVERY).codes == ("CONFIRMATION_LAPSED",)


def test_asked_twice_then_one_request(desk: Desk) -> None:
    asked(desk)
    assert desk.act("ask", act_id="ask-2") == ("refused", "closed")
    assert len(desk.asks()) == 1


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


def test_lapsed_before_the_late_yes_then_it_is_cleared_as_well(desk: Desk) -> None:
    asked(desk)
    desk.at = invented.T + 31 * DAY
    assert desk.send(campaign_id="K-2", delivery=DELIVERY).codes == ("CONFIRMATION_LAPSED",)
    _, consent = answered(desk)
    desk.learn(("consents", {**consent, "event_time": "2026-12-26"}))
    desk.at = invented.T + 34 * DAY
    assert desk.reconsider() == ["clear", "clear"]


def test_sent_or_decided_anew_between_a_yes_and_its_force_then_it_goes_out_as_well(
    desk: Desk,
) -> None:
    asked(desk)
    desk.learn(answered(desk, date="2026-11-24"))
    assert "CONSENT_NOT_YET_VALID" in desk.send(campaign_id="K-2", delivery=DELIVERY).codes
    assert desk.act("redecide", item=0) == ("withheld", None)
    desk.at += DAY
    assert desk.reconsider() == ["clear", "clear"]
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


def test_agreed_elsewhere_after_the_question_then_all_that_waits_is_cleared(desk: Desk) -> None:
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    mine = {"id": "cp-1", "written": DELIVERY}
    desk.learn(invented.source(source_id="S-9", contact_points=[mine]), invented.consent(event_time="2026-11-24"))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear", "clear"]


def test_a_no_then_what_nobody_asked_about_stays_withheld(desk: Desk) -> None:
    desk.send(campaign_id="K-0", delivery=DELIVERY)
    asked(desk)
    desk.learn(answered(desk, answer="no"))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["withheld"], "the other is not even looked at"
    assert "cleared" not in desk.outputs


def test_closed_by_a_colleague_then_a_yes_opens_nothing_and_reopened_it_waits_again(desk: Desk) -> None:
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    assert desk.act("uphold") == ("upheld", None)
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear"]
    assert desk.act("undo", act_id="undo-1") == ("reopened", None)
    assert desk.reconsider() == ["clear"]
    desk.check_ledger()


def test_what_no_yes_can_help_or_a_shadow_withholds_then_nothing_is_kept_of_it(desk: Desk) -> None:
    desk.learn(invented.suppression())
    desk.send(delivery=DELIVERY)
    asking = Desk(invented.source(**BROKER))
    asking.state.review = None
    asking.send(delivery=DELIVERY)
    assert [key for one in (desk, asking) for key in one.ledger if key.startswith(b"act/")] == []


def test_kept_until_the_mail_date_is_over(desk: Desk) -> None:
    desk.send(delivery=DELIVERY, mail_date="2026-11-26")
    (until,) = (json.loads(value)["until"] for key, value in desk.ledger.items() if key.startswith(b"act/"))
    assert until == invented.T - invented.T % DAY + 3 * DAY - 9 * 3_600_000, "the midnight after it, in Japan"


def test_items_that_wait_then_they_are_counted_until_they_end(desk: Desk) -> None:
    asked(desk)
    desk.send(campaign_id="K-2", delivery=DELIVERY)
    desk.act("ask", act_id="ask-2")
    again = desk.read_back()
    assert desk.state.asked == again.asked == 2
    assert desk.act("uphold", item=0) == ("upheld", None)
    assert desk.state.asked == 1
    desk.at += 100 * DAY
    for entry in desk.state.expiry.due(desk.at, 100):
        desk.state.put(entry)
    assert desk.state.asked == 0


def test_colleague_redecides_while_the_answer_is_awaited_then_refused(desk: Desk) -> None:
    asked(desk)
    assert desk.act("redecide") == ("refused", "awaits_answer")
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear"]


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


def test_facts_that_do_not_fill_the_letter_then_refused_with_the_items() -> None:
    wrong = {**invented.NOTICE_ITEMS, "window": "未定"}
    desk = Desk(
        invented.controller(notice_items=wrong),
        invented.source(**{**BROKER, "batch_id": None, "check": invented.CHECK}),
    )
    desk.send(delivery=DELIVERY)
    assert desk.act("ask") == ("refused", "notice_lacks.f.route")
    assert desk.asks() == []


def test_yes_then_the_send_that_waited_is_cleared_once_by_the_gate_itself(desk: Desk) -> None:
    asked(desk)
    assert desk.reconsider() == [None]
    desk.learn(answered(desk))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["clear"]
    assert desk.reconsider() == []
    (cleared,) = desk.outputs["cleared"]
    assert b"MUST_STATE_SOURCE" in dict(cleared.headers)["gate-obligations"]
    record = desk.records[-1]
    assert record.act
    assert (record.act.kind, record.act.by, record.act.outcome) == ("redecide", "gatekeeper", "cleared")


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


def test_no_then_blocked_for_good(desk: Desk) -> None:
    asked(desk)
    desk.learn(answered(desk, answer="no"))
    desk.at += 2 * DAY
    assert desk.reconsider() == ["withheld"]
    assert desk.send(campaign_id="K-2", delivery=DELIVERY).codes == ("CONSENT_REFUSED",)


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


def test_defect_before_the_item_can_be_read_then_it_is_told_as_well(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(desk)
    monkeypatch.setattr("gatekeeper.engine.item.item", lambda *_: 1 // 0)
    desk.reconsider()
    act = desk.records[-1].act
    assert act
    assert (act.kind, act.outcome, act.item) == (None, "failed", desk.told(0)["decision_id"])
    assert desk.reconsider() == []


def test_asked_anew_after_a_defect_then_another_defect_has_an_id_of_its_own(desk: Desk) -> None:
    asked(desk)
    view = desk.store.view
    for number in range(2):
        desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
        desk.reconsider()
        desk.store.view = view  # type: ignore[method-assign]
        desk.act("uphold", act_id=f"uphold-{number}")
        desk.act("undo", act_id=f"undo-{number}")
        assert desk.act("ask", act_id=f"ask-again-{number}") == ("asked", "waits_along")
    outcomes = [record.act.outcome for record in desk.records if record.act]
    assert outcomes.count("failed") == 2
    assert len({record.did for record in desk.records}) == len(desk.records)


def released(desk: Desk) -> None:
    """Lets a release of another item of the same key be alive."""
    said = invented.act(decision_id="A" * 26, reasons=["AGE_UNCERTAIN"], had=["AGE_UNCERTAIN"])[1]
    desk.state.put(entries.release(SEND, "A" * 26, said, until=desk.at + 60 * DAY))


SEND = Send.model_validate_json(json.dumps(invented.send()))
NO = invented.consent(
    record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None, event_time="2026-11-24"
)


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


@pytest.mark.parametrize(("kind", "code"), [("redecide", "awaits_answer"), ("ask", "not_confirmable")])
def test_hard_fact_met_by_an_act_that_is_refused_then_the_release_ends(desk: Desk, kind: str, code: str) -> None:
    if kind == "redecide":
        asked(desk)
    else:
        desk.send(delivery=DELIVERY)
        desk.learn(NO)
    released(desk)
    assert desk.act(kind) == ("refused", code)
    assert "RELEASE_SUPERSEDED" in [reason.code for reason in desk.records[-1].reasons]
    assert desk.state.releases(SEND) == ()
