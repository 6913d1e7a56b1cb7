"""Proof that a log is the one that was read, or another one.

A broker that was put back to an older state keeps the topic's id, and counts offsets and epochs anew. So records are
compared. Another one may stand in place of a marker, or of what somebody aborted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from streams.client.read_log import ReadLog, ReadPart
from streams.client.record_hash import record_hash
from streams.worker import offsets
from streams.worker.unread_facts import unreadable_part


class LogProof:
    """Comparison of logs with what was read of them."""

    def __init__(
        self, probe: offsets.Probe, whole: Callable[[TopicPartition, list[Any]], Awaitable[list[Any]]]
    ) -> None:
        """`whole`: gives records with those of a spoilt batch from another replica."""
        self._probe, self._whole = probe, whole

    async def holds(self, tp: TopicPartition, part: ReadPart, proven: ReadPart) -> bool:
        """Tells whether a log still holds a part that was read of it.

        `proven`: its beginning that is known to be of this log. The records behind it are read again, all of them.
        """
        begin, end = await offsets.bounds(self._probe, tp)
        if end < max(part.position, proven.position) or not await self._ends_alike(tp, proven, begin):
            return False
        again = ReadLog(proven.position, *proven)
        async for record in self._readable(tp, proven.position, part.position):
            again.take(record)
        return again.content == part.content

    async def _ends_alike(self, tp: TopicPartition, known: ReadPart, begin: int) -> bool:
        """Tells whether the last record of a known part is still the last one below its position."""
        offset, _ = known.last
        last = [
            (record.offset, record_hash(record))
            async for record in self._readable(tp, max(offset, begin), known.position)
        ]
        return last == ([known.last] if offset >= 0 else [])

    async def _readable(self, tp: TopicPartition, begin: int, end: int) -> AsyncIterator[ConsumerRecord]:
        """Yields the records between these offsets that a log as it was read has, too."""
        async for record in offsets.read(self._probe, tp, begin, end):
            (whole,) = await self._whole(tp, [record])
            if unreadable_part(whole) is None:
                yield whole
