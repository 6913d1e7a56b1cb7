"""Marks of an input: records that were taken, each by offset and hash. By these its log is known again.

A broker that is put back to an older state keeps ids, and counts offsets and epochs anew. So a position alone does not
tell whether the records below it are those that were read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from streams.client.batches import refusal
from streams.client.record_hash import mark
from streams.worker import offsets

log = structlog.get_logger(__name__)

EVERY_SECONDS, KEPT_SECONDS = 1.0, 10.0
"""Seconds between two marks that are kept in memory, and for which. A leader may have changed a moment before we know.

A log that was replaced then has the newest record, and lacks earlier ones.
"""
RecordMark = tuple[int, str]


def last_mark(records: Sequence[Any]) -> RecordMark | None:
    """The mark of the last readable record, None without one."""
    readable = (
        record for record in reversed(records) if not (getattr(record, "refused", None) or refusal(record.headers))
    )
    last = next(readable, None)
    return None if last is None else mark(last)


async def other(probe: offsets.Probe, tp: TopicPartition, marks: Iterable[RecordMark]) -> RecordMark | None:
    """The first mark whose record a log lacks, None without one. What a log no longer keeps is not asked for."""
    begin, _ = await offsets.bounds(probe, tp)
    kept = {offset: hash_ for offset, hash_ in marks if offset >= begin}
    if not kept:
        log.info("input_unproven", topic=tp.topic, partition=tp.partition, offset=begin)
        return None
    records = await offsets.some(probe, tp, kept)
    lacked = [noted for noted in sorted(kept.items()) if noted[0] not in records or mark(records[noted[0]]) != noted]
    begin, _ = await offsets.bounds(probe, tp) if lacked else (begin, 0)  # retention goes on meanwhile
    return next((noted for noted in lacked if noted[0] >= begin), None)


class RecentMarks:
    """The marks of one input from the last KEPT_SECONDS, one a second, the oldest first, and the newest one."""

    def __init__(self, first: RecordMark | None) -> None:
        self._newest = first
        self._kept: deque[tuple[float, RecordMark]] = deque([(float("-inf"), first)] if first else [])

    def add(self, noted: RecordMark, now: float) -> None:
        """Takes the newest mark; `now`: seconds of the loop's clock."""
        self._newest = noted
        if not self._kept or now - self._kept[-1][0] >= EVERY_SECONDS:
            self._kept.append((now, noted))
        while len(self._kept) > 1 and now - self._kept[1][0] > KEPT_SECONDS:
            self._kept.popleft()

    def __iter__(self) -> Any:
        kept = [noted for _, noted in self._kept]
        return iter(kept if self._newest in (None, *kept[-1:]) else [*kept, self._newest])
