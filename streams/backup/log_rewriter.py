"""Writes logs anew such that each record gets the offset that it had.

Kafka gives each record the next offset. Offsets that hold nothing are filled by transactions that are aborted. No
reader of committed records sees their records and markers. docs/adr/0065-backup.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiokafka import TopicPartition

from gatekeeper.ground.errors import IncompleteError
from streams.backup.log_image import Frame
from streams.client.coordinators import patiently
from streams.client.producer import Producer, ProducerBatch

FILLER = 50_000
"""Records of a batch that only takes up offsets."""


class LogRewriter(Producer):
    """Writer of batches and gaps at the offsets that they had; the topics must keep the times that it writes.

    A failure leaves logs that are whole up to some offset. Whoever restores begins anew with empty topics.
    """

    async def write(self, frames: Mapping[TopicPartition, Frame]) -> None:
        """Writes a batch on each partition, outside of transactions, and waits for all in-sync replicas.

        Raises IncompleteError (5) if one got another offset, because somebody else wrote there meanwhile.
        """
        left = dict(zip(frames, range(len(frames)), strict=True))
        sent = [bytes(8) + frame.raw[8:] for frame in frames.values()]
        while left:
            written = await patiently(partial(self._send, left, sent, transactional=False))
            for tp, number in [*left.items()]:
                if number in written:
                    del left[tp]
                    if (offset := written[number].offset) != frames[tp].base:
                        raise disturbed(tp, offset)

    async def skip(self, gaps: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """Takes up offsets on each partition: so many, with this time (milliseconds) for the records that fill them."""
        await patiently(partial(self._add, set(gaps)))
        fillers = [batch for tp, (count, at) in gaps.items() for batch in _fillers(tp, count - 1, at)]
        await self._write(fillers)
        await self._end(commit=False)
        await self._take_epoch()  # the next record must stand behind the markers


def disturbed(tp: TopicPartition, offset: int) -> IncompleteError:
    """The error for a partition that got a record of somebody else at this offset."""
    return IncompleteError("error.restore_disturbed", topic=tp.topic, partition=tp.partition, offset=offset)


def _fillers(tp: TopicPartition, count: int, at: int) -> list[ProducerBatch]:
    batches = list[ProducerBatch]()
    for first in range(0, count, FILLER):
        batch = ProducerBatch(tp.topic, tp.partition, "gzip")  # inflates to below what the broker takes
        for _ in range(min(FILLER, count - first)):
            batch.append(b"", None, timestamp=at)
        batches.append(batch)
    return batches
