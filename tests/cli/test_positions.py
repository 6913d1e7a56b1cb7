"""A stored position with its proof: which logs are the same, which are others, and of which nothing tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from streams.client import admin
from streams.client.proven_position import Place, ProvenPosition, differing, proven, stands
from streams.client.reader import Reader
from tests.cli.conftest import System

PLACE: Place = ("recalls", 0)


def in_transaction(system: System, value: bytes) -> None:
    """Writes a record whose transaction leaves a marker behind it."""
    producer = Producer({"bootstrap.servers": system.settings.broker, "transactional.id": system.settings.group})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(system.settings.topic("recalls"), value, b"r", partition=0)
    producer.commit_transaction(30)


@pytest.fixture
def at(system: System) -> ProvenPosition:
    """The position at the end of a log of three records and a marker."""
    for value in (b"0", b"1"):
        system.put("recalls", value, key=b"r")
    in_transaction(system, b"2")
    with Reader(system.settings) as reader:
        (one,) = proven(reader, "recalls", {0: 4}).values()
    assert (one.next, one.last) == (4, 2)
    return one


OTHERS: dict[str, Callable[[ProvenPosition], ProvenPosition]] = {
    "the log ends before": lambda one: one._replace(next=5),
    "another record stands there": lambda one: one._replace(hash=bytes(16)),
    "a record stands where a marker stood": lambda one: one._replace(last=1),
    "nothing could be read before": lambda one: ProvenPosition(one.next),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_a_log_that_was_read_then_it_is_the_same_and_else_another(
    system: System, at: ProvenPosition, change: Callable[[ProvenPosition], ProvenPosition]
) -> None:
    system.put("recalls", b"later", key=b"r") if change(at).next == at.next else None
    with Reader(system.settings) as reader, capture_logs() as said:
        assert differing(reader, {PLACE: at}) == []
        assert differing(reader, {PLACE: change(at), ("recalls", 1): ProvenPosition(0)}) == [PLACE]
        assert stands(reader, "recalls", partition=0, offset=2, digest="0" * 64) is False
    assert said == []


def test_the_record_has_expired_then_the_position_is_believed_and_the_log_says_so(
    system: System, at: ProvenPosition
) -> None:
    system.put("recalls", b"later", key=b"r")
    admin.forget(system.settings, {PLACE: 4})
    with Reader(system.settings) as reader, capture_logs() as said:
        assert differing(reader, {PLACE: at}) == []
        assert stands(reader, "recalls", partition=0, offset=2, digest="0" * 64)
    assert [(one["event"], one["position"]) for one in said] == [("position_unproven", 4), ("position_unproven", 3)]


def test_positions_moved_record_by_record_then_they_are_those_that_the_log_proves(
    system: System, at: ProvenPosition
) -> None:
    with Reader(system.settings) as reader:
        reached = ProvenPosition(0)
        for record in reader.read("recalls", partition=0):
            reached = reached.behind(record)
        assert reached.moved(4) == at
        assert proven(reader, "recalls", {0: 0, 1: 0}) == {0: ProvenPosition(0), 1: ProvenPosition(0)}
