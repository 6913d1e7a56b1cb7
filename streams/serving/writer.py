"""Writes records of other programs, each acknowledged by all in-sync replicas."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata
from streams.worker.clients import WRITE_SECONDS, Clients

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 30.0
"""Seconds in which a producer that is given up may still get answers."""


class Writer:
    """One idempotent producer for all requests. Keyed records go to the partition of Kafka's murmur2."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings, self._clients = settings, clients
        self._producer: AIOKafkaProducer = clients.writer()
        self._renewing = asyncio.Lock()
        self._uses = defaultdict[AIOKafkaProducer, set[asyncio.Event]](set)
        """By producer, the ends of the writes under way."""
        self._given_up = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Connects."""
        await self._producer.start()

    async def stop(self) -> None:
        """Waits for the answers under way, and disconnects."""
        await self._producer.stop()
        await asyncio.gather(*self._given_up, return_exceptions=True)

    async def write(self, records: Sequence[Outgoing]) -> list[RecordMetadata | None]:
        """The place of each record as Kafka acknowledged it; None without an answer, when it may have been written.

        Records of one partition are written in the order given, and no partition waits for another. It takes
        WRITE_SECONDS at most.
        """
        with self._used() as producer:
            return await self._written(producer, records)

    @contextmanager
    def _used(self) -> Iterator[AIOKafkaProducer]:
        """Yields the present producer, which stays open for the block even if it is given up meanwhile."""
        producer, over = self._producer, asyncio.Event()
        self._uses[producer].add(over)
        try:
            yield producer
        finally:
            over.set()
            if producer in self._uses:
                self._uses[producer].discard(over)

    async def _written(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[RecordMetadata | None]:
        acknowledged = list[RecordMetadata | None]([None] * len(records))
        loop = asyncio.get_running_loop()
        end = loop.time() + WRITE_SECONDS
        lanes = defaultdict[tuple[str, int], list[int]](list)
        for number, record in enumerate(records):
            try:
                async with asyncio.timeout_at(end):
                    lanes[record.topic, await self._partition(producer, record)].append(number)
            except (KafkaError, TimeoutError) as error:
                log.error("not_acknowledged", topic=record.topic, error=type(error).__name__)
                return acknowledged

        async def lane(topic: str, partition: int, numbers: Sequence[int]) -> None:
            under_way = [await self._begun(producer, partition, records[number]) for number in numbers]
            # shielded, or the end of our wait would cancel the producer's own futures
            places = await asyncio.gather(*map(asyncio.shield, under_way), return_exceptions=True)
            for number, place in zip(numbers, places, strict=True):
                # Kafka tells no offset of a batch that it had long before
                if not isinstance(place, BaseException) and place.offset >= 0:
                    acknowledged[number] = RecordMetadata(topic, partition, place.offset)
            if failed := next((place for place in places if isinstance(place, BaseException)), None):
                raise failed

        tasks = {asyncio.create_task(lane(*where, numbers)): where for where, numbers in lanes.items()}
        if not tasks:
            return acknowledged
        done, late = await asyncio.wait(tasks, timeout=max(0.0, end - loop.time()))
        for task in late:
            task.cancel()
            log.error("not_acknowledged", topic=tasks[task][0], partition=tasks[task][1], error="TimeoutError")
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            if failed := task.exception():
                if not isinstance(failed, KafkaError):
                    raise failed
                log.error(
                    "not_acknowledged", topic=tasks[task][0], partition=tasks[task][1], error=type(failed).__name__
                )
                await self._renewed(producer)
        return acknowledged

    async def _partition(self, producer: AIOKafkaProducer, record: Outgoing) -> int:
        if record.partition is not None:
            return record.partition
        partitions = await producer.partitions_for(self._settings.topic(record.topic))
        return partition_of(record.key or b"", len(partitions))

    async def _begun(self, producer: AIOKafkaProducer, partition: int, record: Outgoing) -> asyncio.Future[Any]:
        name, headers = self._settings.topic(record.topic), list(record.headers)
        future: asyncio.Future[Any] = await producer.send(
            name, record.value, record.key, partition=partition, headers=headers
        )
        return future

    async def _renewed(self, spoilt: AIOKafkaProducer) -> None:
        """Replaces a producer that Kafka refused: if it left a number out, all later ones are refused, too."""
        async with self._renewing:
            if self._producer is not spoilt:
                return
            fresh = self._clients.writer()
            try:
                await fresh.start()
            except KafkaError:
                await fresh.stop()
                return  # the next failure tries again
            self._producer = fresh

        async def close() -> None:
            # a closed producer would never tell the partitions of a topic that somebody asks for the first time
            await asyncio.gather(*(over.wait() for over in self._uses.pop(spoilt, ())))
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await spoilt.stop()

        task = asyncio.create_task(close())
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)
