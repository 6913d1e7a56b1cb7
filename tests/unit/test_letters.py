"""The letter that answers "why did I get this?": it has the sender's own words, and no id, hash or internal duty."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
import segno
from click.testing import CliRunner, Result

from gatekeeper.cli.letter import command
from gatekeeper.cli.pdf import BROWSERS
from gatekeeper.confirmation import notice
from gatekeeper.confirmation.code import new
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.ground.times import instant
from gatekeeper.letters import answer as answers
from gatekeeper.letters.answer import Answer, answer
from gatekeeper.letters.asking import asking
from gatekeeper.letters.paper import answered
from schemas.events import Ask
from schemas.json_schema import examples
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import BROKER, DELIVERY, YOUNG
from tests.support.records import Named, Recorded, named

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
    "batch/B-SAKURA": "通販購入者名簿",
}
CODE = "ABCDE-FGHIJ-2"


def record_of(*facts: invented.Event, **send: Any) -> dict[str, Any]:
    """The audit record of one send to a person with these facts."""
    desk = Recorded(*facts)
    desk.send(**send)
    found: dict[str, Any] = orjson.loads(desk.values[-1])
    return found


def letter(
    record: dict[str, Any],
    lang: Language = "ja",
    *,
    sender: dict[str, Any] | None = None,
    known: Named | None = None,
    later: Sequence[dict[str, Any]] = (),
) -> Answer:
    today = date(2026, 11, 28)
    return answer(
        record,
        CODE,
        SENDER if sender is None else sender,
        NAMES,
        known or named(),
        later=later,
        lang=lang,
        zone="Asia/Tokyo",
        today=today,
    )


def test_a_cleared_piece_then_the_letter_says_source_consent_and_how_to_stop() -> None:
    record = record_of(invented.source(notice_id="N1"), invented.consent())
    assert record["verdict"] == "clear"
    html = answered(letter(record), whole=True)
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
    english = answered(letter(record, "en"), whole=True)
    for said in ("Dear customer", "You agreed on", "point card form", "Yours sincerely"):
        assert said in english, said
    assert ">-<" not in english


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_any_letter_then_it_holds_no_id_hash_code_of_a_reason_or_internal_duty(lang: Language) -> None:
    for facts in ((invented.source(notice_id="N1"), invented.consent()), (invented.source(),), ()):
        record = record_of(*facts)
        html = re.sub(r"<style>.*?</style>", "", answered(letter(record, lang), whole=True), flags=re.DOTALL)
        ids = [one["source_id"] for one in record["facts"]["sources"]]
        ids += [one["record_id"] for one in record["facts"]["consents"]]
        codes = [one["code"] for one in record["reasons"]] + record["obligations"]
        hidden = (record["did"], record["policy"]["sha256"], record["policy"]["id"], str(record["subj"]), *ids, *codes)
        assert [one for one in hidden if one in html] == []


def test_a_withheld_piece_then_the_letter_says_it_was_not_sent_and_names_no_consent() -> None:
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


def test_a_letter_that_asks_then_it_claims_no_consent_and_says_that_it_asked() -> None:
    by_email = invented.consent(event_time="2015-05-01", channels=["email"])
    asks = {"message_class": "confirmation", "source_id": "S-1", "request_id": "Q-9", "delivery": DELIVERY}
    record = record_of(invented.source(**BROKER), by_email, **asks)
    found = letter(record)
    assert record["verdict"] == "clear"
    assert "ご同意いただけるかをお伺いするため" in found.paragraph
    assert "ご同意に基づいて" not in found.paragraph
    assert found.consents == ()


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("ja", "お伺いするご連絡を、2026年11月24日に郵送で差し上げる手配をいたしました。"),
        ("en", " On 2026-11-24 we arranged to ask you by post whether you agree."),
    ],
)
def test_a_piece_whose_person_was_asked_later_then_the_letter_says_when(lang: Language, said: str) -> None:
    desk = Recorded(invented.source(**BROKER))
    desk.send(delivery=DELIVERY)
    desk.send(delivery=DELIVERY, event_id="E-2", campaign_id="K-2")
    assert desk.act("ask", 0) == ("asked", None)
    assert desk.act("ask", 1, act_id="ask-2") == ("asked", "waits_along")
    held, other, asked, along = map(orjson.loads, desk.values)
    assert letter(held, lang, later=[asked]).paragraph.endswith(said)
    assert said not in letter({**held, "verdict": "clear", "reasons": []}, lang, later=[asked]).paragraph, "it went out"
    for none in ([], [along]):
        assert said not in letter(other, lang, later=none).paragraph


@pytest.mark.parametrize(
    ("lang", "back", "kept"),
    [
        ("ja", "2026年11月25日に、お送りすることを取りやめる手配", "2026年11月25日に、お送りしないことといたしました"),
        ("en", " On 2026-11-25 we arranged to call it back.", " On 2026-11-25 we decided not to send it."),
    ],
)
def test_what_changed_since_the_decision_then_the_letter_tells_each_at_its_own_day(
    lang: Language, back: str, kept: str
) -> None:
    cleared, held = Recorded(invented.source(), invented.consent()), Recorded(*YOUNG)
    for desk in (cleared, held):
        desk.send()
        desk.at += DAY_MS
    cleared.learn(invented.withdrawn("P-1"))
    cleared.weigh()
    held.act("uphold")
    for desk, said in ((cleared, back), (held, kept)):
        first, *later = map(orjson.loads, desk.values)
        assert said in letter(first, lang, later=later).paragraph
        assert said not in letter(first, lang).paragraph
        assert {"ja": "2026年11月24日", "en": "2026-11-24"}[lang] in letter(first, lang, later=later).paragraph


def test_a_newer_consent_for_another_channel_then_the_letter_names_the_one_used() -> None:
    by_email = invented.consent(record_id="R-2", event_time="2025-05-01", channels=["email"])
    found = letter(record_of(invented.source(), invented.consent(event_time="2024-05-01"), by_email))
    assert [one.partition("に、")[0] for one in found.consents] == ["2024年5月1日"]
    assert found.consents[0].endswith("ご同意をいただきました。")


def test_what_the_decision_read_is_gone_then_the_letter_names_no_consent() -> None:
    record = record_of(invented.source(), invented.consent())
    gone = named()
    gone.references.clear()
    found = letter(record, known=gone)
    assert found.consents == ()
    assert "ご同意に基づいて" not in found.paragraph


@pytest.mark.parametrize(("lang", "said"), [("ja", "停止のお申し出"), ("en", "request to stop")])
def test_a_stop_that_a_later_consent_lifted_then_the_letter_does_not_deny_it(lang: Language, said: str) -> None:
    stop = invented.suppression(received_at="2022-05-01T10:00:00+09:00")
    facts = invented.source(), invented.consent(event_time="2023-05-01")
    lifted = record_of(*facts, stop)
    assert (lifted["verdict"], lifted["notes"]) == ("clear", ["SUPERSEDED_BY_LATER_CONSENT"])
    assert said not in letter(lifted, lang).paragraph
    assert said in letter(record_of(*facts), lang).paragraph


def test_service_mail_to_somebody_who_withdrew_then_the_letter_names_no_consent() -> None:
    no = invented.consent(record_id="N-1", state="Withdrawn", event_time="2025-05-01")
    record = record_of(invented.source(), invented.consent(), no, message_class="transactional")
    assert record["verdict"] == "clear"
    assert letter(record).consents == ()


def test_a_piece_that_waits_then_the_letter_does_not_say_that_it_is_never_sent() -> None:
    confirm, review = record_of(invented.source()), record_of(*YOUNG)
    assert (confirm["verdict"], review["verdict"]) == ("confirm", "review")
    for record in (confirm, review):
        assert "お送りしないことといたしました" not in letter(record).paragraph
        assert "さらに確認が必要" in letter(record).paragraph
        assert "decided not to send" not in letter(record, "en").paragraph


def test_a_piece_to_an_erased_person_then_its_records_tell_so() -> None:
    desk = Recorded(invented.source(), invented.consent())
    desk.send()
    cleared = orjson.loads(desk.values[-1])
    act = {"v": 1, "kind": "erase", "act_id": "erase", "at": instant(desk.at), "by": "hanako", "recipient_id": "P-1"}
    desk.judged(act)
    desk.send(event_id="E-2", campaign_id="K-2")
    desk.send(event_id="E-3", campaign_id="K-3", message_class="safety_legal")
    blocked, owed = (orjson.loads(value) for value in desk.values[-2:])
    assert (blocked["verdict"], owed["verdict"]) == ("block", "clear")
    assert [answers.erased(piece) for piece in ([cleared], [cleared, blocked], [owed])] == [False, True, True]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_any_letter_then_it_promises_no_more_than_a_stop_does_and_names_no_list(lang: Language) -> None:
    html = answered(letter(record_of(invented.source(batch_id="B-SAKURA"), invented.consent()), lang), whole=True)
    assert {"ja": "引き続きお送りすることがあります", "en": "may still be sent"}[lang] in html
    assert [one for one in ("we send nothing after that", "通販購入者名簿") if one in html] == []


@pytest.mark.parametrize(
    ("lang", "thanks", "how"),
    [("ja", "停止のお申し出をいただきました", "止めるには"), ("en", "Thank you", "How to stop")],
)
def test_a_letter_after_a_stop_then_it_thanks_and_does_not_say_how_to_stop(
    lang: Language, thanks: str, how: str
) -> None:
    facts = invented.source(), invented.consent()
    stopped, cleared = record_of(*facts, invented.suppression()), record_of(*facts)
    for found in (letter(stopped, lang), letter(cleared, lang, later=[stopped])):
        html = answered(found, whole=True)
        assert thanks in html
        assert how not in html
    for found in (letter(cleared, lang), letter(stopped, lang, later=[cleared])):
        html = answered(found, whole=True)
        assert thanks not in html
        assert how in html


def test_a_stop_of_another_id_then_the_letter_does_not_claim_it() -> None:
    stopped = record_of(invented.source(), invented.consent(), invented.suppression())
    stopped["reasons"][0]["says"]["case"] = "another"
    assert letter(stopped).stopped == ""


def test_a_sender_without_words_then_the_colleague_reads_what_to_register() -> None:
    found = letter(record_of(invented.source(), invented.consent()), sender={})
    assert found.lacking == ("name", *answers.ITEMS)
    html = answered(found, whole=False)
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


# -- the letter that asks -----------------------------------------------------------------------------------------


ASK = {**examples()["Ask"], "text": "みどり小売からのお伺い\n\n１　事業者の名称 <みどり>\n"}


def run(*words: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in words])


def a_file(folder: Path, *lines: dict[str, Any]) -> Path:
    (folder / "asks.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in lines))
    return folder / "asks.jsonl"


def test_records_of_confirmations_then_each_is_a_sheet_with_its_text_and_a_qr_code(
    tmp_path: Path,
) -> None:
    other = {**ASK, "answer_code": new(b"1234567"), "text": "A question from Midori\n\nMay we write?"}
    done = run("--ask", a_file(tmp_path, ASK, other), "--out", tmp_path / "out.html", "--json")
    assert (done.exit_code, orjson.loads(done.stdout)) == (
        0,
        {"out": str(tmp_path / "out.html"), "letters": 2, "lacking": []},
    )
    html = (tmp_path / "out.html").read_text("utf-8")
    assert '<p class="text">１　事業者の名称 &lt;みどり&gt;</p>' in html
    for said in ("<h1>みどり小売からのお伺い</h1>", "7K2M-9QXA-4T3Z", "　様", "<h1>A question from Midori</h1>"):
        assert said in html, said
    assert html.count('<article class="paper">') == html.count("<svg") == 2
    assert [one for one in ("見本 花子", "見本県", "c81e-7f3a") if one in html] == []


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("ja", ("2026年11月25日", "　様", "<p>お客様情報管理室</p>", "拝啓　", "敬具")),
        ("en", ("2026-11-25", "To　", "<p>お客様情報管理室</p>", "Dear reader,", "Yours sincerely")),
    ],
)
def test_a_letter_of_the_gates_own_words_then_it_has_a_frame_and_its_exact_text(
    tmp_path: Path, lang: Language, said: tuple[str, ...]
) -> None:
    names = [
        "manager",
        "purpose",
        "provision",
        "outsourcing",
        "window",
        "reply",
        "route",
        "channel",
        "code",
        "answer_by",
    ]
    words = dict.fromkeys(names, "言葉") | {"organisation": "みどり小売株式会社"}
    words |= {"department": "お客様情報管理室", "contact": "電話 0120-000-000（平日）"}
    written = text("notice.letter", lang, **words).strip() + "\n"
    assert notice.read(written) == (lang, words)
    ask = {**ASK, "at": "2026-11-24T16:00:00.000Z", "text": written}
    assert run("--ask", a_file(tmp_path, ask), "--out", tmp_path / "out.html").exit_code == 0
    html = (tmp_path / "out.html").read_text("utf-8")
    for one in (*said, "<p>みどり小売株式会社</p>", "<p>電話 0120-000-000（平日）</p>"):
        assert one in html, one
    assert written.strip().partition("\n")[2].strip() in html


def test_a_qr_code_then_it_holds_the_answer_code_as_printed() -> None:
    drawn = asking(Ask.model_validate(ASK), "Asia/Tokyo").drawn
    assert drawn == segno.make("7K2M-9QXA-4T3Z", micro=False, error="m").svg_inline(
        border=4, omitsize=True, svgclass="qr", lineclass=None
    )


@pytest.mark.parametrize(
    ("words", "lines", "key"),
    [
        (["CODE", "--ask", "asks.jsonl", "--out", "x.pdf"], (ASK,), "error.letter_what"),
        (["--out", "x.pdf"], (ASK,), "error.letter_what"),
        (["--ask", "asks.jsonl", "--out", "x.docx"], (ASK,), "error.letter_ending"),
        (["--ask", "asks.jsonl", "--out", "x.html"], (ASK, {"v": 1}), "error.letter_line"),
        (["--ask", "asks.jsonl", "--out", "x.html"], (), "error.letter_line"),
        (["--ask", "asks.jsonl", "--out", "x.html"], ({**ASK, "text": None},), "error.letter_no_text"),
        (["--ask", "nowhere.jsonl", "--out", "x.html"], (ASK,), "error.file_unreadable"),
    ],
)
def test_a_call_that_names_no_letter_then_the_sentence_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], lines: tuple[dict[str, Any], ...], key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    a_file(tmp_path, *lines)
    done = run(*words)
    assert isinstance(done.exception, UsageError)
    assert done.exception.key == key
    assert not list(tmp_path.glob("x.*"))


def test_no_chromium_then_the_sentence_offers_html_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("--ask", a_file(tmp_path, ASK), "--out", tmp_path / "out.pdf")
    assert isinstance(done.exception, UnavailableError)
    assert done.exception.key == "error.no_chromium"
    assert ".html" in str(done.exception)
    assert not (tmp_path / "out.pdf").exists()


def test_a_browser_that_fails_then_the_sentence_offers_html(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("--ask", a_file(tmp_path, ASK), "--out", tmp_path / "out.pdf")
    assert isinstance(done.exception, UnavailableError)
    assert (done.exception.key, done.exception.values["detail"]) == ("error.pdf_failed", 9)


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no chromium; run scripts/ensure-browser")
def test_a_letter_as_pdf_then_the_japanese_font_is_in_it(tmp_path: Path) -> None:
    done = run("--ask", a_file(tmp_path, ASK), "--out", tmp_path / "out.pdf")
    assert done.exit_code == 0, done
    data = (tmp_path / "out.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"BIZUDPGothic" in data
    assert b"/FontFile" in data


def test_every_sentence_of_the_letter_then_it_is_used() -> None:
    room = Path(answers.__file__).parent
    source = "".join(file.read_text("utf-8") for file in (*room.glob("*.py"), *room.glob("templates/*.html")))
    built = re.compile(r"letter\.(item|date|by|from|source|channel|class|method)(_|$)")
    keys = [key for key in catalogue() if key.startswith("letter.") and not built.match(key)]
    assert [key for key in keys if not re.search(rf"\b{key.partition('.')[2]}\b", source)] == []
