"""Reads what the owners of all partitions must know: releases on `acts`, for their limit, and questions on `asked`.

Nothing is read until a record needs it, so other sends pay nothing for it. The ends of all partitions are asked after
that record was fetched. They leave out what is not committed yet, so nobody waits for another partition. Of two
releases, the one judged later knows the other. Of two questions it does once the first one is committed.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from gatekeeper.engine.release_count import HOUR_MS, ReleaseCount
from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.questions import QuestionIndex
from streams.client.batches import as_record
from streams.client.coalesced_request import CoalescedRequest
from streams.client.log_ends import Ends
from streams.worker import offsets
from streams.worker.clients import Clients, started

log = structlog.get_logger(__name__)

PATIENCE = 10.0
"""Seconds after which a release is judged although it could not be counted; it then needs a second person."""
AGAIN_SECONDS = 1.0
"""Seconds until the questions are read again that could not be read."""
AT_ONCE = 256
"""Records that are taken before other tasks get a turn, at most."""
MOST = 50_000
"""Releases that are kept, at most; beyond, they are read anew from where they are needed."""


class _OnAllPartitions:
    """A topic as read on all its partitions, up to ends that are asked anew each time."""

    def __init__(self, settings: Settings, clients: Clients, ends: Ends, topic: str) -> None:
        """`ends`: the worker's, and runs."""
        self._topic = settings.topic(topic)
        self._probe = offsets.Probe(clients.reader(), ends)
        self._positions: dict[TopicPartition, int] = {}
        self._round = CoalescedRequest(self._read)
        self._running = False

    async def stop(self) -> None:
        """Stops reading and disconnects."""
        await self._round.stop()
        if self._running:
            await self._probe.stop()

    async def _read(self) -> float:
        """Takes all that is committed by now. Returns the loop's time at which that was asked."""
        if not self._running:
            await started(self._probe)
            self._running = True
        await self._begin()
        asked_at = asyncio.get_running_loop().time()
        ends = await self._probe.ends.stable(self._positions)
        for tp, end in ends.items():
            if end < (position := self._positions[tp]):  # the log lost its end, and other records may come there
                self._positions = {}
                raise OffsetOutOfRangeError({tp: position})
            async for record in offsets.read(self._probe, tp, self._positions[tp], end):
                self._take(record)
                self._positions[tp] = record.offset + 1
                if record.offset % AT_ONCE == 0:
                    await asyncio.sleep(0)  # judging and heartbeats share the loop
            self._positions[tp] = end
        return asked_at

    async def _begin(self) -> None:
        """Sets the positions, if reading begins anew."""
        raise NotImplementedError

    def _take(self, record: ConsumerRecord) -> None:
        raise NotImplementedError


class Releases(_OnAllPartitions):
    """The releases of a worker's people, on whichever partition they stand. Start it before its first question."""

    def __init__(self, settings: Settings, clients: Clients, ends: Ends) -> None:
        """`ends`: the worker's, and runs."""
        super().__init__(settings, clients, ends, "acts")
        self.count = ReleaseCount()
        self._wanted = self._since = 0

    async def known(self, arrived: int) -> bool:
        """True once all releases are taken that arrived within an hour of this instant and are acknowledged by now.

        `arrived`: milliseconds. False if they cannot be read in time.
        """
        self._wanted = min(self._wanted, arrived - HOUR_MS) if self._wanted else arrived - HOUR_MS
        try:
            async with asyncio.timeout(PATIENCE):
                await self._round.answer()
        except (KafkaError, TimeoutError) as error:
            log.warning("releases_uncounted", topic=self._topic, error=type(error).__name__)
            return False
        return True

    async def _read(self) -> float:
        try:
            return await super()._read()
        except (KafkaError, TimeoutError):
            self._positions = {}  # what was kept may be gone, so the next question begins anew
            raise

    async def _begin(self) -> None:
        wanted, self._wanted = self._wanted, 0
        if not self._positions or wanted < self._since or self.count.size > MOST:
            tps = await self._probe.ends.partitions([self._topic])
            self._positions = await self._probe.ends.since(tps, wanted)
            self._since, self.count = wanted, ReleaseCount()

    def _take(self, record: ConsumerRecord) -> None:
        self.count.take(as_record(record))


class Asked(_OnAllPartitions):
    """The questions that count under other ids, on whichever partition they stand (domain rule 8.2.48)."""

    def __init__(self, settings: Settings, clients: Clients, ends: Ends) -> None:
        """`ends`: the worker's, and runs."""
        super().__init__(settings, clients, ends, "asked")
        self.questions = QuestionIndex()

    async def known(self) -> float:
        """The loop's time, after this call, up to which all committed questions are taken.

        It tries as long as that takes, and goes on from where a try ended.
        """
        while True:
            try:
                return await self._round.answer()
            except (KafkaError, TimeoutError) as error:
                log.warning("questions_unread", topic=self._topic, error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _begin(self) -> None:
        tps = await self._probe.ends.partitions([self._topic])
        for tp, begin in (await self._probe.ends.beginnings(tps)).items():
            self._positions[tp] = max(begin, self._positions.get(tp, 0))

    def _take(self, record: ConsumerRecord) -> None:
        if not self.questions.put(Entry(record.key or b"", record.value)):
            log.error("question_unreadable", topic=self._topic, partition=record.partition, offset=record.offset)
