"""A worker's claim of one partition: the right to write it, and the only way to do so.

The partition's own transactional id decides who may claim. Entries `owner/ID` of its ledger say which other writers are
to be fenced first. docs/adr/0051-one-producer.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.claims import claim, unclaimed
from gatekeeper.ledger.head import Head
from streams.client.producer import Appended, ProducerBatch
from streams.worker import ledger, offsets
from streams.worker.ledger import Ledger
from streams.worker.transaction import Transaction
from streams.worker.worker_context import WorkerContext
from streams.worker.writer import Writer

log = structlog.get_logger(__name__)


class Claim:
    """Claim of one partition, for the worker's writer, or for one of the partition's own while it writes apart."""

    def __init__(self, number: int, context: WorkerContext, probe: offsets.Probe) -> None:
        self.apart = context.writer.apart(number)
        """Seconds for which the partition is to write alone, 0 if it writes with the others."""
        self._number, self._context, self._probe = number, context, probe
        settings = context.settings
        self._own = Writer(f"{settings.group}-{number}", context.clients.producer, settings.group, context.clock)
        self._writer = self._own if self.apart else context.writer
        self._seat, self._own_seat, self._own_epoch = 0, self._own.seat(number), 0
        self._epoch = 0  # that of the writer under which the partition may be written; 0 before it is ours
        self._read_to = 0  # where the ledger has our last head; later claims follow

    async def take(self) -> Ledger:
        """Fences every other writer. The result is the ledger as all of them left it.

        Raises ProducerFenced if another worker claims it meanwhile, and IntegrityError (4) for a ledger that this
        engine did not write.
        """
        kept, fenced, complete = Ledger(), {self._own.name}, False
        reading, self._seat = self._reading(kept), self._context.writer.seat(self._number)
        self._own_epoch = await self._own.begun()  # fences whoever was about to claim
        await self._claimed(claim(self._writer.name))
        while True:
            await reading.go_on()
            left = [name for name in kept.claims if name not in fenced]
            if complete and not left:
                break
            for name in left:
                await self._fence(name)
                fenced.add(name)
            epoch = await self._writer.begun()
            await offsets.refuse_hanging(self._probe, reading.tp)
            complete = True  # the next reading reaches an end that was asked for after the fencing
        if kept.claims.last != self._writer.name:
            raise ProducerFenced
        if over := [unclaimed(name) for name in kept.claims if name != self._writer.name]:
            await self._claimed(*over)
        self._epoch = epoch
        if not self.apart:
            await self._own.stop()
        return kept

    async def holds(self, head: Head | None = None) -> bool:
        """Tells whether the partition is still ours; the writer's present epoch may then write it.

        `head`: the last head that we committed, which must still be the last; None to look at the claims alone.
        """
        epoch, later = await self._writer.begun(), Ledger()
        later.claims.take(*claim(self._writer.name))
        reading = self._reading(later)
        reading.position = self._read_to
        await offsets.refuse_hanging(self._probe, reading.tp)
        await reading.go_on()
        if later.claims.last != self._writer.name or (head is not None and later.written != head.encode()):
            return False
        self._epoch = epoch
        return True

    async def lost(self) -> bool:
        """Tells whether another worker claimed the partition; also True if nobody can tell."""
        try:
            return not await self.holds()
        except (KafkaError, OSError, TimeoutError, IntegrityError):
            return True

    async def demand(self, head: Head | None) -> None:
        """Raises ProducerFenced if the writer's epoch is a new one, and the partition not ours under it any more."""
        if not self._writer.in_force(self._epoch) and not await self.holds(head):
            raise ProducerFenced

    async def commit(self, transaction: Transaction, shown: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Writes a chunk, with the group's offsets that ride along. The result is where each topic's last batch begins.

        Every failure and every unknown result is an exception, which ends the turn.
        """
        offsets = {tp: OffsetAndMetadata(offset, "") for tp, offset in shown.items()}
        topics, batches = zip(*transaction.batches, strict=True)
        places = await self._write(batches, offsets)
        begins = {topic: place.offset for topic, place in zip(topics, places, strict=True)}
        self._read_to = begins["ledger"]
        return begins

    async def show(self, position: Mapping[TopicPartition, int], note: str = "") -> None:
        """Writes the group's offsets alone, each with a note."""
        offsets = {tp: OffsetAndMetadata(offset, note) for tp, offset in position.items()}
        if not self._epoch:
            await self._own.commit(self._number, self._own_seat, self._own_epoch, [], offsets)
            return
        await self.demand(None)
        await self._write([], offsets)

    def board(self) -> None:
        """Announces a chunk: the next transaction waits for it a moment."""
        self._writer.board(self._number)

    def leave(self) -> None:
        """Ends the announcement."""
        self._writer.leave(self._number)

    async def give_up(self) -> None:
        """Deletes the claim, so that nobody need fence the writer. Call it when nothing of ours is on its way."""
        if self._epoch and not self.apart:
            await self._write(self._batches(unclaimed(self._writer.name)), {})

    async def stop(self) -> None:
        """Disconnects what belongs to this partition alone."""
        self._writer.leave(self._number)
        if self._own.apart(self._number):  # it would still stop the others
            self._context.writer.part([self._number])
        await self._own.stop()

    async def _fence(self, name: str) -> None:
        shared = self._context.writer
        if name == shared.name:  # a former turn of ours: its last chunk may be on its way
            await shared.settled(self._number)
            await shared.begun()
            return
        other = self._context.clients.producer(name)
        try:
            await other.start()
        finally:
            await other.stop()
        log.info("writer_fenced", partition=self._number, writer=name)

    def _reading(self, kept: Ledger) -> ledger.Reading:
        return ledger.Reading(self._probe, self._context.settings, "ledger", self._number, kept.apply)

    async def _claimed(self, *entries: tuple[bytes, bytes | None]) -> None:
        await self._own.commit(self._number, self._own_seat, self._own_epoch, self._batches(*entries), {})

    async def _write(
        self, batches: Sequence[ProducerBatch], offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> list[Appended]:
        seat = self._own_seat if self.apart else self._seat
        return await self._writer.commit(self._number, seat, self._epoch, batches, offsets)

    def _batches(self, *entries: tuple[bytes, bytes | None]) -> list[ProducerBatch]:
        transaction = Transaction(self._context.settings, self._number)
        for entry in entries:
            transaction.add("ledger", *entry)
        return [batch for _, batch in transaction.batches]
