"""The transport that hands the Faust agent runs of consecutive records instead of single messages.

A chunk is a run of consecutive offsets of one partition, undecoded. Credit limits the records and bytes that may wait
for a partition; regained credit wakes the fetch.

Private names of Faust used, and no others: `Consumer._getmany`, `Consumer._new_consumer_thread`,
`AIOKafkaConsumerThread._create_worker_consumer`, and in streams/worker/app.py `TableManager._update_channels`.
Without that one each start would sleep a second for tables that the gate does not have.
Private names of aiokafka: `AIOKafkaConsumer._fetch_max_wait_ms`, `AIOKafkaConsumer._isolation_level`,
`AIOKafkaConsumer._client` with its `_request_timeout_ms` and `_get_conn`, `AIOKafkaConnection._request_timeout`.
tests/unit/test_private_names.py says what to check when they change.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import faust
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.client import ConnectionGroup
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.worker.clients import REQUEST_SECONDS

FETCH_WAIT_MS = 100
"""Milliseconds. Faust hard-codes 1500, with which one idle partition stalls a busy one."""
CHUNK_RECORDS = 1_000
CHUNK_BYTES = 700_000
CREDIT_RECORDS = 4_000
CREDIT_BYTES = 4_000_000
IDLE_WAIT = 0.5
SHORT_OF_CREDIT_WAIT = 0.005
"""Seconds a fetch may block while some partition is out of credit, since it could regain credit meanwhile."""


class RecordLike(Protocol):
    """A record with its offset, decoded or not."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def timestamp(self) -> int:
        """Its time, in milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its headers."""


R = TypeVar("R", bound=RecordLike)


@dataclass(frozen=True, slots=True)
class Chunk(Generic[R]):
    """A run of records with consecutive offsets, fetched under the consumer group's `generation`."""

    topic: str
    partition: int
    records: tuple[R, ...] = field(repr=False)  # personal data: no log may print them
    generation: int

    @property
    def first(self) -> int:
        """The offset of the first record."""
        return int(self.records[0].offset)

    @property
    def size(self) -> int:
        """The bytes of all keys and values."""
        return sum(size_of(record) for record in self.records)


def size_of(record: RecordLike) -> int:
    """The bytes of a record's key, value and headers."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def runs(records: Iterable[R]) -> Iterator[tuple[R, ...]]:
    """Splits records of one partition at every gap, and before a chunk would exceed its bounds."""
    run: list[R] = []
    size = 0
    for record in records:
        length = size_of(record)
        full = len(run) >= CHUNK_RECORDS or size + length > CHUNK_BYTES
        if run and (full or record.offset != run[-1].offset + 1):
            yield tuple(run)
            run, size = [], 0
        run.append(record)
        size += length
    if run:
        yield tuple(run)


class Credit:
    """Limit on waiting records and bytes per partition; a partition below both bounds may get more."""

    def __init__(self) -> None:
        self._records: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self.regained = asyncio.Event()

    def has(self, partition: int) -> bool:
        """Tells whether the partition may get more."""
        return self._records[partition] < CREDIT_RECORDS and self._bytes[partition] < CREDIT_BYTES

    def take(self, chunk: Chunk[Any]) -> None:
        """Counts a chunk as waiting."""
        self._records[chunk.partition] += len(chunk.records)
        self._bytes[chunk.partition] += chunk.size

    def give(self, partition: int, records: int, size: int) -> None:
        """Counts records as no longer waiting, and wakes the fetch."""
        self._records[partition] = max(0, self._records[partition] - records)
        self._bytes[partition] = max(0, self._bytes[partition] - size)
        self.regained.set()

    def forget(self, partition: int) -> None:
        """Forgets the waiting records of a partition that is about to be read again: Faust drops chunks silently."""
        self._records.pop(partition, None)
        self._bytes.pop(partition, None)
        self.regained.set()

    def reset(self) -> None:
        """Forgets all waiting records: the assignment has changed, and every owner reads again."""
        self._records.clear()
        self._bytes.clear()
        self.regained.set()


class _ChunkAsRun:
    """A chunk in the form of one ConsumerRecord, for Faust's driver."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, chunk: Chunk[ConsumerRecord]) -> None:
        last = chunk.records[-1]
        self.topic, self.partition, self.offset = chunk.topic, chunk.partition, last.offset
        self.timestamp, self.timestamp_type, self.headers = last.timestamp, last.timestamp_type, ()
        self.key, self.value, self.checksum = None, chunk, None
        self.serialized_key_size = self.serialized_value_size = 0


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread: committed records only, short idle fetches, a short time-out for silent brokers."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"
        client, conf = consumer._client, self.app.conf
        connect = client._get_conn
        client.cluster = self.app.gate.context.clients.cluster()
        client._request_timeout_ms = int(REQUEST_SECONDS * 1000)

        async def connected(node: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT, **more: Any) -> Any:
            conn = await connect(node, group=group, **more)
            if conn is not None and group is ConnectionGroup.COORDINATION:
                # joining takes as long as a rebalance
                conn._request_timeout = conf.broker_rebalance_timeout + REQUEST_SECONDS
            return conn

        client._get_conn = connected
        return consumer


class Consumer(driver.Consumer):
    """Faust's consumer, delivering chunks.

    It never discards a record: the fetcher has already moved past the records it returned. A dropped record would come
    back only by the partition's own check of offsets.
    """

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[_ChunkAsRun]]:
        try:
            return await self._fetch(active_partitions, timeout)
        except Exception as error:  # Faust would continue without a fetcher, and look alive
            if not self.should_stop:
                self.app.gate.transport_ended(error)
            raise

    async def _fetch(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[_ChunkAsRun]]:
        credit: Credit = self.app.credit
        credit.regained.clear()
        judged = range(self.app.conf.topic_partitions)  # a partition that somebody added is left alone
        wanted = {tp for tp in active_partitions or self.assignment() if tp.partition in judged}
        wanted = {tp for tp in wanted if credit.has(tp.partition)}
        if not wanted:
            try:
                await asyncio.wait_for(credit.regained.wait(), IDLE_WAIT)
            except TimeoutError:
                pass
            return {}
        short = active_partitions is not None and len(wanted) < len(active_partitions)
        fetched = await super()._getmany(wanted, SHORT_OF_CREDIT_WAIT if short else min(timeout, IDLE_WAIT))
        generation = self.app.consumer_generation_id
        return {tp: list(self._chunks(tp, records, generation)) for tp, records in fetched.items()}

    def _chunks(self, tp: TP, records: Iterable[ConsumerRecord], generation: int) -> Iterator[_ChunkAsRun]:
        for run in runs(records):
            chunk = Chunk(tp.topic, tp.partition, run, generation)
            self.app.credit.take(chunk)
            yield _ChunkAsRun(chunk)


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer = Consumer


class Schema(faust.Schema):
    """Passes the chunk on unchanged: nothing is decoded here, so nothing can be dropped as undecodable."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> None:
        """None: a chunk has no key."""
        return None

    def loads_value(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Chunk[ConsumerRecord]:
        """The chunk."""
        chunk: Chunk[ConsumerRecord] = message.value
        return chunk
