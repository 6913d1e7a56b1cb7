"""The results of all campaigns: their counts, and the places between which each campaign's records are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.office.result_sums import ResultSums
from gatekeeper.settings import Settings
from streams.worker.clients import Clients
from streams.worker.log_follower import LogFollower


class Span(NamedTuple):
    """The offsets of a campaign on one partition: the first one, and the one behind the last."""

    first: int
    to: int


class ResultFeed(LogFollower):
    """Follows `results` from the first record that is kept, and remembers sums and places alone."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        super().__init__(settings, clients, ("results",))
        self.sums = ResultSums()
        self._spans: dict[str, dict[int, Span]] = {}

    def spans(self, campaign: str) -> Mapping[int, Span]:
        """The places of a campaign by partition."""
        return self._spans.get(campaign, {})

    async def counted(self, seconds: float) -> bool:
        """True once every result is counted that was written before this call; False if that takes too long."""
        try:
            async with asyncio.timeout(seconds):
                ends = await self.ends.ends(list(self._positions))
                async with self._moved:
                    while any(self._positions[tp] < end for tp, end in ends.items()):
                        await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Counts one result. Strange records are passed over."""
        if (campaign := self.sums.take(record.value)) is not None:
            spans = self._spans.setdefault(campaign, {})
            first = spans[tp.partition].first if tp.partition in spans else record.offset
            spans[tp.partition] = Span(first, record.offset + 1)
