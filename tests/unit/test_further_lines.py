"""The lines beside name and address for which a source may account (domain rule 8.3.54)."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.identity import Identified, Tokens, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger import entries
from schemas.codec import parse
from schemas.events import Send
from tests.support import invented

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
    [
        "営業部",
        "株式会社見本商事",
        "第2営業部 課長",
        "営業2課",
        "若葉郵便局留",
        "c/o 佐藤",
        "みどりビル",
        "重要なお知らせ",
    ],
)
def test_a_line_that_is_no_address_then_a_source_may_account_for_it(line: str) -> None:
    found = read(line)
    assert found.lines or (found.accounted and found.beside), line


@pytest.mark.parametrize(
    "line",
    [
        "〒530-0001",
        "530-0001",
        "大阪府大阪市",
        "梅田4-5-6",
        "梅田4番地",
        "転送先 梅田",
        "旧住所 梅田",
        "前住所",
        "大阪市北区梅田4",
    ],
)
def test_a_second_address_then_no_source_accounts_for_it(line: str) -> None:
    assert read("営業部", line).lines == ()
    assert not read("営業部", line).accounted


def test_text_in_the_name_then_no_source_accounts_for_it() -> None:
    assert read("営業部", name="高橋 一郎 転送先").lines == ()


def test_lines_then_their_tokens_are_of_this_person_at_this_address_under_each_key() -> None:
    lines = read("営業部", "課長").lines
    assert len(lines) == 2
    assert read("営業 部").lines == lines[:1]
    assert not {*lines} & {*read("営業部", name="高橋 二郎").lines}
    of_two = read("営業部", keys=invented.gate(1, 2)).lines[0]
    assert len(of_two) == 2
    assert lines[0][0] in of_two


AT_WORK = {"name": "高橋 一郎", "lines": [HOME, "営業部"]}
SOURCE = invented.source(contact_points=[{"id": "cp-1", "written": AT_WORK}])
BARE = invented.source(source_id="S-2", contact_points=[{"id": "cp-1", "written": {**AT_WORK, "lines": [HOME]}}])
ACCEPTED = invented.event(kind="print_accepted", text=AT_WORK)


def viewed(store: FactStore) -> Facts:
    send = Send.model_validate_json(json.dumps(invented.send(delivery=AT_WORK)))
    return store.view(send, printed(invented.TOKENS, send), **invented.NOW)


@pytest.mark.parametrize("order", tuple(permutations((SOURCE, BARE, ACCEPTED, invented.consent()))))
def test_facts_in_any_order_then_the_snapshot_names_those_that_account_for_it(order: tuple[Any, ...]) -> None:
    facts = viewed(invented.store(*order))
    assert [{fact.source or fact.event for fact in line} for line in facts.further] == [{"S-1", "LOOK-1"}]
    assert read_snapshot(facts.snapshot).further == facts.further
    assert b"t1_" not in facts.snapshot
    assert "営業".encode() not in facts.snapshot


def test_a_clearance_then_its_entry_holds_the_lines_and_the_text() -> None:
    sent = parse("sends", b"P-1", json.dumps(invented.send(delivery=AT_WORK)).encode())
    at_point = invented.TOKENS.of("postal", sent.model.delivery)
    assert at_point is not None
    src = {"topic": "sends"}
    entry = entries.clearance(sent, did="D-1", at=1, until=2, basis=None, released=False, src=src, printed=at_point)
    assert entry.value is not None
    assert entries.read_clearance(entry.key, entry.value).printed == at_point.remembered
