"""The results of all campaigns: their counts, and the places between which each campaign's records are."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.settings import Settings
from gatekeeper.management.result_sums import ResultSums, Span
from streams.client.coalesced_request import CoalescedRequest
from streams.worker.clients import Clients
from streams.worker.log_follower import LogFollower


class ResultFeed(LogFollower):
    """Follows `results` from the first record that is kept, and remembers sums and places alone."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        super().__init__(settings, clients, ("results",))
        self.sums = ResultSums()
        self._there: dict[TopicPartition, int] = {}
        self._ends = CoalescedRequest(lambda: self.ends.ends(list(self._positions)))

    async def stop(self) -> None:
        """Stops reading."""
        await self._ends.stop()
        await super().stop()

    def spans(self, campaign: str, controllers: Collection[str] | None) -> Mapping[int, Span]:
        """The places of a campaign by partition, as of now: the whole log, if the campaign was forgotten."""
        if (sums := self.sums.of(campaign, controllers)) is not None:
            return sums.spans
        return {tp.partition: Span(self._begin[tp], position) for tp, position in self._positions.items()}

    async def behind(self, seconds: float) -> list[int]:
        """The partitions of which some results are not counted after `seconds`, though written before this call.

        A transaction that stays open causes it. Waits without end until the topic was read once: give it a deadline.
        """
        ends = await self._ends.answer()
        await self._reached(self._there)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reached(ends), seconds)
        return sorted(tp.partition for tp, end in ends.items() if self._positions[tp] < end)

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self._there = await self.ends.stable(partitions)
        return await super()._starts(partitions)

    async def _reached(self, ends: Mapping[TopicPartition, int]) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: all(self._positions[tp] >= end for tp, end in ends.items()))

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Counts one result. Strange records are passed over."""
        self.sums.take(record.value, partition=tp.partition, offset=record.offset)
