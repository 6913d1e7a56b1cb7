"""The model of Kafka is one: asked the same 200 things, a real Kafka and the model answer alike.

The real one is asked in the protocol versions that our own clients speak, below any client that would ask again by
itself. Left out: compaction and the expiry of transactions, which take Kafka's own threads minutes, and leaders that
were deposed, which take three brokers (`tests/integration/test_three_brokers.py` has them).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import for_code
from aiokafka.protocol.coordination import FindCoordinatorRequest
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

from tests.simulation.kafka import Identity, Kafka
from tests.simulation.log import Refusal, Row

OPERATIONS = 200
TIMEOUT_MS = 60_000
PASSES = (
    "CONCURRENT_TRANSACTIONS",
    "NOT_ENOUGH_REPLICAS",
    "NOT_LEADER_FOR_PARTITION",
    "NOT_COORDINATOR",
    "COORDINATOR_NOT_AVAILABLE",
    "COORDINATOR_LOAD_IN_PROGRESS",
)
"""Errors that pass by themselves; the model of this test settles each transaction at once."""
SECONDS = 20.0


class Modelled:
    """The model, asked as the real one is."""

    def __init__(self, partitions: Iterable[TopicPartition], group: str) -> None:
        self.group = group
        self.kafka = Kafka(lambda: 0)
        for topic in sorted({tp.topic for tp in partitions}):
            self.kafka.create(topic, sum(tp.topic == topic for tp in partitions))

    async def init(self, name: str) -> Identity:
        try:
            return self.kafka.init(name, TIMEOUT_MS)
        except Refusal:
            self.kafka.settle(name)
            return self.kafka.init(name, TIMEOUT_MS)

    async def add(self, name: str, who: Identity, tp: TopicPartition) -> None:
        self.kafka.add(name, who, [tp])

    async def add_offsets(self, name: str, who: Identity) -> None:
        self.kafka.add_offsets(name, who, self.group)

    async def produce(
        self, name: str | None, who: Identity | None, tp: TopicPartition, rows: list[Row], sequence: int
    ) -> int:
        return self.kafka.produce(name, who, tp, rows, sequence)

    async def commit_offsets(self, name: str, who: Identity, tp: TopicPartition, offset: int) -> None:
        self.kafka.commit_offsets(name, who, self.group, {tp: OffsetAndMetadata(offset, f"at {offset}")})

    async def end(self, name: str, who: Identity, *, commit: bool) -> None:
        self.kafka.end(name, who, commit=commit)
        self.kafka.settle(name)

    async def delete(self, tp: TopicPartition, upto: int) -> None:
        self.kafka.logs[tp].delete(upto)

    async def bounds(self, tp: TopicPartition) -> tuple[int, int, int]:
        log = self.kafka.logs[tp]
        return log.begin, log.stable, log.end

    async def fetch(self, tp: TopicPartition, *, committed: bool) -> tuple[list[tuple[int, Any, Any]], int]:
        log = self.kafka.logs[tp]
        records, position = log.fetch(log.begin, 10_000, committed=committed)
        return [(one.offset, one.key, one.value) for one in records], position

    async def offset(self, tp: TopicPartition) -> tuple[int, str] | None:
        found = self.kafka.offset(self.group, tp)
        return (found.offset, found.metadata) if found else None


class Real:
    """One connection to a real broker, and readers of either isolation."""

    async def start(self, bootstrap: str, partitions: Iterable[TopicPartition], names: list[str], group: str) -> None:
        self.group = group
        host, _, port = bootstrap.partition(":")
        self._conn = await create_conn(host, int(port))
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await self._admin.start()
        topics = sorted({tp.topic for tp in partitions})
        await self._admin.create_topics(
            [NewTopic(topic, sum(tp.topic == topic for tp in partitions), 1) for topic in topics]
        )
        how: dict[str, Any] = {"bootstrap_servers": bootstrap, "enable_auto_commit": False, "fetch_max_wait_ms": 20}
        self._readers = {
            level: AIOKafkaConsumer(**how, isolation_level=level) for level in ("read_committed", "read_uncommitted")
        }
        self._grouped = AIOKafkaConsumer(**how, group_id=group)
        await asyncio.gather(*(one.start() for one in (*self._readers.values(), self._grouped)))
        for name in names:
            await self._conn.send(FindCoordinatorRequest(name, 1))
        await self._conn.send(FindCoordinatorRequest(group, 0))

    async def stop(self) -> None:
        self._conn.close()
        await asyncio.gather(*(one.stop() for one in (*self._readers.values(), self._grouped)), self._admin.close())

    async def _asked(self, request: Any) -> Any:
        """Returns the answer, once it is none that passes by itself."""
        began = time.monotonic()
        while True:
            answer = await self._conn.send(request)
            name = _refused(answer)
            if name is None:
                return answer
            if name not in PASSES or time.monotonic() - began > SECONDS:
                raise Refusal(name)
            await asyncio.sleep(0.005)

    async def init(self, name: str) -> Identity:
        answer = await self._asked(InitProducerIdRequest(name, TIMEOUT_MS))
        return Identity(answer.producer_id, answer.producer_epoch)

    async def add(self, name: str, who: Identity, tp: TopicPartition) -> None:
        await self._asked(AddPartitionsToTxnRequest(name, *who, [(tp.topic, [tp.partition])]))

    async def add_offsets(self, name: str, who: Identity) -> None:
        await self._asked(AddOffsetsToTxnRequest(name, *who, self.group))

    async def produce(
        self, name: str | None, who: Identity | None, tp: TopicPartition, rows: list[Row], sequence: int
    ) -> int:
        pid, epoch = who or (-1, -1)
        builder = DefaultRecordBatchBuilder(2, 0, int(who is not None), pid, epoch, sequence if who else -1, 1 << 20)
        for number, (key, value, headers) in enumerate(rows):
            builder.append(number, int(time.time() * 1000), key, value, list(headers))
        batch = bytes(builder.build())
        answer = await self._asked(ProduceRequest(name, -1, 5_000, [(tp.topic, [(tp.partition, batch)])]))
        offset: int = answer.topics[0][1][0][2]
        return offset

    async def commit_offsets(self, name: str, who: Identity, tp: TopicPartition, offset: int) -> None:
        offsets = [(tp.topic, [(tp.partition, offset, f"at {offset}")])]
        await self._asked(TxnOffsetCommitRequest(name, self.group, *who, offsets))

    async def end(self, name: str, who: Identity, *, commit: bool) -> None:
        for _ in range(2):  # the second time it is answered once all markers are written
            await self._asked(EndTxnRequest(name, *who, commit))

    async def delete(self, tp: TopicPartition, upto: int) -> None:
        from aiokafka.admin.records_to_delete import RecordsToDelete

        await self._admin.delete_records({tp: RecordsToDelete(before_offset=upto)})

    async def bounds(self, tp: TopicPartition) -> tuple[int, int, int]:
        committed, uncommitted = self._readers.values()
        begin = await committed.beginning_offsets([tp])
        stable, end = await committed.end_offsets([tp]), await uncommitted.end_offsets([tp])
        return begin[tp], stable[tp], end[tp]

    async def fetch(self, tp: TopicPartition, *, committed: bool) -> tuple[list[tuple[int, Any, Any]], int]:
        reader = self._readers["read_committed" if committed else "read_uncommitted"]
        begin, stable, end = await self.bounds(tp)
        reader.assign([tp])
        reader.seek(tp, begin)
        found: list[tuple[int, Any, Any]] = []
        while (position := await reader.position(tp)) < (stable if committed else end):
            fetched = await reader.getmany(tp, timeout_ms=50)
            found += [(one.offset, one.key, one.value) for one in fetched.get(tp, ())]
        return found, position

    async def offset(self, tp: TopicPartition) -> tuple[int, str] | None:
        self._grouped.assign([tp])
        found = await self._grouped._coordinator.fetch_committed_offsets([tp])  # type: ignore[attr-defined]
        return (found[tp].offset, found[tp].metadata) if tp in found else None


def _refused(answer: Any) -> str | None:
    """Returns the first error of an answer, by Kafka's name."""
    codes = [answer.error_code] if hasattr(answer, "error_code") else []
    for name in ("errors", "topics"):
        codes += [one[1] for _, partitions in getattr(answer, name, ()) for one in partitions]
    wrong = next((code for code in codes if code), 0)
    return None if wrong == 0 else {90: "PRODUCER_FENCED"}.get(wrong) or str(for_code(wrong).message)


class Script:
    """Draws operations from a seed, and knows of each producer what it would."""

    def __init__(self, random: Random, partitions: list[TopicPartition]) -> None:
        self.random, self.partitions = random, partitions
        self.known: list[tuple[str, Identity, Identity, dict[TopicPartition, int]]] = []
        """Name, identity in the model and in the real one, next sequence number by partition."""
        self.rows = 0

    def operation(self) -> tuple[str, Callable[[Any, int], Awaitable[Any]]]:
        """Returns what to do, in words, and as a function of the side (0 is the model) and its number."""
        random, tp = self.random, self.random.choice(self.partitions)
        kind = random.choices(
            ["init", "plain", "add", "produce", "stale", "offsets", "end", "bounds", "fetch", "offset", "delete"],
            [8, 4, 16, 22, 4, 6, 18, 8, 10, 3, 1],
        )[0]
        if kind == "init" or not self.known:
            return "init", lambda side, _: side.init("")
        if kind in ("bounds", "offset"):
            return f"{kind} {tp}", lambda side, _: getattr(side, kind)(tp)
        if kind == "fetch":
            committed = random.random() < 0.7
            return f"fetch {tp} {committed}", lambda side, _: side.fetch(tp, committed=committed)
        rows: list[Row] = [
            (b"k%d" % random.randrange(9), b"v%d" % (self.rows + n), [("h", b"x")]) for n in range(random.randint(1, 4))
        ]
        self.rows += len(rows)
        if kind == "plain":
            return f"plain {tp}", lambda side, _: side.produce(None, None, tp, rows, 0)
        if kind == "delete":
            return f"delete {tp}", lambda side, _: self._delete(side, tp)
        late = random.random() < 0.2  # one that was fenced, perhaps
        name, *ids, sequences = random.choice(self.known if late else self.known[-3:])
        if kind == "add":
            return f"add {name} {ids[0]} {tp}", lambda side, n: side.add(name, ids[n], tp)
        if kind in ("produce", "stale"):
            sequence = sequences.get(tp, 0)
            if kind == "stale":
                name, *ids, sequences = next((one for one in reversed(self.known) if tp in one[3]), self.known[-1])
                sequence = max(0, sequences.get(tp, 0) - random.randint(-2, 3))
            known = self.known
            mine = next(at for at, one in enumerate(known) if one[3] is sequences)

            async def produced(side: Any, n: int) -> Any:
                offset = await side.produce(name, ids[n], tp, rows, sequence)
                if n == 1 and sequence == known[mine][3].get(tp, 0):
                    known[mine][3][tp] = sequence + len(rows)
                return offset

            return f"produce {name} {ids[0]} {tp} {sequence}+{len(rows)}", produced
        if kind == "offsets":
            at = random.randrange(100)

            async def offsets(side: Any, n: int) -> None:
                if at % 4:
                    await side.add_offsets(name, ids[n])
                await side.commit_offsets(name, ids[n], tp, at)

            return f"offsets {name} {ids[0]} {tp} {at}", offsets
        commit = random.random() < 0.7
        return f"end {name} {ids[0]} {commit}", lambda side, n: side.end(name, ids[n], commit=commit)

    async def _delete(self, side: Any, tp: TopicPartition) -> None:
        begin, stable, _ = await side.bounds(tp)
        await side.delete(tp, (begin + stable) // 2)


async def _answer(asking: Awaitable[Any]) -> Any:
    try:
        return await asking
    except Refusal as refusal:
        return refusal.name


async def _compared(bootstrap: str, prefix: str, seed: int) -> list[str]:
    random = Random(seed)
    partitions = [TopicPartition(f"{prefix}a", 0), TopicPartition(f"{prefix}a", 1), TopicPartition(f"{prefix}b", 0)]
    names = [f"{prefix}{number}" for number in range(3)]
    real, model = Real(), Modelled(partitions, prefix)
    await real.start(bootstrap, partitions, names, prefix)
    script, history = Script(random, partitions), list[str]()
    try:
        for number in range(OPERATIONS):
            said, do = script.operation()
            if said == "init":
                name = random.choice(names)
                here, there = await model.init(name), await real.init(name)
                script.known.append((name, here, there, {}))
                ours, theirs = here.epoch, there.epoch
                said = f"init {name}"
            else:
                ours = await _answer(do(model, 0))
                began = time.monotonic()
                while True:
                    theirs = await _answer(do(real, 1))
                    reads = said.split()[0] in ("bounds", "fetch", "offset")
                    if ours == theirs or not reads or time.monotonic() - began > SECONDS:
                        break  # markers are on their way
                    await asyncio.sleep(0.01)
            history.append(f"{number}: {said}: {ours!r}")
            assert ours == theirs, "\n".join((*history[-25:], f"but Kafka says {theirs!r}"))
    finally:
        await real.stop()
    return history


@pytest.mark.parametrize("seed", [5])
def test_given_200_operations_then_kafka_and_its_model_answer_alike(kafka, prefix, seed):
    history = asyncio.run(_compared(kafka.bootstrap, prefix, seed))
    said = " ".join(history)
    for answer in ("INVALID_PRODUCER_EPOCH", "INVALID_TXN_STATE", "OUT_OF_ORDER_SEQUENCE_NUMBER"):
        assert answer in said, f"this script never shows {answer}: take another seed"
