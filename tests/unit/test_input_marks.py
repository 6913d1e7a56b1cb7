"""Records by which an input is known again: the last ones that were taken, as far as its log keeps them."""

from __future__ import annotations

from random import Random

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from streams.client.record_hash import mark
from streams.worker import offsets
from streams.worker.input_marks import other
from tests.simulation.clients import Ends, Reader
from tests.simulation.kafka import Kafka
from tests.simulation.loop import run
from tests.simulation.network import Network

TP = TopicPartition("sends", 0)


def kafka_of(*values: bytes, begin: int = 0) -> Kafka:
    kafka = Kafka(lambda: 1)
    kafka.create(TP.topic, 1)
    kafka.logs[TP].append([(b"k", value, ()) for value in values], 1)
    kafka.logs[TP].delete(begin)
    return kafka


def records(kafka: Kafka) -> list[ConsumerRecord]:
    return kafka.logs[TP].committed()


def found(kafka: Kafka, *marks: tuple[int, str]) -> tuple[int, str] | None:
    async def work() -> None:
        network = Network(kafka, Random(1))
        probe = offsets.Probe(Reader(network, {}), Ends(network, {}))  # type: ignore[arg-type]
        answers.append(await other(probe, TP, marks))

    answers: list[tuple[int, str] | None] = []
    run(work, Random(1))
    return answers[0]


def test_a_log_that_holds_them_then_none_is_another() -> None:
    read = kafka_of(b"0", b"1", b"2")
    marks = [mark(one) for one in records(read)]
    assert found(read, *marks) is None
    assert found(kafka_of(b"0", b"1", b"2", b"3"), *marks) is None, "it went on"


@pytest.mark.parametrize(("now", "first"), [((b"0", b"1"), 2), ((b"0", b"x", b"2"), 1), ((), 0)], ids=str)
def test_a_log_that_was_replaced_then_the_first_that_it_lacks_is_told(now: tuple[bytes, ...], first: int) -> None:
    marks = [mark(one) for one in records(kafka_of(b"0", b"1", b"2"))]
    assert found(kafka_of(*now), *marks) == marks[first]


def test_a_log_that_no_longer_keeps_them_then_nothing_is_proven_and_it_is_believed() -> None:
    marks = [mark(one) for one in records(kafka_of(b"0", b"1", b"2"))]
    assert found(kafka_of(b"0", b"1", b"2", begin=2), *marks[:2]) is None
    assert found(kafka_of(b"0", b"1", b"x", begin=2), *marks) == marks[2]
