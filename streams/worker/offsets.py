"""Reads that are bounded by offset and never by time: an empty result means that the end was reached."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from operator import itemgetter

import aiokafka.consumer.fetcher
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.client import batches
from streams.client.log_ends import Ends

batches.install(aiokafka.consumer.fetcher)

READ_SECONDS = 30.0
"""Seconds without any progress of a read, at most, before it is an error (TimeoutError), not an answer."""

STILL_SECONDS = 1.0
"""Seconds without a record after which a reader may be with a deposed leader that does not know it."""

NEAR = 500
"""Distance of offsets up to which a reader reads on; a new seek takes about as long."""

REACH = 10_000
"""Distance of offsets in which a record is searched by name, after its known place: about three transactions."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A reader that is assigned anew for each read, and the bounds of logs; `ends` is the worker's, and runs."""

    reader: AIOKafkaConsumer
    ends: Ends

    async def start(self) -> None:
        """Connects."""
        await self.reader.start()

    async def stop(self) -> None:
        """Disconnects."""
        await self.reader.stop()


async def bounds(probe: Probe, tp: TopicPartition) -> tuple[int, int]:
    """The first offset of the log, and its stable end: the start of the first open transaction, else the end."""
    async with asyncio.timeout(READ_SECONDS):
        begin, end = await asyncio.gather(probe.ends.beginnings([tp]), probe.ends.stable([tp]))
        return begin[tp], end[tp]


async def settles(probe: Probe, tp: TopicPartition, end: int, patience: float) -> bool:
    """True once no transaction is open below `end`, False if one still is after `patience` seconds."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    while (await bounds(probe, tp))[1] < end:
        if loop.time() > give_up:
            return False
        await asyncio.sleep(0.1)
    return True


async def read(probe: Probe, tp: TopicPartition, begin: int, end: int) -> AsyncGenerator[ConsumerRecord, None]:
    """Yields the committed records from `begin` up to `end` (exclusive), which is at most the stable end.

    Raises TimeoutError if the position does not move for READ_SECONDS; passes aiokafka's errors on.
    """
    if begin >= end:
        return
    consumer = probe.reader
    consumer.assign([tp])
    consumer.seek(tp, begin)
    loop = asyncio.get_running_loop()
    position, moved_at = begin, loop.time()
    looked_at = moved_at
    try:
        while position < end:
            fetched = await consumer.getmany(tp, timeout_ms=100, max_records=5_000)
            for record in fetched.get(tp, ()):
                if record.offset >= end:
                    return
                yield record
            async with asyncio.timeout(READ_SECONDS):
                reached = await consumer.position(tp)
            if reached > position:
                position, moved_at = reached, loop.time()
            elif loop.time() - moved_at > READ_SECONDS:
                raise TimeoutError(f"{tp.topic}/{tp.partition} stays at {position} of {end}")
            elif loop.time() - max(moved_at, looked_at) > STILL_SECONDS:
                await probe.ends.stable([tp])  # by that the reader learns the present leader
                looked_at = loop.time()
    finally:
        # else it would keep fetching, and other requests would wait behind that; without a subscription aiokafka would
        # ask for the metadata of all topics of the cluster
        consumer.pause(tp)


async def some(probe: Probe, tp: TopicPartition, wanted: Iterable[int]) -> dict[int, ConsumerRecord]:
    """The committed records at these offsets, without missing and refused ones.

    Records close to each other are read in one pass.
    """
    begin, end = await bounds(probe, tp)
    left = deque(sorted({offset for offset in wanted if begin <= offset < end}))
    records: dict[int, ConsumerRecord] = {}
    while left:
        first = last = left[0]
        stretch = set()
        while left and left[0] - last <= NEAR:
            last = left.popleft()
            stretch.add(last)
        async for record in read(probe, tp, first, last + 1):
            if record.offset in stretch and not batches.refusal(record.headers):
                records[record.offset] = record
    return records


async def named(probe: Probe, tp: TopicPartition, header: str, wanted: Mapping[str, int]) -> list[ConsumerRecord]:
    """The committed records whose header has one of these values, each at its offset or within REACH after it.

    Missing records are left out. Records close to each other are read in one pass.
    """
    begin, end = await bounds(probe, tp)
    left = {name.encode(): offset for name, offset in sorted(wanted.items(), key=itemgetter(1))}
    matching: list[ConsumerRecord] = []
    while left:
        async with aclosing(read(probe, tp, max(begin, next(iter(left.values()))), end)) as records:
            async for record in records:
                if left.pop(dict(record.headers).get(header) or b"", None) is not None:
                    matching.append(record)
                while left and next(iter(left.values())) + REACH < record.offset:
                    del left[next(iter(left))]
                if not left or next(iter(left.values())) > record.offset + NEAR:
                    break
            else:
                return matching
    return matching


async def first_readable(probe: Probe, tp: TopicPartition, begin: int, end: int) -> int | None:
    """The offset of the first committed record in [begin, end), None if there is none."""
    async with aclosing(read(probe, tp, begin, end)) as records:  # closed before the next read begins
        async for record in records:
            return int(record.offset)
    return None
