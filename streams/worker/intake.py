"""The records of one partition without gaps: the transport's chunks, checked against the log itself.

The engine owns the position and does not trust the transport. A read from the expected offset checks every gap before
a chunk's first record, and every silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

import structlog
from aiokafka import TopicPartition

from gatekeeper.ground.errors import RestartError
from streams.worker import offsets
from streams.worker.chunks import CHUNK_BYTES, CHUNK_RECORDS, Chunk, Credit, R, size_of

log = structlog.get_logger(__name__)

IDLE_SECONDS = 2.0
"""Seconds without a chunk after which the log is asked for undelivered records."""

STEPS_BACK = 15
"""Steps back to the same offset after which the transport is considered dead; a restart may help."""


STEP_SECONDS = 0.05
"""Seconds of processor time that judging one chunk may take, so that a chunk never delays other work."""
FIRST = 100
WEIGHT = 0.2
"""Weight of the newest chunk in the mean: caches are cold at first, and a policy may change."""


async def arrival(arrived: asyncio.Event, most: float | None = None) -> None:
    """Waits until a chunk has arrived since the last call, `most` seconds are over, or a look ahead is due.

    Others get their turn in any case: a long walk through people sets `arrived` again and again.
    """
    await asyncio.sleep(0)
    with contextlib.suppress(TimeoutError):
        # wait_for of 3.11 can swallow a cancellation
        async with asyncio.timeout(IDLE_SECONDS if most is None else min(most, IDLE_SECONDS)):
            await arrived.wait()
    arrived.clear()


class Pace:
    """Learner of the cost of a record on this machine; `records` is the size of the next chunk."""

    def __init__(self) -> None:
        self.records = FIRST
        self._cost = STEP_SECONDS / FIRST

    def observe(self, records: int, seconds: float) -> None:
        """Learns that judging so many records took so many seconds of processor time."""
        if records:
            self._cost += WEIGHT * (seconds / records - self._cost)
            self.records = max(1, min(CHUNK_RECORDS, int(STEP_SECONDS / max(self._cost, 1e-9))))


@dataclass(frozen=True, slots=True)
class InputRange(Generic[R]):
    """Input of one transaction from a topic: the offsets from `start` up to `to`, their records, and the gaps.

    Each gap is a first offset and a length; records and gaps together are all offsets of the range.
    """

    start: int
    to: int
    records: tuple[R, ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()

    def cut(self, offset: int) -> tuple[InputRange[R], InputRange[R]]:
        """The part before the record at this offset, and the rest."""
        before = tuple(record for record in self.records if record.offset < offset)
        gaps = tuple(gap for gap in self.gaps if gap[0] < offset)
        rest = InputRange(offset, self.to, self.records[len(before) :], self.gaps[len(gaps) :])
        return InputRange(self.start, offset, before, gaps), rest

    def before(self, later: InputRange[R]) -> InputRange[R]:
        """This range and the next one as one range; while neither is written, `later` has the gaps of both."""
        return InputRange(self.start, later.to, (*self.records, *later.records), later.gaps)


class Intake(Generic[R]):
    """Converter of chunks to batches that have no gap except those of the log."""

    def __init__(
        self,
        tp: TopicPartition,
        probe: offsets.Probe,
        credit: Credit,
        seek: Callable[[int, int], Awaitable[None]],
        arrived: asyncio.Event,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`arrived`: set for every chunk. `busy`: True while chunks are on their way, so that silence means nothing."""
        self._busy = busy
        self._tp, self._probe, self._credit, self._seek, self._arrived = tp, probe, credit, seek, arrived
        self._chunks: deque[Chunk[R]] = deque()
        self._heard_at = 0.0
        self._start = self._next = 0
        self._gaps: list[tuple[int, int]] = []
        self._steps_back, self._stepped_to = 0, -1
        self._in_hand: int | None = None

    @property
    def waiting(self) -> bool:
        """Tells whether chunks wait."""
        return bool(self._chunks)

    @property
    def oldest(self) -> int | None:
        """The broker's time of the oldest record that is not judged, in milliseconds; None if none waits here."""
        if self._in_hand is not None:
            return self._in_hand
        return self._chunks[0].records[0].timestamp if self._chunks else None

    @property
    def moved(self) -> bool:
        """Tells whether the position has passed holes that no batch has taken yet."""
        return bool(self._gaps)

    @property
    def passed(self) -> int:
        """Number of offsets in these holes."""
        return sum(length for _, length in self._gaps)

    async def begin(self, offset: int) -> None:
        """Starts at `offset`, and moves the transport there: it began at the group's offset, which may be wrong."""
        self._start = self._next = offset
        self._heard_at = asyncio.get_running_loop().time()
        self._chunks.clear()
        self._in_hand = None
        self._gaps.clear()  # of records taken before and not written; they are met again
        self._credit.forget(self._tp.partition)
        await self._seek(self._tp.partition, offset)

    def offer(self, chunk: Chunk[R]) -> None:
        """Takes a chunk of the current assignment, and says so; never blocks, as credit bounds what waits."""
        self._chunks.append(chunk)
        self._arrived.set()

    async def next_batch(self, most: int = CHUNK_RECORDS) -> InputRange[R]:
        """The next batch of waiting records, at most `most`; empty after a step back.

        The writer of the batch calls `written`; a batch that was not written is part of the next one.
        """
        now = asyncio.get_running_loop().time()
        if self._chunks or self._busy():
            self._heard_at = now
        elif now - self._heard_at >= IDLE_SECONDS:
            await self._look_ahead()
            self._heard_at = now
        taken: list[R] = []
        room = CHUNK_BYTES
        while self._chunks and room > 0 and len(taken) < most:
            chunk = self._chunks[0]
            if chunk.first > self._next and not await self._is_hole(chunk.first):
                break
            room = self._take(taken, room, most)
        if taken and self._in_hand is None:
            self._in_hand = taken[0].timestamp
        return InputRange(self._start, self._next, tuple(taken), tuple(self._gaps))

    def nothing(self) -> InputRange[R]:
        """A batch without records: the waiting records keep waiting."""
        return InputRange(self._start, self._start)

    def written(self, batch: InputRange[R]) -> None:
        """Begins the next batch at the end of this one."""
        self._start, self._in_hand = batch.to, None
        self._gaps = [gap for gap in self._gaps if gap[0] >= batch.to]

    def _take(self, taken: list[R], room: int, most: int) -> int:
        """Moves the first chunk's records over as far as there is room. The result is the room left, 0 if none."""
        chunk = self._chunks.popleft()
        moved, size = 0, 0
        for record in chunk.records:
            length = size_of(record)
            if record.offset >= self._next:  # else it was taken before
                if len(taken) >= most or (taken and length > room):
                    self._chunks.appendleft(
                        Chunk(chunk.topic, chunk.partition, chunk.records[moved:], chunk.generation)
                    )
                    room = 0
                    break
                taken.append(record)
                room -= length
                self._next = record.offset + 1
            moved, size = moved + 1, size + length
        self._credit.give(self._tp.partition, moved, size)
        return room

    async def _is_hole(self, offset: int) -> bool:
        """Reads the log before `offset`: True if nothing readable is there, else steps back to it."""
        readable = await offsets.first_readable(self._probe, self._tp, self._next, offset + 1)
        if readable is None:
            raise RestartError(
                "error.record_vanished", topic=self._tp.topic, partition=self._tp.partition, offset=offset
            )
        if readable < offset:
            await self._step_back()
            return False
        self._pass(offset)
        return True

    async def _look_ahead(self) -> None:
        """Checks the log for records that the transport has not delivered."""
        _, end = await offsets.bounds(self._probe, self._tp)
        if end <= self._next:
            return
        if await offsets.first_readable(self._probe, self._tp, self._next, end) is not None:
            await self._step_back()
        elif not self._chunks:
            self._pass(end)

    def _pass(self, offset: int) -> None:
        self._gaps.append((self._next, offset - self._next))
        self._next = offset

    async def _step_back(self) -> None:
        log.warning("records_missed", partition=self._tp.partition, offset=self._next)
        self._steps_back = self._steps_back + 1 if self._next == self._stepped_to else 1
        self._stepped_to = self._next
        if self._steps_back > STEPS_BACK:
            topic, partition = self._tp
            raise RestartError("error.nothing_delivered", topic=topic, partition=partition, offset=self._next)
        self._chunks.clear()
        self._credit.forget(self._tp.partition)  # also that of chunks which never arrived
        await self._seek(self._tp.partition, self._next)
