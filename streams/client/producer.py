"""The transactional producer of one partition: each request is sent once, a commit after all other answers.

A client library repeats unanswered requests. That is a hole with brokers whose epoch spans several transactions. A
delayed request to commit can arrive in the middle of the next transaction, and end it there. So any missing answer ends
this producer. The next one asks for a new epoch, which fences all requests still on their way. The log alone then shows
which transactions were committed. docs/adr/0025-turns.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import aiokafka.errors as errors
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import OffsetAndMetadata

from schemas.topics import Compression
from streams.client.compression import packed
from streams.client.coordinators import PATIENCE, Coordinators, error_of, patiently

BATCH_BYTES = 1_000_000
ALL_REPLICAS = -1
T = TypeVar("T")


class ProducerBatch:
    """Records for one partition of one topic (the broker's name), to be written together.

    `compression`: of the batch as it is sent. Its size is bounded before that, so that no reader inflates more.
    """

    def __init__(self, topic: str, partition: int, compression: Compression = "uncompressed") -> None:
        self.tp = TopicPartition(topic, partition)
        self.records = 0
        self._compression: Compression = compression
        self._builder = DefaultRecordBatchBuilder(2, 0, 1, -1, -1, 0, BATCH_BYTES)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        timestamp: int | None = None,
    ) -> bool:
        """Takes a record; False if there is no room for it. `timestamp`: milliseconds, None for now."""
        if len(key or b"") + len(value or b"") > BATCH_BYTES:
            return False
        if self._builder.append(self.records, timestamp, key, value, list(headers)) is None:
            return False
        self.records += 1
        return True

    def written(self, producer_id: int, epoch: int, sequence: int) -> bytes:
        """The bytes of the batch to send; call it once only."""
        self._builder.set_producer_state(producer_id, epoch, sequence)
        return packed(bytes(self._builder.build()), self._compression)


@dataclass(frozen=True, slots=True)
class Appended:
    """The first offset of a batch, and the broker's time stamp in milliseconds."""

    offset: int
    timestamp: int


class Producer:
    """Writer of one transaction after another under one epoch; any uncertain result is raised, and ends it.

    `client`: its own, not started. `topics`: the broker's names of all topics to be written.
    `timeout`: seconds after which Kafka itself ends a transaction. `request`: seconds that an answer may take.
    """

    def __init__(
        self,
        client: AIOKafkaClient,
        transactional_id: str,
        topics: Iterable[str],
        *,
        timeout: float,
        request: float,
    ) -> None:
        self._client = client
        self._id, self._topics = transactional_id, list(topics)
        self._timeout, self._request = int(timeout * 1000), request
        self._producer_id, self._epoch = -1, -1
        self._sequences: dict[TopicPartition, int] = {}
        self._coordinators = Coordinators(client)
        self._usable = False

    async def start(self) -> None:
        """Asks for a new epoch, which fences the former holder of the id and settles its open transaction."""
        await self._client.bootstrap()
        await self._client.set_topics(self._topics)
        await self._take_epoch()
        self._usable = True

    async def _take_epoch(self) -> None:
        """Takes a new epoch, which comes once the markers of the last transaction are written."""

        async def once() -> None:
            answer = await self._coordinators.ask(
                CoordinationType.TRANSACTION, self._id, InitProducerIdRequest(self._id, self._timeout)
            )
            self._coordinators.demand(answer.error_code, CoordinationType.TRANSACTION)
            self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch

        await patiently(once)
        self._sequences.clear()

    async def stop(self) -> None:
        """Disconnects; an open transaction stays open until the next epoch or its time-out ends it."""
        self._usable = False
        await self._client.close()

    async def commit(
        self, batches: Sequence[ProducerBatch], offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str
    ) -> list[Appended]:
        """Writes the batches and the group's offsets in one transaction. The result is the place of each batch.

        A result means committed. Any error ends this producer, and only the log shows whether the transaction was
        committed.
        """
        if not self._usable:
            raise errors.ProducerClosed
        self._usable = False
        if batches:
            await patiently(partial(self._add, {batch.tp for batch in batches}))
        places: list[Appended]
        places, _ = await _together(self._write(batches), self._mirror(offsets, group))
        await self._end()
        self._usable = True
        return places

    async def notes(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, str]:
        """The notes beside a group's committed offsets of these partitions, those that are not empty."""

        async def once() -> dict[TopicPartition, str]:
            request = OffsetFetchRequest(group, _by_topic(partitions, lambda tp: tp.partition))
            answer = await self._coordinators.ask(CoordinationType.GROUP, group, request)
            rows = [(topic, *row) for topic, rows in answer.topics for row in rows]
            for code in (answer.error_code, *(code for *_, code in rows)):
                self._coordinators.demand(code, CoordinationType.GROUP)
            return {TopicPartition(topic, number): note for topic, number, _, note, _ in rows if note}

        return await patiently(once)

    async def _add(self, partitions: set[TopicPartition]) -> None:
        topics = _by_topic(partitions, lambda tp: tp.partition)
        answer = await self._coordinators.ask(
            CoordinationType.TRANSACTION,
            self._id,
            AddPartitionsToTxnRequest(self._id, self._producer_id, self._epoch, topics),
        )
        codes = [code for _, partition_errors in answer.errors for _, code in partition_errors]
        # if one partition is refused, the others were not tried
        for code in sorted(codes, key=lambda code: code == errors.OperationNotAttempted.errno):
            self._coordinators.demand(code, CoordinationType.TRANSACTION)

    async def _write(self, batches: Sequence[ProducerBatch]) -> list[Appended]:
        """Writes the first batch of each partition, then the second: a request takes one of each."""
        written: dict[int, Appended] = {}
        sent = [self._bytes(batch) for batch in batches]
        left = list(range(len(batches)))
        while left:
            first = {batches[number].tp: number for number in reversed(left)}
            written |= await patiently(partial(self._send, first, sent))
            left = [number for number in left if number not in written]
        return [written[number] for number in range(len(batches))]

    def _bytes(self, batch: ProducerBatch) -> bytes:
        sequence = self._sequences.get(batch.tp, 0)
        self._sequences[batch.tp] = (sequence + batch.records) % 2**31
        return batch.written(self._producer_id, self._epoch, sequence)

    async def _send(
        self, wave: Mapping[TopicPartition, int], sent: Sequence[bytes], *, transactional: bool = True
    ) -> dict[int, Appended]:
        """Sends each leader its batches. The result has the written ones; raises if none is, or one never will be."""
        leaders: dict[int, list[TopicPartition]] = {}
        for tp in wave:
            leader = self._client.cluster.leader_for_partition(tp)
            if leader is None or leader < 0:
                self._client.force_metadata_update()
                raise errors.LeaderNotAvailableError
            leaders.setdefault(leader, []).append(tp)
        id_ = self._id if transactional else None
        answers = await _together(*(self._produce(id_, leader, tps, wave, sent) for leader, tps in leaders.items()))
        written, refused = dict[int, Appended](), list[errors.KafkaError]()
        for topic, partition, code, offset, timestamp in (row for rows in answers for row in rows):
            if code:
                refused.append(error_of(code))
            else:
                written[wave[TopicPartition(topic, partition)]] = Appended(offset, timestamp)
        if any(error.invalid_metadata for error in refused):
            self._client.force_metadata_update()
        if final := [error for error in refused if not isinstance(error, PATIENCE)]:
            raise final[0]
        if not written:
            raise refused[0]
        return written

    async def _produce(
        self,
        id_: str | None,
        leader: int,
        tps: Sequence[TopicPartition],
        wave: Mapping[TopicPartition, int],
        sent: Sequence[bytes],
    ) -> list[tuple[str, int, int, int, int]]:
        """For each partition its topic, number, the broker's code, the batch's offset and time stamp."""
        topics = _by_topic(tps, lambda tp: (tp.partition, sent[wave[tp]]))
        request = ProduceRequest(id_, ALL_REPLICAS, int(self._request * 1000), topics)
        answer = await self._client.send(leader, request)
        return [(topic, *row[:4]) for topic, rows in answer.topics for row in rows]

    async def _mirror(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str) -> None:
        """Writes the group's offsets with the transaction, for lag tools; the engine does not trust them."""
        if not offsets:
            return

        async def announced() -> None:
            request = AddOffsetsToTxnRequest(self._id, self._producer_id, self._epoch, group)
            answer = await self._coordinators.ask(CoordinationType.TRANSACTION, self._id, request)
            self._coordinators.demand(answer.error_code, CoordinationType.TRANSACTION)

        async def written() -> None:
            topics = _by_topic(offsets, lambda tp: (tp.partition, offsets[tp].offset, offsets[tp].metadata))
            request = TxnOffsetCommitRequest(self._id, group, self._producer_id, self._epoch, topics)
            answer = await self._coordinators.ask(CoordinationType.GROUP, group, request)
            for _, partition_errors in answer.errors:
                for _, code in partition_errors:
                    self._coordinators.demand(code, CoordinationType.GROUP)

        await patiently(announced)
        await patiently(written)

    async def _end(self, *, commit: bool = True) -> None:
        """Commits, or aborts. Asked once, because a second request could arrive in another transaction."""
        request = EndTxnRequest(self._id, self._producer_id, self._epoch, commit)
        answer = await self._coordinators.ask(CoordinationType.TRANSACTION, self._id, request)
        self._coordinators.demand(answer.error_code, CoordinationType.TRANSACTION)


def _by_topic(partitions: Iterable[TopicPartition], row: Callable[[TopicPartition], T]) -> list[tuple[str, list[T]]]:
    """A row for each partition, grouped by topic, in the form of Kafka's requests."""
    return [(topic, [row(tp) for tp in tps]) for topic, tps in groupby(sorted(partitions), lambda tp: tp.topic)]


async def _together(*work: Awaitable[Any]) -> list[Any]:
    """The results of all; if one fails, the others are cancelled, and its error is raised."""
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(awaitable)) for awaitable in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work
