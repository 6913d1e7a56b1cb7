"""The names and lines in a print (domain rules 8.1.37, 8.2.44 and 8.3.54)."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

import pytest

from gatekeeper.identity import Identified, Tokens, printed
from gatekeeper.identity.letters import alike
from gatekeeper.identity.name import normalise_name
from gatekeeper.identity.name_forms import NEAR, SAME, name_forms
from gatekeeper.identity.printed_names import printed_names
from schemas.events import Delivery, Send
from tests.support import invented
from tests.support.golden_cases import decided

HOME = "緑山県若葉市青葉町1-2-3"


@pytest.mark.parametrize(
    ("printed", "name", "nth"),
    [
        *(("高橋 一郎・花子", "高橋花子", 2), ("高橋 一郎・佐藤 恵・茂", "佐藤茂", 3)),
        *(("高橋 一郎様 佐藤 恵様", "佐藤恵", 2), ("高橋 一郎さん、恵さん", "高橋恵", 2)),
        *(("高橋一郎と花子", "高橋花子", 2), ("高橋 一郎 花子", "高橋花子", 0)),
        *(("高橋一郎氏佐藤恵", "佐藤恵", 2), ("高橋 一郎 妻花子", "高橋花子", 2)),
        *(("高橋 一郎ほか 佐藤 恵", "佐藤恵", 2), ("鵜沼殿介・恵", "鵜沼殿介", 1)),
        *(("高橋(佐藤)花子", "佐藤花子", 2), ("高橋 花子（タカハシ ハナコ）", "タカハシハナコ", 2)),
        *(("株式会社見本商事 田中 太郎", "田中太郎", 2), ("株式会社見本商事田中太郎", "田中太郎", 0)),
    ],
)
def test_a_name_printed_with_others_then_it_is_read_with_its_place(printed: str, name: str, nth: int) -> None:
    places = {read.name: read.nth for read in printed_names(alike(printed)) or ()}
    assert places[name] == nth


@pytest.mark.parametrize("printed", ["高橋 一郎", "高橋一郎 様", "我妻 恵", "氏家 恵", "John Smith", ""])
def test_one_name_then_no_other_is_read(printed: str) -> None:
    assert printed_names(alike(printed)) == ()


@pytest.mark.parametrize("text", ["ab・cd・" * 33, "\ufdfa" * 200])
def test_more_words_than_names_are_read_in_then_nobody_reads_them_and_a_person_looks(text: str) -> None:
    sent = {**invented.written("cp-1"), "name": text[:200]}
    assert printed_names(alike(text)) is None
    identified = invented.TOKENS.of("postal", Delivery.model_validate(sent))
    assert identified is not None
    assert not identified.accounted


def forms(name: str) -> dict[str, int]:
    return name_forms(normalise_name(name), name)


@pytest.mark.parametrize(
    ("printed", "row", "score"),
    [
        *(("高橋 一郎", "高橋 一郎さん", SAME), ("高橋 一郎さん", "高橋 一郎", SAME)),
        *(("高橋 一郎 君", "高橋 一郎", SAME), ("高橋 隆", "高橋 隆行", NEAR)),
        *(("高橋 隆行", "高橋 隆", NEAR), ("高橋 一郎", "〓橋 一郎", NEAR)),
        *(("高橋 一郎", "高橋 一\ufffd", NEAR), ("高橋 一郎", "高橋", NEAR), ("林 誠", "林家", NEAR)),
        ("五十嵐 隆", "五十嵐御一同様", NEAR),
    ],
)
def test_a_row_then_the_printed_name_is_looked_up_by_it(printed: str, row: str, score: int | None) -> None:
    assert forms(printed).get(normalise_name(row)) == score


def read(*lines: str, name: str = "高橋 一郎", keys: Tokens = invented.TOKENS) -> Identified:
    send = Send.model_validate_json(
        json.dumps(invented.send(delivery={"name": name, "postcode": "999-0001", "lines": [HOME, *lines]}))
    )
    found = printed(keys, send)
    assert isinstance(found, Identified)
    return found


@pytest.mark.parametrize(
    "line",
    [
        *("第2営業部 課長", "営業二課", "株式会社見本商事", "三井住友銀行", "若葉郵便局留", "c/o 佐藤"),
        *("旧姓佐藤 営業部", "佐藤恵", "佐藤 恵 様", "佐藤恵営業部", "見本商事佐藤恵", "重要なお知らせ"),
        *("北海道銀行 総務部", "移転価格担当", "c/o 株式会社見本商事"),
    ],
)
def test_free_text_then_no_source_accounts_for_it_and_one_of_the_staff_may(line: str) -> None:
    found = read("営業部", line)
    assert len(found.lines) == 1
    assert not found.given
    assert not found.accounted


@pytest.mark.parametrize(
    "line",
    [
        *("〒530-0001", "530-0001", "五三〇 〇〇〇一", "大 阪 府", "梅田四丁目五番六号"),
        *("株式会社梅田四の五", "株式会社梅田四五六", "株式会社大阪市北区梅田", "株式会社梅田よんちょうめ"),
        *("c/o 4-5", "Co Ltd Kita-ku Osaka", "転送先 梅田", "旧住所 梅田", "前住所"),
        *("京都市中京区烏丸通御池上る", "五番", "緑町12号", "西7線12号", "若葉町 5", "カナガワケン"),
        *("おおさかふ", "Kanagawa Pref.", "旧居", "お届け先 若葉町5", "緑町1/2", "株式会社梅田肆伍陸"),
        "見本商事 東京都港区",
    ],
)
def test_a_line_that_may_be_another_address_then_nobody_accounts_for_it(line: str) -> None:
    found = read("営業部", line)
    assert not found.lines
    assert not found.accounted


@pytest.mark.parametrize("first", ["佐藤恵法律事務所", "佐藤恵 101", "佐藤 恵"])
def test_a_name_before_the_lines_then_no_source_accounts_for_them(first: str) -> None:
    assert read("みどりビル3階", "営業部").given
    assert not read(first, "営業部").given


def codes(accepted: list[str], printed: list[str], *stops: dict[str, Any]) -> tuple[str, ...]:
    """Returns the reasons for a print, of which one of the staff accepted another."""
    text, delivery = (
        {"name": "高橋 一郎", "postcode": "999-0001", "lines": [HOME, *more]} for more in (accepted, printed)
    )
    case = {"sources": [{"contact_points": [{"id": "cp-1", "written": {**text, "lines": [HOME]}}]}], "consents": [{}]}
    events = [{"kind": "print_accepted", "text": text}]
    return decided({**case, "suppressions": stops, "events": events, "send": {"delivery": delivery}}).codes


@pytest.mark.parametrize("firm", ["佐藤恵商店", "株式会社佐藤恵商店", "c/o 佐藤恵"])
def test_an_accepted_firm_whose_owner_says_no_then_the_owner_is_met(firm: str) -> None:
    stop = {"written": {"name": "佐藤 恵", "postcode": "999-0001", "lines": [HOME]}}
    assert codes([firm, "総務課"], [firm, "総務課"]) == ()
    assert codes([firm, "総務課"], [firm, "総務課"], stop)[0] in ("NAME_NEAR_STOP", "SUBJECT_OBJECTED")


def test_hostile_lines_then_they_take_no_longer_than_others() -> None:
    for text in ("第本部事業営業" * 28, "株式会社" * 49, "一二" * 99, "あ" * 200):
        started = perf_counter()
        assert read(*([text] * 7)).lines == ()
        assert perf_counter() - started < 1


def test_lines_then_their_hashes_are_of_this_person_at_this_address_under_each_key() -> None:
    everything, *lines = read("営業部", "課長").lines
    assert len(lines) == 2
    assert read("営業 部").lines[1:] == tuple(lines[:1])
    assert not {everything, *lines} & {*read("営業部", "課長", name="高橋 二郎").lines}
    of_two = read("営業部", keys=invented.gate(1, 2)).lines[0]
    assert len(of_two) == 2
    assert read("営業部").lines[0][0] in of_two
