"""The letter that answers "why did I get this?": it has the sender's own words, and no id, hash or internal duty."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.letters import answer as answers
from gatekeeper.letters.answer import Answer, answer
from gatekeeper.letters.paper import written
from gatekeeper.texts import Language, catalogue
from tests.support import invented
from tests.support.records import Recorded

SENDER = {
    "name": "みどり小売株式会社",
    "notice_items": {
        "manager": "見本 花子",
        "department": "お客様情報管理室",
        "contact": "電話 0120-000-000",
        "window": "お客様相談室 privacy@midori.example",
    },
}
NAMES = {
    "notice/N1": "ポイントカード申込書 2024",
    "controller/C1": "みどり小売株式会社",
    "purpose/mkt.dm.own": "当社の商品のご案内",
}
CODE = "ABCDE-FGHIJ-2"


def record_of(*facts: invented.Event, **send: Any) -> dict[str, Any]:
    """The audit record of one send to a person with these facts."""
    desk = Recorded(*facts)
    desk.send(**send)
    found: dict[str, Any] = orjson.loads(desk.values[-1])
    return found


def letter(record: dict[str, Any], lang: Language = "ja", *, sender: dict[str, Any] | None = None) -> Answer:
    cleared = record["verdict"] == "clear"
    today = date(2026, 11, 28)
    return answer(
        record,
        CODE,
        SENDER if sender is None else sender,
        NAMES,
        cleared=cleared,
        lang=lang,
        zone="Asia/Tokyo",
        today=today,
    )


def test_a_cleared_piece_then_the_letter_says_source_consent_and_how_to_stop_in_the_senders_words() -> None:
    record = record_of(invented.source(notice_id="N1"), invented.consent())
    assert record["verdict"] == "clear"
    html = written(letter(record), whole=True)
    for said in (
        "2026年11月28日",
        "　　様",
        "みどり小売株式会社",
        "個人情報保護管理者　見本 花子",
        "お客様情報管理室",
        "拝啓",
        "「当社の商品のご案内」のため",
        "ポイントカード申込書により取得いたしました",
        "お客様ご本人から",
        "privacy@midori.example",
        CODE,
        "敬具",
    ):
        assert said in html, said
    english = written(letter(record, "en"), whole=True)
    for said in ("Dear customer", "You agreed on", "point card form", "Yours sincerely"):
        assert said in english, said
    assert ">-<" not in english


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_any_letter_then_it_holds_no_id_hash_code_of_a_reason_or_internal_duty(lang: Language) -> None:
    for facts in ((invented.source(notice_id="N1"), invented.consent()), (invented.source(),), ()):
        record = record_of(*facts)
        html = re.sub(r"<style>.*?</style>", "", written(letter(record, lang), whole=True), flags=re.DOTALL)
        ids = [one["source_id"] for one in record["facts"]["sources"]]
        ids += [one["record_id"] for one in record["facts"]["consents"]]
        codes = [one["code"] for one in record["reasons"]] + record["obligations"]
        hidden = (record["did"], record["policy"]["sha256"], record["policy"]["id"], str(record["subj"]), *ids, *codes)
        assert [one for one in hidden if one in html] == []


def test_a_withheld_piece_then_the_letter_says_that_it_was_not_sent_and_names_no_consent() -> None:
    record = record_of(invented.source(), invented.consent(), invented.suppression())
    found = letter(record)
    assert record["verdict"] == "block"
    assert "お送りしないことといたしました" in found.paragraph
    assert found.consents == ()


def test_a_recall_of_goods_then_the_letter_does_not_speak_of_consent_as_its_ground() -> None:
    record = record_of(invented.source(), message_class="safety_legal")
    found = letter(record)
    assert record["verdict"] == "clear"
    assert "広告ではなく" in found.paragraph
    assert "同意" not in found.paragraph


def test_a_piece_that_needed_no_consent_then_the_letter_claims_none() -> None:
    record = record_of(invented.source(), invented.consent())
    assert "ご同意に基づいて" in letter(record).paragraph
    record["facts"]["consents"] = []
    assert "同意" not in letter(record).paragraph


def test_a_sender_without_words_then_the_colleague_reads_what_to_register() -> None:
    found = letter(record_of(invented.source(), invented.consent()), sender={})
    assert found.lacking == ("name", *answers.ITEMS)
    html = written(found, whole=False)
    assert "事業者の名称、" in html
    assert 'href="/letter.css"' in html
    assert "<style" not in html


@pytest.mark.parametrize(
    ("acquired", "said"),
    [
        ("2024-05-01", "2024年5月1日に、"),
        ("2024-05", "2024年5月に、"),
        ("2024-05-01T16:00:00Z", "2024年5月2日に、"),
        (None, "ポイント"),
    ],
)
def test_a_source_of_any_date_then_the_letter_writes_it_as_people_do(acquired: str | None, said: str) -> None:
    record = record_of(invented.source(), invented.consent())
    for one in record["facts"]["sources"]:
        one["acquired_at"] = acquired
    assert letter(record).sources[0].startswith(said)


def test_every_sentence_of_the_letter_then_it_is_used() -> None:
    room = Path(answers.__file__).parent
    source = "".join(file.read_text("utf-8") for file in (*room.glob("*.py"), *room.glob("templates/*.html")))
    built = re.compile(r"letter\.(item|date|by|from|source|channel|class|method)(_|$)")
    keys = [key for key in catalogue() if key.startswith("letter.") and not built.match(key)]
    assert [key for key in keys if not re.search(rf"\b{key.partition('.')[2]}\b", source)] == []
