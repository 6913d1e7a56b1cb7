"""Transactions of one transactional id, one after the other: chunks that wait while one commits share the next.

A worker has one writer for all its partitions. It has epochs: an uncertain result ends the epoch, and every chunk that
waits in it fails. Under each epoch, a partition is written only after its claim was read (`streams.worker.claim`).
docs/adr/0051-one-producer.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import ProducerClosed, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from streams.client.coordinators import PATIENCE
from streams.client.producer import Appended, Producer, ProducerBatch
from streams.worker.clock import Clock

HOLD_SECONDS = 0.02
"""Seconds that a transaction waits, at most, for partitions that are judging a chunk for it."""
APART_SECONDS = 90.0
"""Seconds for which a partition writes alone after a broker refused its records. It is tried again sooner."""
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Passenger:
    """One partition's chunk that waits for its transaction."""

    number: int
    batches: Sequence[ProducerBatch]
    offsets: Mapping[TopicPartition, OffsetAndMetadata]
    places: asyncio.Future[list[Appended]]


class Writer:
    """Writer of chunks in shared transactions under the transactional id `name`.

    `make`: maker of its producers. `group`: whose offsets ride along. `clock`: learns from each write.
    """

    def __init__(self, name: str, make: Callable[[str], Producer], group: str, clock: Clock) -> None:
        self.name = name
        self._make, self._group, self._clock = make, group, clock
        self._producer: Producer | None = None
        self._epoch = 0
        self._beginning = asyncio.Lock()
        self._waiting: list[_Passenger] = []
        self._flying: list[_Passenger] = []
        self._work: asyncio.Task[None] | None = None
        self._aboard: set[int] = set()
        self._changed = asyncio.Event()
        self._apart: dict[int, float] = {}
        self._seats = Counter[int]()

    async def begun(self) -> int:
        """The number of the present epoch. After an uncertain result a new one begins, which settles what was open."""
        async with self._beginning:
            if self._producer is None:
                producer = self._make(self.name)
                try:
                    await producer.start()
                except BaseException:
                    await _closed(producer)
                    raise
                self._producer = producer
                self._epoch += 1
            return self._epoch

    def in_force(self, epoch: int) -> bool:
        """Tells whether this epoch may still write."""
        return self._producer is not None and self._epoch == epoch

    async def stop(self) -> None:
        """Disconnects; what waits fails."""
        await self._end(ProducerClosed())
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def board(self, number: int) -> None:
        """Announces a chunk of this partition: the next transaction waits for it a moment."""
        self._aboard.add(number)

    def leave(self, number: int) -> None:
        """Takes the announcement back, or ends it once the chunk waits."""
        self._aboard.discard(number)
        self._changed.set()

    def seat(self, number: int) -> int:
        """A new seat of this partition. No earlier one can write any more, but its last chunk may be on its way."""
        self._seats[number] += 1
        return self._seats[number]

    async def commit(
        self,
        number: int,
        seat: int,
        epoch: int,
        batches: Sequence[ProducerBatch],
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
    ) -> list[Appended]:
        """Writes a partition's chunk in the next transaction. The result is the place of each batch.

        A result means committed. After any error only the log shows whether the chunk was committed.
        """
        if not self.in_force(epoch):
            raise ProducerClosed
        if seat != self._seats[number]:
            raise ProducerFenced
        one = _Passenger(number, batches, offsets, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._fly())
        self._changed.set()
        try:
            return await one.places
        finally:
            if one in self._waiting:
                self._waiting.remove(one)
                self._changed.set()

    async def settled(self, number: int) -> None:
        """Waits until no chunk of this partition waits or is being written, whatever became of it."""
        while any(one.number == number for one in (*self._flying, *self._waiting)):
            self._changed.clear()
            await self._changed.wait()

    def apart(self, number: int) -> float:
        """Seconds for which a partition is to write alone; 0 if it need not. It would stop the others."""
        return max(0.0, self._apart.get(number, 0.0) - asyncio.get_running_loop().time())

    def part(self, numbers: Iterable[int]) -> None:
        """Lets these partitions write alone for a while."""
        until = asyncio.get_running_loop().time() + APART_SECONDS
        self._apart.update(dict.fromkeys(numbers, until))

    async def _fly(self) -> None:
        while self._waiting:
            await self._boarded()
            self._flying, self._waiting = self._waiting, []
            try:
                if self._flying:
                    await self._write(self._flying)
            finally:
                self._flying = []
                self._changed.set()

    async def _boarded(self) -> None:
        """Waits a moment for the chunks that were announced."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_SECONDS):
                while self._aboard - {one.number for one in self._waiting}:
                    self._changed.clear()
                    await self._changed.wait()

    async def _write(self, chunks: Sequence[_Passenger]) -> None:
        producer, clock = self._producer, self._clock
        assert producer is not None  # else nothing would wait
        batches = [batch for one in chunks for batch in one.batches]
        offsets = {tp: offset for one in chunks for tp, offset in one.offsets.items()}
        start, sent = clock.start(), clock.now()
        try:
            places = await producer.commit(batches, offsets, self._group)
        except Exception as error:
            refused, numbers = producer.refused, {one.number for one in chunks}
            if refused < numbers or (len(numbers) == 1 and isinstance(error, PATIENCE)):
                self.part(refused)
            await self._end(error)
            return
        if places:
            appended = max(place.timestamp for place in places)
            clock.observe(start=start, sent=sent, acknowledged=clock.now(), appended=appended)
        left = iter(places)
        for one in chunks:
            mine = [place for _, place in zip(one.batches, left, strict=False)]
            if not one.places.done():
                one.places.set_result(mine)

    async def _end(self, error: Exception) -> None:
        """Ends the epoch: what flies and what waits fails."""
        producer, self._producer = self._producer, None
        for one in (*self._flying, *self._waiting):
            if not one.places.done():
                one.places.set_exception(error)
        self._waiting.clear()
        if producer is not None:
            await _closed(producer)


async def _closed(producer: Producer) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
