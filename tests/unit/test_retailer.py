"""The believable retailer: its facts and decisions name nobody, and each row of the tables occurs in them."""

from __future__ import annotations

import re
from datetime import date
from typing import get_args

import pytest

from gatekeeper.demo import addresses
from gatekeeper.demo.life import Event
from gatekeeper.demo.retailer import Retailer
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.identity import Tokens
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy import packs
from gatekeeper.policy.methods import METHODS, RANKS
from schemas.codec import encode
from schemas.events import Source
from schemas.record import Record
from schemas.topics import subject_key
from schemas.values import MessageClass
from tests.support.facts import fact

TOKENS = Tokens({1: addresses.KEY})
TODAY = date(2026, 11, 24)
AT = 1_795_482_000_000
"""Ten o'clock in Japan of that day, in milliseconds."""
RECIPIENT = re.compile(rb"R\d{6}")


@pytest.fixture(scope="module")
def retailer() -> Retailer:
    return Retailer(people=1200, seed=11, today=TODAY)


@pytest.fixture(scope="module")
def facts(retailer: Retailer) -> list[Event]:
    return list(retailer.facts())


def _wire(event: Event) -> tuple[str, bytes, bytes]:
    topic, value = event
    return topic, subject_key(topic, value).encode(), encode(value)


def test_given_facts_then_no_name_or_address_of_a_person_is_in_them(facts: list[Event]) -> None:
    text = b"\n".join(_wire(event)[2] for event in facts).decode()
    provider = {"さくら名簿センター株式会社", "緑山県若葉市青葉町9-9-9", "代表取締役 見本太郎", "通販の購入者名簿"}
    assert set(re.findall(r'"([^"]*[^\x00-\x7f"][^"]*)"', text)) == provider
    assert not re.search(r"\b000-\d{4}\b", text)


def test_given_everybody_judged_then_no_record_and_no_header_names_a_recipient(campaign: list[Judged]) -> None:
    for judged in campaign:
        assert not RECIPIENT.search(judged.audit), judged.audit
        for output in judged.outputs:
            for name, value in output.headers:
                assert not RECIPIENT.search(value), (name, value)


@pytest.fixture(scope="module")
def campaign(retailer: Retailer, facts: list[Event]) -> list[Judged]:
    """The decisions about a campaign to everybody, judged in memory."""
    store = FactStore()
    for offset, event in enumerate([*retailer.reference(), *facts]):
        topic, key, value = _wire(event)
        assert store.apply(fact(topic, 0, offset, key, value)) is None
    judge = Judge(packs.load("jp-pmark"), partitions=1, tokens=TOKENS)
    wires = [_wire(("sends", send)) for send in retailer.sends(retailer.people)]
    records = [Record("mail.sends.v1", 0, offset, AT, key, value) for offset, (_, key, value) in enumerate(wires)]
    return [judge.judge(record, store, AT) for record in records]


def test_given_all_data_then_each_method_lane_and_class_of_the_tables_occurs(
    retailer: Retailer, facts: list[Event], campaign: list[Judged]
) -> None:
    methods = {value.method for _, value in facts if isinstance(value, Source)}
    assert methods == METHODS.keys()
    assert {METHODS[method].lane for method in methods} == RANKS.keys()
    sends = list(retailer.sends(retailer.people))
    assert {send.message_class for send in sends} == set(get_args(MessageClass))
    cleared = {send.message_class for send, judged in zip(sends, campaign, strict=True) if judged.verdict == "clear"}
    assert cleared == set(get_args(MessageClass))
