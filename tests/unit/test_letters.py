"""The letter that answers "why did I get this?": it has the sender's own words, and no id, hash or internal duty."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli.letter import command
from gatekeeper.confirmation.code import new
from gatekeeper.ground.texts import Language
from gatekeeper.letters.answer import Answer, answer
from gatekeeper.letters.paper import answered
from schemas.json_schema import examples
from tests.support import invented
from tests.support.records import Recorded, named

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


def letter(record: dict[str, Any], lang: Language = "ja") -> Answer:
    more: dict[str, Any] = {"later": (), "lang": lang, "zone": "Asia/Tokyo", "today": date(2026, 11, 28)}
    return answer(record, CODE, SENDER, NAMES, named(), **more)


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


# -- the letter that asks -----------------------------------------------------------------------------------------


ASK = {**examples()["Ask"], "text": "みどり小売からのお伺い\n\n１　事業者の名称 <みどり>\n"}


def run(*words: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in words])


def a_file(folder: Path, *lines: dict[str, Any]) -> Path:
    (folder / "asks.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in lines))
    return folder / "asks.jsonl"


def test_records_of_confirmations_then_each_is_a_sheet_with_its_text_and_a_qr_code(tmp_path: Path) -> None:
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
