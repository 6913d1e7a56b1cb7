"""The ends of `sends` for the pages and the log of a worker, asked beside the barrier's own questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from streams.client.coalesced_request import CoalescedRequest
from streams.worker.clients import Clients

ENDS_SECONDS = 0.3
"""Seconds to wait for an answer. Whoever joins the pages of several processes waits a second for each."""


class SendEnds:
    """Asks on connections of its own, one question at a time for all who ask.

    So whoever reads pages and gives up takes no place at a broker from the barrier. `owned`: gives the numbers of the
    partitions to ask about.
    """

    def __init__(self, settings: Settings, clients: Clients, owned: Callable[[], Collection[int]]) -> None:
        self._topic, self._owned = settings.topic("sends"), owned
        self._ends = clients.ends()
        self._round = CoalescedRequest(self._ask)
        self._started = False

    async def start(self) -> None:
        """Connects; raises KafkaConnectionError where no bootstrap server answers."""
        await self._ends.start()
        self._started = True

    async def stop(self) -> None:
        """Disconnects."""
        await self._round.stop()
        if self._started:
            await self._ends.stop()

    async def read(self) -> dict[str, int]:
        """The end of each owned partition by its number; {} if no broker tells them in time."""
        if not self._started or not self._owned():
            return {}
        try:
            async with asyncio.timeout(ENDS_SECONDS):
                return await self._round.answer()
        except (TimeoutError, KafkaError, UnavailableError):
            return {}

    async def _ask(self) -> dict[str, int]:
        ends = await self._ends.ends([TopicPartition(self._topic, number) for number in self._owned()])
        return {str(tp.partition): end for tp, end in ends.items()}
