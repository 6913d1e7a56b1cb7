"""Reads the releases on all partitions of `acts`, so that the limit on large releases counts every one.

Nothing is read until an act releases something, so sends pay nothing for it. The ends of all partitions are asked after
that act was fetched. So of any two releases, the one judged later knows the other.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.engine.release_count import HOUR_MS, ReleaseCount
from gatekeeper.ground.settings import Settings
from streams.client.batches import as_record
from streams.client.coalesced_request import CoalescedRequest
from streams.client.log_ends import Ends
from streams.worker import offsets
from streams.worker.clients import Clients, started

log = structlog.get_logger(__name__)

PATIENCE = 10.0
"""Seconds after which a release is judged although it could not be counted; it then needs a second person."""
MOST = 50_000
"""Releases that are kept, at most; beyond, they are read anew from where they are needed."""


class Releases:
    """The releases of a worker's people, on whichever partition they stand. Start it before its first question."""

    def __init__(self, settings: Settings, clients: Clients, ends: Ends) -> None:
        """`ends`: the worker's, and runs."""
        self.count = ReleaseCount()
        self._topic = settings.topic("acts")
        self._probe = offsets.Probe(clients.reader(), ends)
        self._positions: dict[TopicPartition, int] = {}
        self._wanted = self._since = 0
        self._round = CoalescedRequest(self._read)
        self._running = False

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

    async def stop(self) -> None:
        """Stops reading and disconnects."""
        await self._round.stop()
        if self._running:
            await self._probe.stop()

    async def _read(self) -> None:
        wanted, self._wanted = self._wanted, 0
        if not self._running:
            await started(self._probe)
            self._running = True
        if not self._positions or wanted < self._since or self.count.size > MOST:
            tps = await self._probe.ends.partitions([self._topic])
            self._positions = await self._probe.ends.since(tps, wanted)
            self._since, self.count = wanted, ReleaseCount()
        ends = await self._probe.ends.stable(self._positions)
        try:
            for tp, end in ends.items():
                async for record in offsets.read(self._probe, tp, self._positions[tp], end):
                    self.count.take(as_record(record))
                    self._positions[tp] = record.offset + 1
                self._positions[tp] = max(self._positions[tp], end)
        except (KafkaError, TimeoutError):
            self._positions = {}  # what was kept may be gone, so the next question begins anew
            raise
