"""The acts of one partition, read beside its sends: each with the record of `review` that it names.

A reader of its own waits for them, so that sends wait neither for acts nor for the look-up of an item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.acting import reviewed
from gatekeeper.settings import Settings
from streams import offsets
from streams.chunks import Chunk, Credit, runs

WAIT_MS = 500
READ_RECORDS = 200
NEAR = 500
"""Items that stand no further apart are looked up in one read."""


class Acts:
    """Follows one partition of `acts` from where it is told to, and hands on chunks; `items` holds what they name."""

    def __init__(self, settings: Settings, number: int) -> None:
        self.tp = TopicPartition(settings.topic("acts"), number)
        self.credit = Credit()
        self.items: dict[int, ConsumerRecord] = {}
        """By an act's offset, the record of `review` that it names; none where there is none."""
        self._review = TopicPartition(settings.topic("review"), number)
        self._reader = offsets.probe(settings.bootstrap, wait_ms=WAIT_MS)
        self._looker = offsets.probe(settings.bootstrap)
        self.busy = False
        """Whether acts have been read that are not handed on yet: silence is then no sign that any was lost."""
        self._moved = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects."""
        await asyncio.gather(self._reader.start(), self._looker.start())
        self._reader.assign([self.tp])

    def follow(self, offer: Callable[[Chunk], None]) -> asyncio.Task[None]:
        """Begins to read where `seek` said last; the task ends only with what makes reading impossible."""
        self._task = asyncio.create_task(self._read(offer), name=f"acts-{self.tp.partition}")
        return self._task

    async def seek(self, _: int, offset: int) -> None:
        """Goes on at `offset`."""
        self._moved = True
        self._reader.seek(self.tp, offset)

    async def stop(self) -> None:
        """Stops reading and disconnects."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(self._reader.stop(), self._looker.stop(), return_exceptions=True)

    async def _read(self, offer: Callable[[Chunk], None]) -> None:
        while True:
            while not self.credit.has(self.tp.partition):
                self.credit.regained.clear()
                await self.credit.regained.wait()
            self._moved = self.busy = False
            fetched = await self._reader.getmany(self.tp, timeout_ms=WAIT_MS, max_records=READ_RECORDS)
            records = fetched.get(self.tp, [])
            self.busy = bool(records)
            await self._look_up(records)
            if self._moved:
                continue  # somebody has gone back meanwhile, and these come again
            for run in runs(records):
                chunk = Chunk(self.tp.topic, self.tp.partition, run, generation=0)
                self.credit.take(chunk)
                offer(chunk)

    async def _look_up(self, acts: list[ConsumerRecord]) -> None:
        """Reads the records of `review` that these acts name."""
        named = {act.offset: reviewed(act.key, act.value) for act in acts}
        here = {act: place.offset for act, place in named.items() if place and place.partition == self.tp.partition}
        if not here:
            return
        begin, end = await offsets.bounds(self._looker, self._review)
        found = {}
        for first, last in _near(offset for offset in here.values() if begin <= offset < end):
            async for record in offsets.read(self._looker, self._review, first, last + 1):
                found[record.offset] = record
        self._looker.unsubscribe()  # or it would go on asking for what comes next
        self.items.update({act: found[offset] for act, offset in here.items() if offset in found})


def _near(places: Iterable[int]) -> list[tuple[int, int]]:
    """Returns the places as few ranges, each from its first to its last."""
    ranges: list[tuple[int, int]] = []
    for place in sorted(set(places)):
        if ranges and place - ranges[-1][1] <= NEAR:
            ranges[-1] = (ranges[-1][0], place)
        else:
            ranges.append((place, place))
    return ranges
