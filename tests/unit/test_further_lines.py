"""The lines beside name and address for which a source may account (domain rule 8.3.54)."""

from __future__ import annotations

import json
from itertools import permutations
from time import perf_counter
from typing import Any

import pytest

from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.identity import Identified, Tokens, printed
from gatekeeper.knowledge.store import FactStore
from schemas.events import Send
from tests.support import invented
from tests.support.golden_cases import decided

HOME = "緑山県若葉市青葉町1-2-3"


def read(*lines: str, name: str = "高橋 一郎", keys: Tokens = invented.TOKENS) -> Identified:
    send = Send.model_validate_json(
        json.dumps(invented.send(delivery={"name": name, "postcode": "999-0001", "lines": [HOME, *lines]}))
    )
    found = printed(keys, send)
    assert isinstance(found, Identified)
    return found


@pytest.mark.parametrize(
    "line",
    ["営業部御中", "総務部人事課長代理", "文学部 教授"],
)
def test_a_line_of_the_list_then_a_source_may_account_for_it(line: str) -> None:
    assert read(line).given
    assert not read(line).accounted


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


@pytest.mark.parametrize(
    ("accepted", "printed"),
    [(["営業部", "A組"], ["営業部", "B組"]), (["株式会社みどり", "佐藤様方"], ["株式会社みどり", "鈴木様方"])],
)
def test_one_text_accepted_then_it_passes_and_another_does_not(accepted: list[str], printed: list[str]) -> None:
    assert codes(accepted, accepted) == ()
    assert codes(accepted, printed) == ("PRINT_UNACCOUNTED",)


@pytest.mark.parametrize(
    "firm",
    ["佐藤恵商店", "株式会社佐藤恵商店", "佐藤恵農園", "佐藤 恵 商店", "c/o 佐藤恵"],
)
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


AT_WORK = {"name": "高橋 一郎", "lines": [HOME, "営業部"]}
SOURCE = invented.source(contact_points=[{"id": "cp-1", "written": AT_WORK}])
BARE = invented.source(source_id="S-2", contact_points=[{"id": "cp-1", "written": {**AT_WORK, "lines": [HOME]}}])
ACCEPTED = invented.event(kind="print_accepted", text=AT_WORK)


def viewed(store: FactStore) -> Facts:
    send = Send.model_validate_json(json.dumps(invented.send(delivery=AT_WORK)))
    return store.view(send, printed(invented.TOKENS, send), **invented.NOW)


@pytest.mark.parametrize("order", tuple(permutations((SOURCE, BARE, ACCEPTED))))
def test_facts_in_any_order_then_the_same_and_the_snapshot_tells_the_lines(order: tuple[Any, ...]) -> None:
    facts = viewed(invented.store(*order))
    assert facts.snapshot == viewed(invented.store(SOURCE, BARE, ACCEPTED)).snapshot
    assert len(facts.further) == 2
    assert read_snapshot(facts.snapshot).further == facts.further
    assert b"t1_" not in facts.snapshot
    assert "営業".encode() not in facts.snapshot
