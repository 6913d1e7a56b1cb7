"""The worker's Kafka clients over the model, with the interfaces of those in `streams/worker/clients.py`.

The producer is the product's own, on connections to the model: that it asks for nothing twice is a promise to be held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import aiokafka.errors as errors
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import BrokerMetadata, OffsetAndMetadata

from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS
from streams.client.producer import Producer
from streams.worker.clients import REQUEST_SECONDS, TRANSACTION_SECONDS
from tests.simulation.kafka import Identity
from tests.simulation.log import BROKERS, Refusal, Row
from tests.simulation.loop import KAFKA, here
from tests.simulation.network import Network, Silence

IDLE_SECONDS = 1.0
"""Least seconds of an empty fetch, so that the simulation is fast."""
AGAIN_SECONDS = 0.02
COORDINATOR = BROKERS[0]
CODES: dict[str, int] = {
    str(one.message): int(one.errno)
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, errors.BrokerResponseError) and getattr(one, "errno", 0)
}
"""The number of each of Kafka's errors."""


Leaders = dict[TopicPartition, int]
"""By partition, the newest leader epoch that a worker's clients know."""
Value = Callable[[bytes | None], bytes | None]


class Reader:
    """The part of AIOKafkaConsumer that the worker uses: without group, committed records only."""

    committed = True
    """True if it asks for committed records only; a planted bug sets False."""

    def __init__(self, network: Network, leaders: Leaders, value: Value | None = None) -> None:
        """`leaders`: what all clients of a worker know of them. `value`: as of `streams.worker.clients.Clients`."""
        self._network, self._leaders, self._value = network, leaders, value
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Connects."""
        await self._network.ask("Metadata", lambda: None)

    async def stop(self) -> None:
        """Disconnects."""
        self._positions.clear()

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        """Reads these partitions from now on, each once it was told from where."""
        self._positions = {tp: self._positions.get(tp, -1) for tp in tps}
        for tp in self._positions:
            log = self._network.kafka.logs[tp]
            if tp not in self._leaders and not (log.deposed and self._network.random.random() < 0.5):
                self._leaders[tp] = log.leader_epoch

    def unsubscribe(self) -> None:
        """Reads nothing any more."""
        self._positions.clear()

    def pause(self, tp: TopicPartition) -> None:
        """Reads this partition no more, until it is assigned again."""
        self._positions.pop(tp, None)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Goes on there."""
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        """Returns the offset of the next record, or of what stands before it and is none."""
        return self._positions[tp]

    async def getmany(
        self, *tps: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Returns what is there, in partitions of its own choice; nothing where nothing comes in time."""
        loop, network = asyncio.get_running_loop(), self._network
        until = loop.time() + max(timeout_ms / 1000, IDLE_SECONDS)
        while True:
            await asyncio.sleep(network.latency())
            found, moved = self._fetched(tps, max_records or 500)
            if found or moved or loop.time() >= until:
                return found
            await network.news(tps or tuple(self._positions), until)

    def _fetched(
        self, tps: Sequence[TopicPartition], most: int
    ) -> tuple[dict[TopicPartition, list[ConsumerRecord]], bool]:
        network, machine = self._network, here()
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        moved = False
        wanted = [tp for tp in (tps or tuple(self._positions)) if self._positions.get(tp, -1) >= 0]
        if len(wanted) > 1:
            network.random.shuffle(wanted)
        for tp in wanted:
            log, at = network.kafka.logs[tp], self._positions[tp]
            stale = log.deposed is not None and self._leaders.get(tp, -1) < log.leader_epoch
            if log.deposed is None:
                self._leaders[tp] = log.leader_epoch
            elif network.random.random() < 0.05:
                self._leaders[tp] = -1  # by the answer of any broker to Metadata, which has no epochs
            if network.withholds(machine, tp) or most <= 0:
                continue
            if network.random.random() < 0.2:
                most = min(most, network.random.randint(1, 3))
            try:
                records, position = log.fetch(at, most, committed=self.committed, stale=stale)
            except Refusal:  # a deposed leader has not what a newer one gave us
                raise OffsetOutOfRangeError({tp: at}) from None
            if position != at:
                self._positions[tp], moved = position, True
            if records:
                found[tp] = [replace(one, value=self._value(one.value)) for one in records] if self._value else records
                most -= len(records)
        return found, moved


class Ends:
    """The bounds of logs, as the newest leaders have them: what `streams.client.log_ends.Ends` promises."""

    def __init__(self, network: Network, leaders: Leaders) -> None:
        self._network, self._leaders = network, leaders
        self.doubts = 0
        """Number of times that a leader changed or a request failed."""
        self._restarts = network.restarts
        self.topic_ids = dict(network.kafka.ids)
        """The id of each topic, as a broker told it last."""

    async def start(self) -> None:
        """Connects."""
        await self._network.ask("Metadata", lambda: None)

    async def stop(self) -> None:
        """Disconnects."""

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the end of each log, uncommitted records included."""
        return await self._asked(tps, "end")

    async def of_topics(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """Returns the end of each log of these topics."""
        names = frozenset(topics)
        return await self._asked([tp for tp in self._network.kafka.logs if tp.topic in names], "end")

    async def stable(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the stable end of each log."""
        return await self._asked(tps, "stable")

    async def since(self, tps: Iterable[TopicPartition], at: int) -> dict[TopicPartition, int]:
        """Returns the first offset of each log that was received at that time or later, or its stable end."""
        logs, wanted = self._network.kafka.logs, list(tps)

        def first(tp: TopicPartition) -> int:
            late = (one.offset for one in logs[tp].committed() if one.timestamp >= at)
            return next(late, logs[tp].stable)

        found: dict[TopicPartition, int] = await self._sure("ListOffsets", lambda: {tp: first(tp) for tp in wanted})
        return found

    async def beginnings(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the first offset that each log keeps."""
        return await self._asked(tps, "begin")

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Returns the partitions of these topics, in order."""
        logs = self._network.kafka.logs
        return await self._sure("Metadata", lambda: sorted(tp for tp in logs if tp.topic in topics))

    def watch(self, topics: Iterable[str]) -> None:
        """Has each question ask for these topics, too."""

    async def ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Returns the ids of these topics by name."""
        ids = self._network.kafka.ids
        found: dict[str, str] = await self._sure("Metadata", lambda: {one: ids[one] for one in topics})
        self.topic_ids |= found
        return found

    async def _asked(self, tps: Iterable[TopicPartition], what: str) -> dict[TopicPartition, int]:
        logs, wanted = self._network.kafka.logs, list(tps)

        def answer() -> dict[TopicPartition, int]:
            newest = {tp: logs[tp].leader_epoch for tp in wanted}
            self.doubts += any(self._leaders.get(tp, -1) not in (-1, epoch) for tp, epoch in newest.items())
            self.doubts += self._restarts != self._network.restarts
            self._restarts = self._network.restarts
            self._leaders.update(newest)
            self.topic_ids |= self._network.kafka.ids
            return {tp: getattr(logs[tp], what) for tp in wanted}

        found: dict[TopicPartition, int] = await self._sure("ListOffsets", answer)
        return found

    async def _sure(self, request: str, answer: Callable[[], Any]) -> Any:
        """Asks until it is answered, however long that takes."""
        while True:
            try:
                return await self._network.ask(request, answer)
            except errors.KafkaError:
                self.doubts += 1
                await asyncio.sleep(AGAIN_SECONDS)


class Connections:
    """The part of AIOKafkaClient that our producer uses: it sends requests to brokers, in Kafka's own form."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._leaders: dict[TopicPartition, int] = {}
        self._topics: list[str] = []
        self.cluster = self

    async def bootstrap(self) -> None:
        """Connects."""
        await self._network.ask("Metadata", lambda: None)

    async def set_topics(self, topics: Iterable[str]) -> None:
        """Learns who leads these topics."""
        self._topics = list(topics)
        await self._network.ask("Metadata", self._learn)

    async def close(self) -> None:
        """Disconnects."""

    def force_metadata_update(self) -> None:
        """Learns anew who leads, in a moment."""
        asyncio.get_running_loop().call_later(self._network.latency(), self._learn, context=KAFKA)

    def brokers(self) -> list[Any]:
        """Returns all brokers."""
        return [BrokerMetadata(node, "simulated", 1, None) for node in BROKERS]

    def leader_for_partition(self, tp: TopicPartition) -> int | None:
        """Returns the leader, as it was when somebody asked last."""
        return self._leaders.get(tp)

    def _learn(self) -> None:
        for tp, log in self._network.kafka.logs.items():
            if tp.topic in self._topics:
                self._leaders[tp] = log.leader

    async def send(self, node: int, request: Any, **_: Any) -> Any:
        """Sends a request and returns the answer; raises where none comes."""
        name = type(request).__name__.removesuffix("Request")
        return await self._network.ask(name, partial(getattr(self, f"_{name}"), node, request))

    def _FindCoordinator(self, node: int, request: Any) -> Any:
        return SimpleNamespace(error_code=0, coordinator_id=COORDINATOR)

    def _InitProducerId(self, node: int, request: Any) -> Any:
        kafka, name = self._network.kafka, request._transactional_id
        try:
            found = kafka.init(name, request._transaction_timeout_ms)
        except Refusal as refusal:
            self._network.decided(name)
            return SimpleNamespace(error_code=CODES[refusal.name], producer_id=-1, producer_epoch=-1)
        return SimpleNamespace(error_code=0, producer_id=found.pid, producer_epoch=found.epoch)

    def _AddPartitionsToTxn(self, node: int, request: Any) -> Any:
        tps = [TopicPartition(topic, number) for topic, numbers in request._topics for number in numbers]
        code = _code(lambda: self._network.kafka.add(request._transactional_id, _who(request), tps))
        return SimpleNamespace(errors=[(topic, [(one, code) for one in numbers]) for topic, numbers in request._topics])

    def _AddOffsetsToTxn(self, node: int, request: Any) -> Any:
        kafka, name = self._network.kafka, request._transactional_id
        return SimpleNamespace(error_code=_code(lambda: kafka.add_offsets(name, _who(request), request._group_id)))

    def _TxnOffsetCommit(self, node: int, request: Any) -> Any:
        offsets = {
            TopicPartition(topic, number): OffsetAndMetadata(offset, metadata)
            for topic, rows in request._topics
            for number, offset, metadata in rows
        }
        kafka, name = self._network.kafka, request._transactional_id
        code = _code(lambda: kafka.commit_offsets(name, _who(request), request._group_id, offsets))
        return SimpleNamespace(
            errors=[(topic, [(number, code) for number, *_ in rows]) for topic, rows in request._topics]
        )

    def _OffsetFetch(self, node: int, request: Any) -> Any:
        kafka, group = self._network.kafka, request._consumer_group
        none = OffsetAndMetadata(-1, "")
        topics = []
        for topic, numbers in request._partitions:
            found = [(number, kafka.offset(group, TopicPartition(topic, number)) or none) for number in numbers]
            topics.append((topic, [(number, one.offset, one.metadata, 0) for number, one in found]))
        return SimpleNamespace(topics=topics, error_code=0)

    def _EndTxn(self, node: int, request: Any) -> Any:
        kafka, name = self._network.kafka, request._transactional_id
        code = _code(lambda: kafka.end(name, _who(request), commit=request._transaction_result))
        if code == 0:
            self._network.decided(name)
        return SimpleNamespace(error_code=code)

    def _Produce(self, node: int, request: Any) -> Any:
        network, topics = self._network, []
        for topic, parts in request._topics:
            answers = []
            for number, data in parts:
                tp, offset, code = TopicPartition(topic, number), -1, 0
                log = network.kafka.logs[tp]
                if node != log.leader and log.deposed is not None:
                    raise Silence  # it waits for replicas that follow another leader
                try:
                    if node != log.leader:
                        raise Refusal("NOT_LEADER_FOR_PARTITION")
                    offset = self._appended(request._transactional_id, tp, data)
                except Refusal as refusal:
                    code = CODES[refusal.name]
                answers.append((number, code, offset, network.kafka.now(), log.begin))
            topics.append((topic, answers))
        return SimpleNamespace(topics=topics)

    def _appended(self, name: str, tp: TopicPartition, data: bytes) -> int:
        batch: Any = MemoryRecords(data).next_batch()
        rows: list[Row] = [(one.key, one.value, one.headers) for one in batch]
        who = Identity(batch.producer_id, batch.producer_epoch)
        offset = self._network.kafka.produce(name, who, tp, rows, batch.base_sequence)
        self._network.appended(tp)
        return offset


def _who(request: Any) -> Identity:
    return Identity(request._producer_id, request._producer_epoch)


def _code(apply: Callable[[], None]) -> int:
    """Returns the code of the error with which Kafka refuses this, 0 where it does not."""
    try:
        apply()
    except Refusal as refusal:
        return CODES[refusal.name]
    return 0


class Clients:
    """Makes clients as `streams.worker.clients.Clients` does; the producer is the product's, on other connections."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network, self._settings = network, settings
        self._leaders: Leaders = {}

    def reader(self, *, value: Value | None = None, **_: Any) -> Reader:
        """Returns a reader."""
        return Reader(self._network, self._leaders, value)

    def ends(self) -> Ends:
        """Returns who knows the bounds of logs."""
        return Ends(self._network, self._leaders)

    def producer(self, partition: int) -> Producer:
        """Returns the transactional producer of a partition."""
        settings = self._settings
        topics = [settings.topic(topic.name) for topic in TOPICS.values() if "worker" in topic.writers]
        name = f"{settings.group}-{partition}"
        return Producer(
            Connections(self._network),
            name,
            topics,
            timeout=TRANSACTION_SECONDS,
            request=REQUEST_SECONDS,
        )
