"""One owned partition of `sends`, and the acts of its number: taken over, judged, committed, let go.

The engine owns the position: it stands in the ledger's `head`, written in every transaction.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, replace

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.acting import Acting
from gatekeeper.audit.manifest import Taken, manifest
from gatekeeper.errors import IntegrityError
from gatekeeper.handoff import MOST, Walk, walk
from gatekeeper.judge import Judge, Judged, Record
from gatekeeper.keys import Signer
from gatekeeper.packs import Packs
from gatekeeper.policy import Policy
from gatekeeper.recall import weighed
from gatekeeper.settings import Settings
from streams import ledger, offsets
from streams.acts import Acts
from streams.chunks import CHUNK_BYTES, Chunk, Credit, size_of
from streams.clock import Clock
from streams.facts import Followers, Place
from streams.intake import Batch, Intake, arrival
from streams.touched import Touched
from streams.transaction import TRANSACTION_SECONDS, Transaction, producer

log = structlog.get_logger(__name__)

WRITE_DOWN_SECONDS = 30.0
"""A position that moved over a hole is written down after this long, or retention would overtake the head."""
TAKE_OVER_SECONDS = 60.0
HANGING_SECONDS = TRANSACTION_SECONDS + 5
"""Whatever is open for longer is nobody's work any more; a next owner, if we are not the last, works meanwhile."""
DRAIN_SECONDS = 3.0
CLOCK_RETRY_SECONDS = 5.0
DEAD_FACTS = 200
TOMBSTONES = 1_000
"""At most so many entries of the ledger that no longer matter are taken out in one transaction."""
TOUCHED, RECALLS = 100, 1_000
"""At most so many people are judged again at a time, that sends do not wait, and so many recalls go out together."""
TIMELY = frozenset(("CONSENT_NOT_YET_VALID", "FACTS_STALE", "SENDING_SUSPENDED", "DUPLICATE_SEND"))
"""Reasons that end without any new fact."""
FAILURES, OF_LAST = 10, 1_000


@dataclass(frozen=True, slots=True)
class Tools:
    """What all owned partitions of a worker share."""

    settings: Settings
    judge: Judge
    followers: Followers
    credit: Credit
    clock: Clock
    seek: Callable[[int, int], Awaitable[None]]
    """Moves the transport back: partition, offset."""
    signer: Signer
    """Signs manifests."""
    masters: Container[int]
    """The numbers of the master keys at hand."""

    @property
    def packs(self) -> Packs:
        """The packs that hold by the facts applied so far."""
        return self.judge.holding(self.followers.store)

    @property
    def policy(self) -> Policy:
        """The version in force by the worker's clock."""
        return self.packs.at(self.clock.now())


class Partition:
    """Owns one partition from its assignment to its revocation, or to the first thing that is not certain."""

    def __init__(self, number: int, tools: Tools) -> None:
        self.number = number
        self.waits_for: str | None = "take_over"
        """Why nothing is judged at the moment; None when all is well."""
        self._tools = tools
        self._sends = TopicPartition(tools.settings.topic("sends"), number)
        self._probe = offsets.probe(tools.settings.bootstrap)
        self._arrived = asyncio.Event()
        self._intake = Intake(self._sends, self._probe, tools.credit, tools.seek, self._arrived)
        self._acts = Acts(tools.settings, number)
        self._acting = Acting(tools.judge, secrets.token_bytes)
        self._touched = Touched(tools.followers.store, self._arrived)
        self._act_intake = Intake(
            self._acts.tp,
            self._probe,
            self._acts.credit,
            self._acts.seek,
            self._arrived,
            busy=lambda: self._acts.busy,
        )
        self._walk: Walk | None = None
        self._left: Batch | None = None
        """Acts taken and not judged yet: the first one is about a campaign, whose clearances are on their way."""
        self._committing: asyncio.Task[None] | None = None
        self._failures: deque[bool] = deque(maxlen=OF_LAST)
        self._policy = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Begins to own the partition; `on_failure` hears of whatever ends that."""
        self._on_failure = on_failure
        self._task = asyncio.create_task(self._run(), name=f"partition-{self.number}")
        self._task.add_done_callback(lambda t: None if t.cancelled() else on_failure(t.exception() or RuntimeError()))

    def offer(self, chunk: Chunk) -> None:
        """Takes a chunk of the current assignment."""
        self._intake.offer(chunk)

    async def stop(self) -> None:
        """Gives the partition up: no new chunk, and the commit in flight gets DRAIN_SECONDS to finish."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=DRAIN_SECONDS + 3)

    # -- the life of a partition ------------------------------------------------------------------------

    async def _run(self) -> None:
        self._writer = producer(self._tools.settings, self.number)
        try:
            await self._take_over()
            while True:
                if not self._waiting:
                    await arrival(self._arrived)
                sends = await self._intake.next_batch()
                acts = self._left or await self._act_intake.next_batch()
                touched = self._touched.take(TOUCHED)
                items = await self._items_of(touched)
                if not (sends.records or acts.records or touched or self._something_to_write_down()):
                    continue
                transaction, acts, self._left = await self._judged(sends, acts, touched, items)
                if transaction is None:
                    continue
                self._intake.written(sends)
                self._act_intake.written(acts)
                await self._settled()
                position = {self._sends: sends.to, self._acts.tp: acts.to}
                self._committing = asyncio.create_task(transaction.commit(position, self._tools.clock))
                self._committing.add_done_callback(self._ended)
                if not self._waiting:
                    await self._settled()
        finally:
            await self._let_go()

    async def _take_over(self) -> None:
        """Fences the former owner, reads the ledger, and refuses a position that the log contradicts."""
        async with asyncio.timeout(TAKE_OVER_SECONDS):
            await asyncio.gather(self._writer.start(), self._probe.start(), self._acts.start())
        settings = self._tools.settings
        past = TopicPartition(settings.topic("ledger"), self.number)
        await self._refuse_hanging(past)
        self._ledger = await ledger.read(self._probe, past)
        where = {"topic": self._sends.topic, "partition": self.number}
        if self._ledger.head is None:
            audit = TopicPartition(settings.topic("audit"), self.number)
            if await offsets.first_readable(self._probe, audit, *await offsets.bounds(self._probe, audit)) is not None:
                raise IntegrityError("error.head_missing", **where)
        elif self._ledger.head.mode != settings.mode:
            raise IntegrityError(
                "error.ledger_of_other_mode", written=self._ledger.head.mode, mode=settings.mode, **where
            )
        for number in self._ledger.memory.masters:
            if number not in self._tools.masters:
                raise IntegrityError("error.master_missing", number=number, folder=settings.keys, **where)
        begin = {tp: await self._begin(tp) for tp in (self._sends, self._acts.tp)}
        self._head = self._ledger.head or ledger.Head(
            sends=begin[self._sends], acts=begin[self._acts.tp], mode=settings.mode
        )
        await self._measure_clock()
        await self._intake.begin(self._head.sends)
        await self._act_intake.begin(self._head.acts)
        self._acts.follow(self._act_intake.offer).add_done_callback(self._ended)
        if settings.mode == "live":  # what a shadow would clear went nowhere
            self._touched.watch(self._ledger.memory)
        self.waits_for = None
        log.info("partition_owned", partition=self.number, offset=self._head.sends)

    async def _begin(self, tp: TopicPartition) -> int:
        """Returns the first offset of an input; refuses a head that lies before it, or beyond its end."""
        begin, end = await offsets.bounds(self._probe, tp)
        if (head := self._ledger.head) is not None:
            position = head.sends if tp == self._sends else head.acts
            where = {"topic": tp.topic, "partition": tp.partition, "position": position}
            if position < begin:
                raise IntegrityError("error.sends_expired", begin=begin, **where)
            if position > end:
                raise IntegrityError("error.head_beyond_end", end=end, **where)
        return begin

    async def _refuse_hanging(self, tp: TopicPartition) -> None:
        """Refuses a ledger in which a transaction is still open after the fencing, which finishes all of ours.

        Kafka has then lost its markers, as can happen where the only broker dies between a commit and its markers.
        The ledger would not show what was decided, and our next commit would make that visible as well.
        """
        end = (await self._tools.followers.ends([tp]))[tp]
        if not await offsets.settles(self._probe, tp, end, HANGING_SECONDS):
            raise IntegrityError("error.transaction_hangs", topic=tp.topic, partition=tp.partition)

    async def _let_go(self) -> None:
        self._touched.stop()
        if self._committing is not None and not self._committing.done():
            await asyncio.wait([self._committing], timeout=DRAIN_SECONDS)
            self._committing.cancel()  # abandoned: the next owner's fencing aborts or finishes it
        for closing in (self._writer.stop(), self._probe.stop(), self._acts.stop()):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(closing, 2)

    async def _settled(self) -> None:
        """Returns when the last transaction has committed; shielded, as a revocation must not cut it short."""
        if self._committing is not None:
            await asyncio.shield(self._committing)

    @property
    def _waiting(self) -> bool:
        return self._intake.waiting or self._act_intake.waiting or self._left is not None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    # -- judging ----------------------------------------------------------------------------------------

    def _something_to_write_down(self) -> bool:
        overdue = asyncio.get_running_loop().time() - self._written_at > WRITE_DOWN_SECONDS
        return bool(self._unreadable_facts()) or ((self._intake.moved or self._act_intake.moved) and overdue)

    def _unreadable_facts(self) -> list[Place]:
        partitions = self._tools.settings.partitions
        found, size = [], 0
        for place, (record, _) in self._tools.followers.unreadable.items():
            if place[1] % partitions == self.number and ledger.dead_key(*place) not in self._ledger.dead:
                found.append(place)
                size += size_of(record)
                if len(found) >= DEAD_FACTS or size > CHUNK_BYTES:
                    break  # the rest goes with the next transactions
        return found

    async def _items_of(self, people: list[str]) -> list[ConsumerRecord]:
        """Returns the records of `review` that wait for an answer of these people."""
        wanted = [offset for name in people for _, offset in self._ledger.memory.waiting(name)]
        if not wanted:
            return []
        review = TopicPartition(self._tools.settings.topic("review"), self.number)
        return list((await offsets.some(self._probe, review, wanted)).values())

    async def _judged(
        self, sends: Batch, acts: Batch, touched: list[str], items: list[ConsumerRecord]
    ) -> tuple[Transaction | None, Batch, Batch | None]:
        """Passes the barrier, judges all without an await in between, and returns what is to be written, if anything.

        With it the acts that are then judged, and those that are left for the next transaction.
        `touched`: people whose clearances are judged again, before the sends: what is recalled makes no duplicate.
        """
        tools = self._tools
        while tools.clock.off_by > tools.policy.skew_ms:
            self.waits_for = "clock"
            log.error("clock_off", partition=self.number, off_by_ms=tools.clock.off_by)
            await asyncio.sleep(CLOCK_RETRY_SECONDS)
            await self._settled()
            await self._measure_clock()
        self.waits_for = "facts"
        idle = not (sends.records or acts.records or touched)
        fresh = idle or await tools.followers.barrier(tools.policy.max_lag_ms / 1000)
        self.waits_for = None
        # From here to the return there is no await: nothing can change between the barrier and the verdict.
        t0 = tools.clock.now()
        if self._head.at - t0 > tools.policy.skew_ms:
            raise IntegrityError("error.clock_before_head", partition=self.number, ahead_ms=self._head.at - t0)
        at = max(t0, self._head.at)
        as_of = None if fresh else min(tools.followers.as_of, at - tools.packs.at(at).max_lag_ms - 1)
        store, memory = tools.followers.store, self._ledger.memory
        judged = self._recalled(touched, at) if fresh else []
        if not fresh:
            self._touched.again(touched)  # what is late says nothing against a clearance
        for record in sends.records:
            judged.append(tools.judge.judge(_record(record), store, at, as_of=as_of, memory=memory))
            self._remember(judged[-1])
        left: Batch | None = None
        most = MOST
        for record in acts.records:
            self._walk = self._walk or walk(tools.judge, _record(record), memory)
            if self._walk is not None:
                # what may be handed on is only judged with all facts applied; till then the act waits
                for one in self._walk.step(store, memory, at, most=most) if fresh else ():
                    judged.append(one)
                    self._remember(one)
                    most = max(0, most - 1)
                if not self._walk.done:
                    acts, left = acts.cut(record.offset)
                    break
                self._walk = None
                continue
            item = self._acts.items.pop(record.offset, None)
            reviewed = _record(item) if item else None
            judged.append(self._acting.act(_record(record), reviewed, store, memory, at, as_of=as_of))
            self._remember(judged[-1])
        for item in items:
            again = self._acting.reconsider(_record(item), store, memory, at, as_of=as_of)
            if again is not None and again.verdict == "clear":
                judged.append(again)
                self._remember(again)
            elif again is not None and not TIMELY.isdisjoint(again.codes):
                self._touched.later((item.key or b"").decode())
        self._failures.extend(one.failed for one in judged)
        if sum(self._failures) >= FAILURES:
            raise IntegrityError("error.decisions_failing", failures=FAILURES, of_last=OF_LAST, partition=self.number)
        if not (judged or sends.records or acts.records or left or self._something_to_write_down()):
            return None, acts, left
        return self._transaction(sends, acts, judged, at, t0), acts, left

    def _recalled(self, touched: list[str], at: int) -> list[Judged]:
        """Returns the recalls of what people were cleared for and no longer stands, and remembers each at once."""
        found: list[Judged] = []
        for place, name in enumerate(touched):
            for clearance in list(self._ledger.memory.clearances(at, name)):
                if len(found) == RECALLS:
                    self._touched.again(touched[place:])
                    return found
                store, memory = self._tools.followers.store, self._ledger.memory
                if one := weighed(self._tools.judge, clearance, store, memory, at):
                    found.append(one)
                    self._remember(one)
        return found

    def _remember(self, judged: Judged) -> None:
        """Lets the next record see what was decided on this one; if it is not written, this memory ends with us."""
        for entry in judged.entries:
            self._ledger.memory.put(entry)

    def _transaction(self, sends: Batch, acts: Batch, judged: list[Judged], at: int, t0: int) -> Transaction:
        """Gathers all that these decisions put out, and moves the head past the batches."""
        tools = self._tools
        transaction = Transaction(tools.settings, self._writer, self.number)
        for one in judged:
            for output in one.outputs:
                transaction.add(output.topic, output.key, output.value, output.headers)
            transaction.add("audit", one.did.encode(), one.audit)
            for entry in one.entries:
                transaction.add("ledger", entry.key, entry.value)
        for entry in self._ledger.memory.due(at, TOMBSTONES):
            transaction.add("ledger", entry.key, entry.value)
            self._ledger.memory.put(entry)
        policy = tools.packs.at(at)
        if policy.sha256 != self._policy:
            self._policy = policy.sha256
            self._touched.everybody()
            log.info("policy_in_force", partition=self.number, offset=sends.start, policy=policy.name)
        dead_facts = self._unreadable_facts()
        for place in dead_facts:
            record, fault = tools.followers.unreadable[place]
            transaction.add("deadletter", record.key, record.value, _fact_headers(place, fault))
            key = ledger.dead_key(*place)
            transaction.add("ledger", key, b"{}")
            self._ledger.apply(key, b"{}")
        value = manifest(
            writer=tools.settings.worker,
            kid=tools.signer.kid,
            partition=self.number,
            taken=[
                _taken(tp.topic, batch)
                for tp, batch in ((self._sends, sends), (self._acts.tp, acts))
                if tp == self._sends or batch.to > batch.start
            ],
            judged=judged,
            dead_facts=len(dead_facts),
            as_of=tools.followers.positions(),
            prev=self._head.prev,
            policy=policy,
            t0=t0,
            t1=tools.clock.now(),
            mode=tools.settings.mode,
        )
        signature = [("gate-sig", base64.b64encode(tools.signer.sign(value)))]
        transaction.add("manifests", tools.settings.worker.encode(), value, signature)
        self._head = replace(self._head, sends=sends.to, acts=acts.to, prev=hashlib.sha256(value).hexdigest(), at=at)
        transaction.add("ledger", ledger.HEAD, self._head.encode())
        self._written_at = asyncio.get_running_loop().time()
        if logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
            for one in judged:
                if one.verdict not in (None, "clear"):
                    log.debug("send_withheld", partition=self.number, decision=one.did, codes=one.codes)
        verdicts = Counter(one.verdict for one in judged if one.verdict)
        log.debug("chunk_judged", partition=self.number, first=sends.start, next=sends.to, n=len(judged), **verdicts)
        return transaction

    async def _measure_clock(self) -> None:
        """Writes the head and an empty manifest, which tells the broker's time and proves that writing works."""
        sends, acts = Batch(self._head.sends, self._head.sends), Batch(self._head.acts, self._head.acts)
        transaction = self._transaction(sends, acts, [], self._head.at, self._tools.clock.now())
        await transaction.commit({self._sends: sends.to, self._acts.tp: acts.to}, self._tools.clock)


def _taken(topic: str, batch: Batch) -> Taken:
    return Taken(topic, batch.start, batch.to, len(batch.records), batch.gaps)


def _record(record: ConsumerRecord) -> Record:
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )


def _fact_headers(place: Place, fault: str) -> list[tuple[str, bytes]]:
    name, _, where = fault.partition(" at ")
    return [
        ("gate-reason", b"FACTS_UNAVAILABLE"),
        ("gate-fault", name.encode()),
        ("gate-place", where.encode()),
        ("gate-source", "/".join(map(str, place)).encode()),
    ]
