"""Chunks of several partitions share transactions; a failure ends the epoch of all, and a refused partition parts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NotEnoughReplicasError, ProducerClosed, ProducerFenced

from streams.client.producer import Producer, ProducerBatch
from streams.worker.clock import Clock
from streams.worker.writer import HOLD_SECONDS, Writer
from tests.simulation.clients import Connections
from tests.simulation.kafka import Kafka
from tests.simulation.log import Refusal
from tests.simulation.loop import Loop, run
from tests.simulation.network import Network

TOPIC, GROUP, PARTITIONS = "ledger", "group", 3


class Stage:
    """A model of Kafka, and writers on it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        self.kafka = Kafka(loop.millis)
        self.kafka.create(TOPIC, PARTITIONS)
        self.network = Network(self.kafka, Random(1))

    def writer(self, name: str = "one") -> Writer:
        return Writer(name, self._producer, GROUP, Clock())

    def _producer(self, name: str) -> Producer:
        return Producer(Connections(self.network), name, [TOPIC], timeout=15.0, request=5.0)  # type: ignore[arg-type]

    def refuse(self, number: int) -> None:
        """Lets a partition have too few replicas from now on."""

        def append(*_: Any, **__: Any) -> int:
            raise Refusal("NOT_ENOUGH_REPLICAS")

        self.kafka.logs[TopicPartition(TOPIC, number)].append = append  # type: ignore[method-assign]

    def written(self, number: int) -> list[bytes | None]:
        return [one.value for one in self.kafka.logs[TopicPartition(TOPIC, number)].committed()]

    @property
    def markers(self) -> int:
        entries = self.kafka.logs[TopicPartition(TOPIC, 0)].entries
        return sum(one is not None and one.kind == "commit" for one in entries)


def chunk(number: int, value: bytes = b"{}") -> list[ProducerBatch]:
    batch = ProducerBatch(TOPIC, number)
    batch.append(b"key", value)
    return [batch]


def on_stage(work: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await work(Stage())

    run(whole, Random(1))


def test_given_chunks_that_wait_while_one_commits_then_the_next_transaction_takes_them_all():
    async def work(stage: Stage) -> None:
        writer = stage.writer()
        epoch = await writer.begun()
        first = asyncio.create_task(writer.commit(0, 0, epoch, chunk(0, b"1"), {}))
        await asyncio.sleep(0.0001)
        later = [writer.commit(number, 0, epoch, chunk(number, b"2"), {}) for number in range(PARTITIONS)]
        places = await asyncio.gather(first, *later)
        await asyncio.sleep(1)
        assert stage.written(0) == [b"1", b"2"]
        assert stage.written(1) == stage.written(2) == [b"2"]
        assert [[one.offset for one in found] for found in places] == [[0], [2], [0], [0]]
        assert stage.markers == 2

    on_stage(work)


def test_given_a_chunk_that_is_announced_then_the_transaction_waits_for_it_a_moment():
    async def work(stage: Stage) -> None:
        writer, loop = stage.writer(), asyncio.get_running_loop()
        epoch = await writer.begun()
        writer.board(0)
        writer.board(1)
        first = asyncio.create_task(writer.commit(1, 0, epoch, chunk(1), {}))
        await asyncio.sleep(HOLD_SECONDS / 2)
        assert not stage.kafka.logs[TopicPartition(TOPIC, 1)].end
        await asyncio.gather(first, writer.commit(0, 0, epoch, chunk(0), {}))
        assert [one.state for one in stage.kafka.transactions.values()] != ["ongoing"]

        began = loop.time()
        writer.board(2)  # and its facts are late
        await writer.commit(1, 0, epoch, chunk(1), {})
        assert HOLD_SECONDS <= loop.time() - began < HOLD_SECONDS + 1

    on_stage(work)


def test_given_another_that_fenced_the_id_then_every_chunk_fails_and_the_next_epoch_writes():
    async def work(stage: Stage) -> None:
        writer = stage.writer()
        epoch = await writer.begun()
        await writer.commit(0, 0, epoch, chunk(0, b"before"), {})
        await stage.writer().begun()
        found = await asyncio.gather(
            *(writer.commit(number, 0, epoch, chunk(number), {}) for number in (0, 1)), return_exceptions=True
        )
        assert [type(one) for one in found] == [ProducerFenced] * 2
        assert not writer.in_force(epoch)
        with pytest.raises(ProducerClosed):
            await writer.commit(0, 0, epoch, chunk(0), {})
        assert await writer.begun() == epoch + 1
        await writer.commit(0, 0, epoch + 1, chunk(0, b"after"), {})
        await asyncio.sleep(1)
        assert stage.written(0) == [b"before", b"after"]
        assert not writer.apart(0)

    on_stage(work)


def test_given_a_partition_whose_records_are_refused_then_it_alone_parts():
    async def work(stage: Stage) -> None:
        writer = stage.writer()
        stage.refuse(1)
        epoch = await writer.begun()
        found = await asyncio.gather(
            *(writer.commit(number, 0, epoch, chunk(number), {}) for number in range(PARTITIONS)),
            return_exceptions=True,
        )
        assert [type(one) for one in found] == [NotEnoughReplicasError] * PARTITIONS
        assert [writer.apart(number) > 0 for number in range(PARTITIONS)] == [False, True, False]
        assert stage.written(0) == []

    on_stage(work)


@pytest.mark.parametrize("alone", [True, False])
def test_given_one_partition_in_the_transaction_then_it_parts_only_if_its_records_were_refused(alone: bool):
    async def work(stage: Stage) -> None:
        writer = stage.writer()
        epoch = await writer.begun()
        if alone:
            stage.refuse(1)
        else:
            stage.network.planned["", "Produce"] = deque(["lost"])
        with pytest.raises(KafkaError):
            await writer.commit(1, 0, epoch, chunk(1), {})
        assert (writer.apart(1) > 0) is alone

    on_stage(work)


def test_given_a_new_seat_then_the_former_one_writes_no_more_and_its_chunk_on_the_way_is_waited_for():
    async def work(stage: Stage) -> None:
        writer = stage.writer()
        epoch = await writer.begun()
        flying = asyncio.create_task(writer.commit(0, 0, epoch, chunk(0, b"flying"), {}))
        await asyncio.sleep(0.0001)
        waiting = asyncio.create_task(writer.commit(1, 0, epoch, chunk(1, b"waiting"), {}))
        await asyncio.sleep(0)
        for one in (flying, waiting):
            one.cancel()
        await asyncio.gather(flying, waiting, return_exceptions=True)
        writer.seat(0)
        with pytest.raises(ProducerFenced):
            await writer.commit(0, 0, epoch, chunk(0, b"late"), {})
        await writer.settled(0)
        await writer.settled(1)
        await asyncio.sleep(1)
        assert (stage.written(0), stage.written(1)) == ([b"flying"], [])

    on_stage(work)
