"""The question to a person: its letter, its lint, its answer code, and what comes back (J.8.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.answers import Questions, Unanswerable
from gatekeeper.confirmation.notice import Question, last_day, letter
from gatekeeper.deciding.case import Case
from gatekeeper.policy.packs import load
from schemas.events import Ask, Consent, PersonEvent, Send
from tests.support import invented

CODE = codes.new(b"\x01\x23\x45\x67\x89\xab\xcd")


def question(*, items: Any = invented.NOTICE_ITEMS, template: Any = None, **fields: Any) -> Question:
    """Returns the question about one source; `fields` are the source's, `method` among them."""
    fields = {"method": "indirect.purchased_list", "batch_id": "B-SAKURA", "acquired_at": "2025-03-10", **fields}
    store = invented.store(
        invented.source(**fields),
        reference=(
            *invented.REFERENCE,
            invented.controller(name="みどり小売株式会社", notice_items=items),
            invented.template(**{"notice_id": "OK", **(template or {})}),
            invented.batch(id="BARE"),
        ),
    )
    send = Send.model_validate_json(json.dumps(invented.send()))
    facts = invented.view(store, send)
    packs = load("jp-pmark")
    case = Case.of(send=send, facts=facts, reference=store.reference, policy=packs.at(invented.T), at=invented.T * 1000)
    asking = store.reference.templates["T-1"]
    return Question(case, facts.sources[0], asking, CODE, last_day(case))


def test_facts_complete_then_the_letter_holds_every_item_and_the_route() -> None:
    found = letter(question())
    assert found.missing == ()
    bought = "さくら名簿センター株式会社から購入した名簿「通販購入者名簿」（2025年3月に取得）"
    for words in ("みどり小売株式会社", bought, "同封のはがき", codes.shown(CODE), "2026年12月24日", "郵送"):
        assert words in found.text
    assert "{" not in found.text


@pytest.mark.parametrize(
    ("item", "without"),
    [
        ("b", {"manager": "　個人情報保護管理者。"}),
        ("c", {"purposes": {"mkt.dm.food": "食品のご案内"}}),
        ("reply", {"reply": {"email": "https://midori.example/answer"}}),
    ],
)
def test_item_without_fact_then_the_lint_names_it(item: str, without: dict[str, Any]) -> None:
    items = {name: value for name, value in {**invented.NOTICE_ITEMS, **without}.items() if value is not None}
    assert letter(question(items=items)).missing == (item,)


@pytest.mark.parametrize(
    "fields",
    [{"batch_id": "BARE"}, {"method": "indirect.joint_use", "collected_by": "C9"}, {"method": "unknown.legacy"}],
)
def test_source_whose_route_cannot_be_named_then_nothing_is_guessed(fields: dict[str, Any]) -> None:
    assert letter(question(**fields)).missing == ("route",)


@pytest.mark.parametrize("notice", [None, "NOBODY-REGISTERED", "PRETICKED", "C2-CARD"])
def test_yes_would_stand_on_no_sound_notice_then_the_form_is_missing(notice: str | None) -> None:
    assert letter(question(template={"notice_id": notice})).missing == ("form",)


NOW = "2026-12-01T10:00:00.000Z"
ASKED = {"controller_id": "C1", "purpose": "mkt.dm.own", "notice_id": "OK", "answer_by": "2026-12-14"}


def asked(**fields: Any) -> Ask:
    _, value = invented.ask(**{**ASKED, "answer_code": CODE, **fields})
    return Ask.model_validate_json(json.dumps(value))


def row(**fields: str) -> dict[str, str]:
    return {"code": codes.shown(CODE), "answer": "yes", "date": "2026-11-20", "evidence_ref": "scan-7", **fields}


def answer(questions: Questions, **fields: str) -> Consent:
    return questions.answer(row(**fields), now=NOW, zone="Asia/Tokyo")


def fault(questions: Questions, **fields: str) -> str:
    with pytest.raises(Unanswerable) as caught:
        answer(questions, **fields)
    return caught.value.fault


def test_yes_then_a_consent_to_exactly_what_was_asked() -> None:
    found = answer(Questions([asked()], []))
    assert found.model_dump(exclude_none=True) == {
        "v": 1, "kind": "consent", "record_id": "answer-Q-1-yes", "recipient_id": "P-1", "controller_id": "C1",
        "state": "Given", "event_type": "explicit", "event_time": "2026-11-20", "recorded_at": NOW,
        "expressed_by": "subject", "method": "postcard", "purpose": "mkt.dm.own", "channels": ("postal",),
        "contact_point_id": "cp-1", "notice_id": "OK", "evidence_ref": "scan-7", "answers": "Q-1",
    }  # fmt: skip


def test_no_without_date_and_evidence_then_a_refusal_of_every_address() -> None:
    found = answer(Questions([asked()], []), answer="いいえ", date="", evidence_ref="")
    assert (found.state, found.contact_point_id, found.event_time) == ("Refused", None, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"code": codes.shown(CODE)[:-1] + "0"}, "answer_code_wrong"),
        ({"code": codes.new(bytes(7))}, "answer_code_unknown"),
        ({"recipient_id": "P-2"}, "answer_code_of_another"),
        ({"date": "20.11.2026"}, "answer_date_unclear"),
        ({"date": "2026-11-13"}, "answer_before_question"),
        ({"date": "2026-12-02"}, "answer_ahead"),
        ({"evidence_ref": ""}, "answer_without_evidence"),
    ],
)
def test_bad_answer_then_refused_with_its_cause(fields: dict[str, str], expected: str) -> None:
    assert fault(Questions([asked()], []), **fields) == expected


def test_code_that_two_questions_share_then_neither_is_answered() -> None:
    assert fault(Questions([asked(), asked(request_id="Q-2", recipient_id="P-2")], [])) == "answer_code_shared"


def test_yes_then_no_then_the_no_is_heard_and_ends_the_code() -> None:
    questions = Questions([asked()], [])
    answer(questions)
    assert answer(questions, answer="no").state == "Refused"
    assert fault(questions) == fault(questions, answer="no") == "answer_code_spent"


def test_yes_to_a_letter_that_came_back_then_refused_but_a_no_is_heard() -> None:
    _, value = invented.event(kind="ask_undelivered", request_id="Q-1")
    questions = Questions([asked()], [PersonEvent.model_validate_json(json.dumps(value))])
    assert fault(questions) == "answer_to_returned"
    assert answer(questions, answer="no").state == "Refused"
