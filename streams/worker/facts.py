"""Followers of the fact topics, and the barrier that every chunk passes before it is judged.

Facts are followed, not consumed: every worker reads them whole on its own connection, without a group. So no flood of
sends delays a withdrawal, and a rebalance moves no facts.

The barrier: a fact binds from the moment Kafka acknowledged it. So the end offsets of all fact partitions are asked
*after* a chunk was fetched. They include uncommitted records, as Kafka acknowledges a commit before it writes the
marker. The chunk is judged once the follower has passed each of these ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.ground import metrics
from gatekeeper.ground.errors import GatekeeperError, RestartError
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.tables import MemoryTables
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.fact_logs import Content, FactLogs, combined
from gatekeeper.ledger.head import Head
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client import replicas
from streams.client.batches import refusal
from streams.client.read_log import ReadLog, ReadPart
from streams.worker import offsets
from streams.worker.clients import Clients
from streams.worker.clock import Clock
from streams.worker.kept_facts import KeptFacts, name_of
from streams.worker.log_follower import VANISHED, LogFollower
from streams.worker.log_proof import LogProof
from streams.worker.unread_facts import LongValue, UnreadFacts, cut, unreadable_part

log = structlog.get_logger(__name__)

WATCH_SECONDS = 1.0
"""Seconds. An idle worker passes the barrier so often; readiness is as old as the last pass."""
PROOF_SECONDS = 1.0
"""Seconds between two tries to prove that the logs are those that were read, while no broker shows them."""
TOLD_SECONDS = 10.0
"""Seconds between two lines of the log about the first reading."""


class FirstReading(NamedTuple):
    """Progress of the first reading of all facts after a start, before which nothing is decided.

    `people`: the people with facts by now. `done`, `of`: offsets read, and those that there were at the start.
    `until`: the estimated end in milliseconds since the epoch, None before anything was read.
    """

    people: int
    done: int
    of: int
    until: int | None


class Followers(LogFollower):
    """Applies every record of the fact topics to a FactStore, in the order of each partition.

    `store`: the facts in memory; `kept` has them on the disk instead.
    """

    def __init__(
        self,
        settings: Settings,
        store: FactStore | None,
        clients: Clients,
        clock: Clock,
        kept: KeptFacts | None = None,
        measured: Metrics | None = None,
    ) -> None:
        super().__init__(settings, clients, FACT_TOPICS, value=cut)
        self.store = kept.store if kept else store or FactStore(settings.group, settings.founder)
        self.kept = kept
        """The facts on the disk, None if they are in memory alone."""
        self.unreadable = UnreadFacts(MemoryTables().journal("dead"))
        """Records that could not be read; a partition's owner puts each into `deadletter` once."""
        self.as_of = 0
        """Milliseconds since the epoch up to which every acknowledged fact is known to be applied."""
        self.behind: tuple[TopicPartition, ...] = ()
        """Partitions that the last barrier waited for in vain; empty if the barrier was passed."""
        self._clock, self._metrics = clock, measured or Metrics()
        self._commit: asyncio.Task[None] | None = None
        self._reread_at, self._continued = 0, False
        """True if the files had facts at the start, so that not all of them were read by this process."""
        self._goal: Mapping[TopicPartition, int] = {}
        self._begun = self._clock.now(), 0  # the instant, and the offsets that need not be read again
        self._told = float("-inf")
        self.expected: Sequence[Head] = ()
        """The heads of all partitions. Set them before the start, so that a first reading can be compared."""
        self._logs: dict[TopicPartition, ReadLog] = {}
        self._lost_at = 0
        self.vanished: GatekeeperError | None = None
        """The error of a log that is another one by now; nothing that was read counts any more."""
        self._lost: set[tuple[TopicPartition, int]] = set()
        """Batches, by their first offset, that no replica has whole. Each is asked for once."""
        self._wanted = asyncio.Event()
        self._next_round: asyncio.Future[Mapping[TopicPartition, int]] | None = None

    async def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Connects and begins to read; `on_failure` is called with any error that ends the reading."""

        def ended(error: BaseException) -> None:
            if isinstance(error, GatekeeperError) and error.key == VANISHED:
                self.vanished, self._lost_at = error, max(self.lost_at, self._clock.now())
            on_failure(error)

        self._fail, self._next_round = ended, asyncio.get_running_loop().create_future()
        await super().start(ended)

    async def stop(self) -> None:
        """Stops reading, and commits what was applied."""
        await super().stop()
        if self.kept is not None:
            await self._committed()
            await asyncio.to_thread(self.kept.cut(0, self._positions, self._logs))
            self.kept.close()

    @property
    def first_reading(self) -> FirstReading | None:
        """The progress of the first reading; None once every fact acknowledged before some moment is applied."""
        if self.as_of or not self._goal:
            return None
        done, total = self._behind(), sum(self._goal[tp] - self._begin[tp] for tp in self._goal)
        now, (since, before) = self._clock.now(), self._begun
        until = now + (total - done) * (now - since) // (done - before) if done > before else None
        return FirstReading(self.store.people, done, total, until)

    def _behind(self) -> int:
        """The number of offsets behind our positions, of those that there were at the start."""
        return sum(min(self._positions[tp], end) - self._begin[tp] for tp, end in self._goal.items())

    @property
    def lost_at(self) -> int:
        """The last time (milliseconds) at which applied records were found gone from their log, 0 if never.

        By this process, by its files, or by the notes of other workers.
        """
        return max(self._lost_at, self.kept.lost_at if self.kept is not None else 0)

    def heed_loss(self, at: int) -> None:
        """Takes note that a worker found facts gone at this time (milliseconds)."""
        self._lost_at = max(self._lost_at, at)

    async def missed(self, at: int) -> None:
        """Takes note that facts are gone by which somebody decided before this time (milliseconds).

        The files may know facts that are gone. So if they were continued, the process ends. The next one reads all
        facts anew before it says so again. Else the loss is kept on the disk, as a restart would not see it.
        """
        if self.kept is None:
            self.heed_loss(at)
            return
        if self.kept.lost_at >= at:
            return
        if self._continued:
            self.kept.distrust()
            error = RestartError("error.facts_differ")
            self._fail(error)
            raise error
        self.kept.miss(at)
        await self._idle()
        self._commit = asyncio.create_task(asyncio.to_thread(self.kept.cut(0, self._positions, self._logs)))
        await self._committed()

    async def lose(self, topic: str, number: int) -> None:
        """Ends the process, as this log no longer holds what was applied; the next one refuses each partition."""
        tp = TopicPartition(self._settings.topic(topic), number)
        self._fail(RestartError(VANISHED, topic=tp.topic, partition=number, offset=self._positions[tp]))

    async def keep_loss(self) -> bool:
        """Keeps in the files that facts are gone, once nobody reads them any more; False without files."""
        if self.kept is None or self.vanished is None:
            return False
        await self._idle()
        kept, self.kept = self.kept, None
        tp = TopicPartition(self.vanished.values["topic"], self.vanished.values["partition"])
        kept.lose(name_of(tp), self._lost_at)
        kept.close()
        return True

    def logs(self) -> dict[str, list[ReadLog]]:
        """Each log as it was read up to now, by registry topic and partition."""
        now = self._as_read()
        return {topic: [ReadLog(self._begin[tp], *now[tp]) for tp in tps] for topic, tps in self._by_topic().items()}

    @property
    def reread_at(self) -> int:
        """The last time (milliseconds) at which all facts were known to be those that were applied."""
        return self.kept.reread_at if self.kept is not None else self._reread_at

    def reread(self, at: int) -> None:
        """Takes note of a reading of all facts that began at this time (milliseconds)."""
        self._reread_at = at
        if self.kept is not None:
            self.kept.reread(at)

    def fact_logs(self) -> FactLogs:
        """The topics of facts as they were read, for the head of a partition."""
        return {
            topic: {
                "begin": self.begins(topic),
                "at": [self._positions[tp] for tp in tps],
                "hash": combined([self._logs[tp].content for tp in tps]),
            }
            for topic, tps in self._by_topic().items()
        }

    def begins(self, topic: str) -> Sequence[int]:
        """The first offset of each partition of a topic at the start."""
        return [self._begin[tp] for tp in self._by_topic()[topic]]

    def below(self, topic: str, positions: Sequence[int]) -> Sequence[Content] | None:
        """The content of each partition below its position, None if it was not noted when it was read."""
        contents = []
        for tp, position in zip(self._by_topic()[topic], positions, strict=False):
            self._logs[tp].position = self._positions[tp]
            if (content := self._logs[tp].below(position)) is None:
                return None
            contents.append(content)
        return contents

    def short_of(self, topic: str, positions: Sequence[int]) -> bool:
        """Tells whether a partition was read to an end below its position. Call it after a barrier."""
        return any(self._positions[tp] < at for tp, at in zip(self._by_topic()[topic], positions, strict=False))

    def _by_topic(self) -> dict[str, list[TopicPartition]]:
        partitions: dict[str, list[TopicPartition]] = {topic: [] for topic in self._topics.values()}
        for tp in sorted(self._positions):
            partitions[self._topics[tp.topic]].append(tp)
        return partitions

    def demand_newest(self) -> None:
        """Raises RestartError (70) if the facts are not those that were applied: on the disk, or in their log.

        A barrier asks it before anything is read. Ask it again before anything that was read counts.
        """
        if self.vanished is not None:
            raise RestartError(VANISHED, **self.vanished.values)
        if self.kept is not None:
            self.kept.demand_newest()

    async def barrier(self, timeout: float) -> bool:
        """True once every fact acknowledged before this call is applied, False after `timeout` seconds.

        Raises RestartError (70) as `demand_newest` does.
        """
        assert self._next_round is not None
        self.demand_newest()
        asked_at = self._clock.now()
        behind: list[TopicPartition] = []
        try:
            async with asyncio.timeout(timeout):
                self._wanted.set()
                # wait for a round that has not begun yet, so that its question follows the fetch of the caller's chunk
                ends = await asyncio.shield(self._next_round)
                async with self._moved:
                    while behind := [tp for tp, end in ends.items() if self._positions[tp] < end]:
                        await self._moved.wait()
        except TimeoutError:
            self.behind = tuple(behind)
            if not behind:
                log.warning("facts_unreachable", error="TimeoutError")
            for tp in behind:
                log.warning("facts_behind", topic=tp.topic, partition=tp.partition, position=self._positions[tp])
            return False
        self.demand_newest()
        self.as_of, self.behind = max(self.as_of, asked_at), ()
        return True

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self._goal, self._begun = await self.ends.ends(partitions), (self._clock.now(), 0)
        self._ids = {topic: self.ends.topic_ids.get(topic) for topic in self._topics}
        known = await self._known(self.kept, partitions) if self.kept else {}
        for tp in partitions:
            read_log = known.get(name_of(tp)) or ReadLog(self._begin[tp], self._begin[tp])
            topic, self._logs[tp] = self._topics[tp.topic], read_log
            named = [head.facts for head in self.expected if tp.partition < _parts(head.facts, topic)]
            read_log.note(logs[topic]["at"][tp.partition] for logs in named)
        positions = {tp: read_log.position for tp, read_log in self._logs.items()}
        if self.kept is not None:
            self.store, self.unreadable = self.kept.store, UnreadFacts(self.kept.journal("dead"))
            done = sum(positions[tp] - self._begin[tp] for tp in partitions)
            self._begun, self._continued = (self._begun[0], done), done > 0
            log.info("facts_begun", people=self.store.people, n=done)
        if not self._continued:
            self.reread(self._begun[0])
        return positions

    async def _known(self, kept: KeptFacts, partitions: Sequence[TopicPartition]) -> Mapping[str, ReadLog]:
        """The logs as they were read before; none if one is another log by now, which is then on record."""
        known, named = kept.known(), {name_of(tp): tp for tp in partitions}
        for name, read_log in known.items():
            tp = named.get(name)
            there = tp is not None and read_log.begin == self._begin[tp] and read_log.position <= self._goal[tp]
            if tp is None or not there or not await self._proof(self._reader).holds(tp, read_log.part, read_log.proven):
                kept.lose(name, self._clock.now())
                return {}
            read_log.proven = read_log.part
        return known

    async def _demand_same(self) -> None:
        """Raises RestartError (70) if a log is another one than the one that was read so far.

        Records that came since the last proof are read again, as some may be of the other log already.
        """
        reader, now = self._clients.reader(value=self._value), self._as_read()
        await reader.start()
        try:
            for tp, part in now.items():
                proven = self._logs[tp].proven
                if not await self._proof(reader).holds(tp, part, proven):
                    offset, _ = proven.last
                    raise RestartError(VANISHED, topic=tp.topic, partition=tp.partition, offset=offset)
        finally:
            await reader.stop()
        self._prove(now)

    def _proof(self, reader: Any) -> LogProof:
        return LogProof(offsets.Probe(reader, self.ends), self._whole)

    def _as_read(self) -> dict[TopicPartition, ReadPart]:
        return {
            tp: ReadPart(self._positions[tp], read_log.content, read_log.last) for tp, read_log in self._logs.items()
        }

    def _prove(self, parts: Mapping[TopicPartition, ReadPart]) -> None:
        for tp, part in parts.items():
            self._logs[tp].proven = part

    def _demand_topics(self) -> None:
        """Raises RestartError (70) if a topic of facts was made again."""
        for topic in self._topics:
            if self.ends.topic_ids.get(topic) != self._ids.get(topic):
                raise RestartError("error.topic_made_again", topic=topic)

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        return [self._read(), self._ask(), self._watch()]

    async def _keep(self, now: float) -> None:
        """Begins a commit to the disk when one is due. Facts bind before that: a commit only saves a restart work."""
        if (reading := self.first_reading) and now - self._told >= TOLD_SECONDS:
            seconds = None if reading.until is None else max(0, reading.until - self._clock.now()) // 1000
            log.info("facts_reading", people=reading.people, n=reading.done, of=reading.of, seconds=seconds)
            self._told = now
        if self.kept is None or not self.kept.due(now, self._positions):
            return
        if self._commit is not None and not self._commit.done() and not self.kept.full:
            return
        await self._idle()
        write = self.kept.cut(now, self._positions, self._logs)
        self._commit = asyncio.create_task(asyncio.to_thread(write))

    async def _idle(self) -> None:
        """Waits until no commit is under way."""
        while self._commit is not None and not self._commit.done():
            await self._committed()

    async def _committed(self) -> None:
        """Waits until no commit is under way; raises what ended the last one."""
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        topic, refused, value = self._topics[tp.topic], unreadable_part(record), record.value
        if isinstance(value, LongValue) and refused and refused.fault == "value_too_long":
            value = None  # its content names nobody
        offset = refused.base if refused and refused.what == "batch" else record.offset
        place = (topic, tp.partition, offset)
        if refused is None:
            self._logs[tp].take(record)
        fault = self.store.apply(Record(*place, record.timestamp, record.key, value, record.headers, refused=refused))
        self._metrics.count(metrics.FACTS_APPLIED, topic)
        if self.as_of:  # else it was acknowledged before we came
            self._metrics.observe(metrics.FACT_EFFECT, (self._clock.now() - record.timestamp) / 1000, topic)
        if fault is not None:
            self.unreadable.add(place, record, refused, fault, needed=self.store.unresolved.needed(place))
            log.error("fact_unreadable", topic=topic, partition=tp.partition, offset=offset, fault=fault)

    async def _whole(self, tp: TopicPartition, records: list[Any]) -> list[Any]:
        """The records; those of a spoilt batch come from another replica, if one has them whole."""
        refusals = [(record, refusal(record.headers)) for record in records]
        spoilt = {record.offset: why.base for record, why in refusals if why and why.what == "batch"}
        copies: dict[int, Any] = {}
        if lost := {offset for offset, base in spoilt.items() if (tp, base) not in self._lost}:
            copies = await asyncio.to_thread(replicas.read, self._settings, tp.topic, tp.partition, lost)
            self._lost |= {(tp, spoilt[offset]) for offset in lost - copies.keys()}
        return [copies.get(record.offset, record) for record in records] if copies else records

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        proven, proven_at = self.ends.doubts, float("-inf")
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            round_, self._next_round = self._next_round, loop.create_future()
            assert round_ is not None
            now = self._as_read() if loop.time() - proven_at > PROOF_SECONDS else None
            ends = await self.ends.of_topics(self._topics)  # the chunk waits, unjudged, as long as necessary
            self._demand_topics()
            if grown := sorted(tp.topic for tp in ends.keys() - self._positions.keys()):
                raise RestartError("error.partitions_grew", topic=grown[0])  # before anybody passes this barrier
            if now is not None and proven == self.ends.doubts:  # the brokers were there all the time
                self._prove(now)
                proven_at = loop.time()
            while proven != self.ends.doubts:
                doubts = self.ends.doubts
                try:
                    await self._demand_same()
                except (KafkaError, TimeoutError) as error:  # nobody has told yet whether the logs are the same
                    log.warning("facts_unreachable", error=type(error).__name__)
                    await asyncio.sleep(PROOF_SECONDS)
                else:
                    proven = doubts
            round_.set_result(ends)

    async def _watch(self) -> None:
        while True:
            await self.barrier(WATCH_SECONDS * 5)
            await asyncio.sleep(WATCH_SECONDS)
            if self.kept is not None:
                self.kept.demand_there()


def _parts(logs: FactLogs, topic: str) -> int:
    return len(logs[topic]["at"]) if topic in logs else 0
