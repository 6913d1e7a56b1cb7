"""One turn of an owner with a partition: take-over, judging, commits, up to the first uncertain result.

The engine owns the position: it is in the ledger's `head`, written in every transaction. A turn has one producer epoch.
Any failure ends the turn, and the next turn reads the committed state back from the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.asks import answered
from gatekeeper.ground import metrics
from gatekeeper.ground.errors import IntegrityError, RestartError
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.topic_ids import INPUTS, REPLACED
from schemas.events import Release
from schemas.topics import TOPICS
from streams.worker import input_marks, offsets
from streams.worker.acts import Acts
from streams.worker.batch import PartitionJudge
from streams.worker.batch_input import BatchInput, Restart, cancels
from streams.worker.chunks import CHUNK_RECORDS, Chunk
from streams.worker.clients import started
from streams.worker.commits import Commits
from streams.worker.input_marks import RecentMarks, RecordMark
from streams.worker.intake import InputRange, Intake, arrival
from streams.worker.kept_ledger import CopyPosition, KeptLedger, kept_of
from streams.worker.reevaluation import ReevaluationQueue
from streams.worker.takeover import TakeOver, refuse_hanging
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

WRITE_DOWN_SECONDS = 30.0
"""Seconds after which a position that moved over a gap is written, else retention would overtake the head."""
SILENT_SECONDS = 6 * 3600.0
"""Seconds after which an idle partition writes its head. Kafka closes a segment of the ledger, and so can delete erased
data, only if something is written after it.
"""
CLOSE_SECONDS = 2.0
SWEEP_SECONDS = 0.05
"""Seconds between two looks for ended entries while nothing else is to do."""
CLOCK_RETRY_SECONDS = 5.0
QUESTION_SECONDS = 1.0
"""Seconds for which a batch waits for the questions on all partitions, at most; then only its own questions wait."""
LATE_SECONDS = 1.0
"""Seconds after which a partition counts as waiting for facts; the barrier normally takes milliseconds."""
ID = "gate-decision-id"
"""The header with the id of a record of `review`."""
TOUCHED = 100
"""People judged again at a time, at most, so that sends do not wait."""
CAREFUL_RECORDS = CHUNK_RECORDS
"""Records that are judged one by one after a refusal at work. The partition then stands at the one that fails."""


Known = tuple[str, CopyPosition]


class OwnershipEpoch:
    """Owner's work with a partition: `begin` takes it over, `work` judges it, and `end` releases it."""

    def __init__(
        self, number: int, context: WorkerContext, at_work: Refused | None = None, known: Known | None = None
    ) -> None:
        """`at_work`: the refusal at work that ended a turn before this one, None without one.

        `known`: of an earlier turn, as below.
        """
        self._known = known
        self.suspect: tuple[str, int] | None = None
        """Topic and offset of the one record under way after a refusal at work, None without a single one."""
        self._at_work, self._careful = at_work, CAREFUL_RECORDS if at_work else 0
        """The number of records that are still judged one by one."""
        self.waits_for: str | None = "take_over"
        """The cause why nothing is judged at the moment; None when all is well."""
        self._number, self._context = number, context
        self._sends = TopicPartition(context.settings.topic("sends"), number)
        self._review = TopicPartition(context.settings.topic("review"), number)
        self._probe = offsets.Probe(context.clients.reader(), context.followers.ends)
        self._writer = context.clients.producer(number)
        self._commits = Commits(context, self._writer)
        self._copy: KeptLedger | None = None
        self._arrived = asyncio.Event()
        self._intake = Intake[ConsumerRecord](self._sends, self._probe, context.credit, context.seek, self._arrived)
        self._acts = Acts(context.settings, number, context.clients, context.followers.ends)
        self._touched = ReevaluationQueue(context.followers.store, self._arrived)
        self._act_intake = Intake[ActRecord](
            self._acts.tp,
            self._probe,
            self._acts.credit,
            self._acts.seek,
            self._arrived,
            busy=lambda: self._acts.busy,
        )
        self._left: InputRange[ActRecord] | None = None
        """Acts taken but not judged yet: the first concerns a campaign whose clearances are not done."""
        self._late = False
        """True if the facts did not arrive when last waited for."""
        self._reading: asyncio.Task[float] | None = None
        """The reading of questions that was late for the batch that began it."""

    def offer(self, chunk: Chunk[ConsumerRecord]) -> None:
        """Takes a chunk of the current assignment."""
        self._intake.offer(chunk)

    async def begin(self) -> None:
        """Fences the former owner and takes over; raises IntegrityError (4) for a past that is refused.

        Raises TimeoutError while a topic is missing.
        """
        await started(self._writer, self._probe, self._acts)
        notes = await self._notes()
        self._context.followers.heed_loss(max((note.lost for note in notes.values()), default=0))
        self._proven = self._context.followers.ends.doubts
        self._ids = await self._present_ids()
        if self._context.ledgers is not None:
            self._copy = self._commits.copy = self._context.ledgers.of_partition(self._number, self._ids)
            await self._copy.open()
        at_work = self._at_work.key if self._at_work else None
        known = self._known[1] if self._known and self._known[0] == kept_of(self._ids) else None
        taking = TakeOver(
            self._number, self._context, self._probe, self._ids, self._copy, at_work, known, notes.get(self._number)
        )
        try:
            past = await taking.past()
        finally:
            self._commits.head = taking.head
        self._judge = PartitionJudge(
            self._number, self._context, ledger=past.ledger, head=past.head, writer=self._writer, touched=self._touched
        )
        await self._measure_clock(past.restart, shown=past.refusal is None)
        if past.refusal is not None:
            raise past.refusal
        if self._context.settings.mode == "live":  # nobody waits for items that a shadow withheld
            _, past.ledger.state.review = await offsets.bounds(self._probe, self._review)
            self._touched.watch(past.ledger.state)
        log.info("partition_owned", partition=self._number, offset=past.head.sends)

    @property
    def head(self) -> Head | None:
        """The partition's position; None until the ledger has been read, or if there was none."""
        return self._commits.head

    @property
    def known(self) -> Known | None:
        """The last transaction that this turn or one before it committed, and the ids of the topics. None without one.

        The logs must have it as long as nobody lets the partition go on without it.
        """
        return (kept_of(self._ids), self._commits.known) if self._commits.known is not None else self._known

    @property
    def worked(self) -> bool:
        """Tells whether anything was committed after the take-over."""
        return self._commits.count > 1

    @property
    def failing(self) -> bool:
        """Tells whether so many of the last decisions failed that somebody should look."""
        return self.waits_for != "take_over" and self._judge.failing

    @property
    def oldest(self) -> int | None:
        """The broker's time of the oldest send that waits here, in milliseconds; None if none waits."""
        return self._intake.oldest

    @property
    def passed(self) -> int:
        """Number of offsets behind the head at which there is no send, as far as they were met."""
        return self._intake.passed

    @property
    def people(self) -> int | None:
        """Number of people with entries in the ledger; None while it is not at work."""
        return self._judge.ledger.people if self.waits_for not in ("take_over", "rebalance") else None

    @property
    def clean(self) -> bool:
        """Tells whether the whole ledger is committed, so that `work` may continue at the same place."""
        return self.waits_for != "take_over" and not self._judge.broken and self._judge.head is self.head

    async def work(self) -> None:
        """Judges and commits incoming records, from the head on; ends only by an error or a cancellation."""
        loop = asyncio.get_running_loop()
        head, self._left, failed = self._judge.head, None, self._commits.watched()
        self._marks = {name: RecentMarks(head.last.get(name)) for name in INPUTS}
        await self._intake.begin(head.sends)
        await self._act_intake.begin(head.acts)
        self._acts.era = head.era("acts")
        self._touched.everybody()  # includes people who were taken before and not judged
        tasks = [self._acts.follow(self._act_intake.offer), loop.create_task(self._judge_batches())]
        self.waits_for = None
        try:
            await asyncio.wait({*tasks, failed}, return_when=asyncio.FIRST_COMPLETED)
            await self._commits.settled()  # raises the error of a failed commit
            for future in (*tasks, failed):
                if future.done():
                    future.result()
        finally:
            self.waits_for = "rebalance"
            for task in tasks:
                task.cancel()
            await self._commits.drained()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def end(self) -> None:
        """Releases the partition: nothing of this turn is sent any more."""
        self._touched.stop()
        if self._reading is not None:
            self._reading.cancel()
        await self._commits.abandon()
        for close in (self._writer.stop, self._probe.stop, self._acts.stop):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await close()
        if self._copy is not None:
            if self._commits.known is not None and self.clean:
                self._copy.finish(self._commits.known)
            await self._copy.close()

    async def note(self, text: str) -> None:
        """Writes a note beside the group's offset of `sends`: the reason why the partition is refused."""
        offset = self.head.sends if self.head else (await self._probe.ends.ends([self._sends]))[self._sends]
        await self._commits.note({self._sends: offset}, text)

    async def _notes(self) -> dict[int, Refused]:
        """The refusals that stand beside the group's offsets, by partition."""
        settings = self._context.settings
        sends = [TopicPartition(self._sends.topic, number) for number in range(settings.partitions)]
        notes = await self._writer.notes(settings.group, sends)
        return {tp.partition: refused for tp, text in notes.items() if (refused := Refused.decode(text)) is not None}

    async def _present_ids(self) -> dict[str, str]:
        """Kafka's ids of all topics by name of the registry."""
        named = {self._context.settings.topic(name): name for name in TOPICS}
        async with asyncio.timeout(offsets.READ_SECONDS):
            ids = await self._context.followers.ends.ids(list(named))
        return {named[topic]: id_ for topic, id_ in ids.items()}

    def _demand_topics(self) -> None:
        """Raises RestartError (70) if a topic is another one than at the take-over. The next take-over refuses it."""
        topic_ids = self._context.followers.ends.topic_ids
        for name, id_ in self._ids.items():
            if topic_ids.get(topic := self._context.settings.topic(name), id_) != id_:
                raise RestartError("error.topic_made_again", topic=topic)

    async def _judge_batches(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._waiting:
                seconds = SWEEP_SECONDS if self._judge.ledger.expiry.walking else self._commits.seconds
                await arrival(self._arrived, seconds)
            self._demand_topics()
            await self._prove()
            if self._waiting:
                await self._context.commit_pacing.next()  # chunks that come meanwhile are judged together
            sends, acts, alone = await (self._one_record() if self._careful else self._next_records())
            touched = [] if alone else self._touched.take(min(TOUCHED, max(2, self._context.pace.records)))
            batch = BatchInput(sends, acts, touched, await self._waiting_of(touched))
            due = self._something_to_write_down() or (batch.empty and self._judge.something_ended())
            if self._copy is not None:
                self._copy.demand_sound()  # the walk to those whom a fact touches may have met a spoilt value
            if batch.empty and not due:
                await self._commits.show()
                continue
            taken_at = loop.time()
            batch.counted = await self._counted(acts)
            self.suspect = self._record_of(batch) if self._careful else None
            fresh = await self._ready(batch)
            self._demand_topics()  # by what was asked after the batch came
            transaction, acts, self._left = self._judge.judged(batch, fresh=fresh, due=due)
            self._context.followers.demand_newest()
            if transaction is None:
                continue
            self._written_at = loop.time()
            transaction.taken_at = taken_at if sends.records else None
            self._intake.written(sends)
            self._act_intake.written(acts)
            for name, mark in self._judge.head.last.items():
                self._marks[name].add(mark, self._written_at)
            await self._commits.settled()
            position = {self._sends: sends.to, self._acts.tp: acts.to}
            await self._commits.begin(transaction, position, self._judge.head, self._judge.ledger)
            if not self._waiting or self._careful:
                await self._commits.settled()
                self._careful = max(0, self._careful - len(sends.records) - len(acts.records))

    async def _next_records(self) -> tuple[InputRange[ConsumerRecord], InputRange[ActRecord], bool]:
        """The next sends and acts, as many as are judged in one step. True if nothing else goes with them.

        A cancellation needs no facts. So it does not wait behind sends, acts or people that do.
        """
        acts = await self._next_acts()
        if cancels(acts, self._context.counts):
            return self._intake.nothing(), acts, True
        return await self._intake.next_batch(self._context.pace.records), acts, False

    async def _one_record(self) -> tuple[InputRange[ConsumerRecord], InputRange[ActRecord], bool]:
        """The next act or the next send, as of `_next_records`.

        Where a record is refused, it is the only one: nothing else moves the position at which the partition stands.
        """
        topic, offset = (self._at_work and self._at_work.record) or ("", 0)
        stands = topic == self._sends.topic and self._judge.head.sends <= offset
        if not stands:
            acts = self._left or await self._act_intake.next_batch(1)
            stands = topic == self._acts.tp.topic and self._judge.head.acts <= offset
            if acts.records or stands:
                return self._intake.nothing(), acts, True
        sends = await self._intake.next_batch(1)
        return sends, self._act_intake.nothing(), stands or bool(sends.records)

    def _record_of(self, batch: BatchInput) -> tuple[str, int] | None:
        """The topic and offset of the only record of a batch, None if others bear on it."""
        records = [(self._sends.topic, record.offset) for record in batch.sends.records]
        records += [(self._acts.tp.topic, record.offset) for record in batch.acts.records]
        return records[0] if len(records) == 1 and not batch.touched else None

    async def _next_acts(self) -> InputRange[ActRecord]:
        """The acts that are left, followed by those that came since: a cancellation may end the former."""
        if self._left is None:
            return await self._act_intake.next_batch(self._context.pace.records)
        if len(self._left.records) >= CHUNK_RECORDS:
            return self._left
        return self._left.before(await self._act_intake.next_batch(self._context.pace.records))

    @property
    def _waiting(self) -> bool:
        return self._intake.waiting or self._act_intake.waiting or self._left is not None

    def _something_to_write_down(self) -> bool:
        silent = asyncio.get_running_loop().time() - self._written_at
        moved = self._intake.moved or self._act_intake.moved
        return bool(self._judge.dead_facts.due()) or silent > (WRITE_DOWN_SECONDS if moved else SILENT_SECONDS)

    async def _ready(self, batch: BatchInput) -> bool | None:
        """Passes the barrier. True if it was passed in time, None if the batch needs no facts."""
        context, fresh = self._context, None
        while True:
            await self._clock_right()
            if batch.needs_facts(context.counts):
                fresh = await self._facts()
            batch.asked = bool(fresh) and batch.asks and await self._asked()
            if not (fresh or batch.empty):  # no answer of the brokers since the batch came; its log may be another one
                await context.followers.ends.stable((self._sends, self._acts.tp))
            proven_anew = await self._prove()  # facts may have come meanwhile, or the clock jumped during the wait
            if not proven_anew and context.clock.off_by <= context.policy.skew_ms:
                return fresh

    async def _clock_right(self) -> None:
        """Waits until this machine's clock agrees with the broker's."""
        clock = self._context.clock
        while clock.off_by > self._context.policy.skew_ms:
            self.waits_for = "clock"
            log.error("clock_off", partition=self._number, off_by_ms=clock.off_by)
            await asyncio.sleep(CLOCK_RETRY_SECONDS)
            await self._commits.settled()
            await self._measure_clock()
        self.waits_for = None

    async def _prove(self) -> bool:
        """Proves anew, after a leader changed or a broker failed, that the inputs are the logs that were read.

        True if brokers were asked. Raises IntegrityError (4) if an input is another log.
        """
        ends = self._context.followers.ends
        if self._proven == (doubts := ends.doubts):
            return False
        for name, tp in (("sends", self._sends), ("acts", self._acts.tp)):
            if (other := await input_marks.other(self._probe, tp, self._marks[name])) is not None:
                await self._commits.settled()
                await self._give_up(name, tp, other)
        self._proven = doubts
        return True

    async def _give_up(self, name: str, tp: TopicPartition, other: RecordMark) -> None:
        """Refuses the partition for an input that lacks this record, also after records of another log were taken.

        The head then keeps what proves it: else the next take-over would believe the newest record.
        """
        head = self._judge.head
        if head.last.get(name) != other:
            self._judge.head = replace(head, last=head.last | {name: other})
            await self._measure_clock()
        begin, end = await offsets.bounds(self._probe, tp)
        where = {"topic": tp.topic, "partition": tp.partition, "position": getattr(head, name)}
        raise IntegrityError(REPLACED, begin=begin, end=end, **where)

    async def _counted(self, acts: InputRange[ActRecord]) -> bool:
        """Reads the releases on all partitions if an act releases something. The facts come after, with the signers."""
        arrivals = [record.timestamp for record in acts.records if isinstance(record.act, Release)]
        return bool(arrivals) and await self._context.releases.known(min(arrivals))

    async def _asked(self) -> bool:
        """Reads the questions on all partitions. True if those are known that were committed before this call.

        A batch waits for its own reading, and no longer than QUESTION_SECONDS. While one goes on that is late, no other
        batch waits. Once it ends, it touches those who wait for it, and counts for the next batch.
        """
        late, loop = self._reading, asyncio.get_running_loop()
        if late is not None and not late.done():
            return False
        known = late is not None and loop.time() - late.result() < self._context.policy.max_lag_ms / 1000
        await self._commits.settled()  # our own questions are committed, too
        self._reading = reading = loop.create_task(self._context.asked.known())
        await asyncio.wait([reading], timeout=QUESTION_SECONDS)
        if not reading.done():
            reading.add_done_callback(lambda _: self._touched.readable())
            return known
        self._reading = None
        reading.result()
        return True

    async def _facts(self) -> bool:
        """Waits for the current facts. True if they came in time.

        Before they were read for the first time nothing is known of anybody, so nothing is decided as late.
        """
        while True:
            read_before = bool(self._context.followers.as_of)
            if (fresh := await self._barrier()) or read_before:
                return fresh
            self.waits_for = "facts"  # they were read meanwhile, perhaps: asked once more with the whole time
            await self._commits.settled()

    async def _barrier(self) -> bool:
        patience = 0.0 if self._late else LATE_SECONDS
        telling = asyncio.get_running_loop().call_later(patience, setattr, self, "waits_for", "facts")
        began = asyncio.get_running_loop().time()
        try:
            fresh = await self._context.followers.barrier(self._context.policy.max_lag_ms / 1000)
        finally:
            telling.cancel()
            self._context.metrics.observe(metrics.BARRIER, asyncio.get_running_loop().time() - began)
        self._late, self.waits_for = not fresh, None
        return fresh

    async def _waiting_of(self, people: list[str]) -> list[ConsumerRecord]:
        """The records of `review` about these people that the gate may clear by itself."""
        ledger, store, wanted = self._judge.ledger, self._context.followers.store, dict[str, int]()
        for name in people:
            wanted |= ledger.waiting(name, self._context.clock.now(), answered=answered(store, ledger, name))
        if not wanted:
            return []
        await self._commits.settled()
        records = await offsets.named(self._probe, self._review, ID, wanted)
        if len(records) < len(wanted):  # the youngest of them may exist, but not be visible yet
            await refuse_hanging(self._probe, self._review)
            records = await offsets.named(self._probe, self._review, ID, wanted)
        return records

    async def _measure_clock(self, restart: Restart | None = None, *, shown: bool = True) -> None:
        """Writes the head and an empty manifest, which shows the broker's time and proves that writing works.

        `shown`: with the group's offset, which ends the note of a refusal.
        """
        head = self._judge.head
        sends: InputRange[ConsumerRecord] = InputRange(head.sends, head.sends)
        acts: InputRange[ActRecord] = InputRange(head.acts, head.acts)
        transaction = self._judge.gathered(sends, acts, [], head.at, self._context.clock.now(), restart=restart)
        self._written_at = asyncio.get_running_loop().time()
        position = {self._sends: sends.to, self._acts.tp: acts.to}
        if not shown or (self._at_work and restart is None):
            position = {}  # the note of the refusal stays until a record is passed
        await self._commits.begin(transaction, position, self._judge.head, self._judge.ledger)
        await self._commits.settled()
