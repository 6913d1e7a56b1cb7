"""The published contract takes all that the gate writes, and agrees with the codec on any other value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Unreadable, parse
from schemas.json_schema import examples
from tests.support import invented, records
from tests.support.desk import BROKER, DELIVERY, YOUNG, Desk
from tests.support.published import document, faults, headers

KINDS = [
    (topic, kind)
    for topic, channel in document("asyncapi")["channels"].items()
    for kind, message in channel["messages"].items()
    if "payload" in message and topic not in ("cleared", "review")
]
ODD = st.one_of(
    st.sampled_from([None, True, False, 0, 1, 2, -1, 2**53, 2**64, "", "*", "-", "=1", [], {}, [[]], ["*"], [None]]),
    st.sampled_from(
        ["postal", "pigeon", "Given", "Withdrawn", "C1", "0312345678", "a\n", "常連", "x" * 201, "2026-12-01"]
    ),
    st.sampled_from(
        [{"id": "cp-1"}, {"name": "a"}, {"postal": True}, {"marketing": ["postal"]}, ["postal"], ["postal", "*"]]
    ),
    st.text(max_size=3),
    st.lists(st.text("aA0._-:*=", max_size=3), max_size=10),
)
"""Values of every type. Floats and clock times are left out: there the codec and JSON Schema differ (ADR 58)."""

MORE = ["more", "token", "subject", "rp", "readings", "controllers", "tree"]
"""Names of fields to add: of some models, and of none."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path to each part of a value."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(part, (*path, key))


def reads(topic: str, value: Any) -> bool:
    try:
        parse(topic, None, orjson.dumps(value))
    except Unreadable:
        return False
    return True


@settings(max_examples=100)
@given(st.sampled_from(KINDS), st.data())
def test_an_example_with_a_change_then_codec_and_contract_agree(kind: tuple[str, str], data: st.DataObject) -> None:
    topic, value = kind[0], copy.deepcopy(dict(examples()[kind[1]]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([*places(value)]))
        at = value
        for key in path[:-1]:
            at = at[key]
        how = data.draw(st.sampled_from(["put", "put", "drop", "add"]))
        if how == "drop":
            del at[path[-1]]
        elif how == "put":
            at[path[-1]] = copy.deepcopy(data.draw(ODD))
        elif isinstance(at, dict):
            at[data.draw(st.sampled_from(MORE))] = copy.deepcopy(data.draw(ODD))
        if not value:
            break
    try:
        orjson.dumps(value)
    except TypeError:  # a whole number of more than 64 bits, or half a surrogate pair
        return
    assert reads(topic, value) == (faults(topic, value) == []), faults(topic, value)


@pytest.fixture(scope="module")
def desks() -> list[Desk]:
    """Desks at which everything happens that the gate writes of: cleared, withheld, asked, recalled, set aside."""
    young, asked = Desk(*YOUNG), Desk(invented.source(**BROKER))
    young.send()
    young.act("release", act_id="release")
    young.send()
    young.send({"v": 1})
    young.learn(invented.suppression())
    young.weigh()
    asked.send(delivery=DELIVERY)
    asked.act("ask")
    return [young, asked]


def test_all_that_a_worker_puts_out_then_the_contract_takes_value_and_headers(desks: list[Desk]) -> None:
    found = [output for desk in desks for outputs in desk.outputs.values() for output in outputs]
    topics = {"cleared", "review", "confirmations", "recalls", "deadletter", "results"}
    assert {output.topic for output in found} == topics
    for output in found:
        assert faults(f"{output.topic}.headers", headers(output.headers)) == []
        if output.topic != "deadletter":
            assert faults(output.topic, orjson.loads(output.value or b"")) == []


def test_audit_records_of_every_reason_and_stage_then_the_contract_takes_them() -> None:
    values, _ = records.of_every_kind()
    assert len(values) > 50
    assert [found for value in values if (found := faults("audit", orjson.loads(value)))] == []
