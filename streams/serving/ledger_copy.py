"""The ledger of all partitions in memory, for a process that only asks."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.state import LedgerState
from gatekeeper.settings import Settings
from streams.client.batches import refusal
from streams.worker.clients import Clients
from streams.worker.ledger import Ledger
from streams.worker.log_follower import LogFollower


class LedgerCopy(LogFollower):
    """Follows `ledger`. It may be some milliseconds late, so nothing may be cleared by it."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        super().__init__(settings, clients, ("ledger",))
        self._ledger = Ledger()
        self._first_ends: dict[TopicPartition, int] = {}

    @property
    def state(self) -> LedgerState:
        """The entries of all partitions."""
        return self._ledger.state

    @property
    def ready(self) -> bool:
        """True once the ledger was read to the ends that it had at the start."""
        return bool(self._first_ends) and all(self._positions[tp] >= end for tp, end in self._first_ends.items())

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self._first_ends = await self.ends.stable(partitions)
        return dict(self._begin)

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Applies one entry; raises IntegrityError (4) for a strange one."""
        if (refused := refusal(record.headers)) and refused.what != "headers":
            place = f"{tp.topic}/{tp.partition}/{record.offset}"
            raise IntegrityError("error.ledger_spoilt", place=place, sha256=refused.sha256)
        self._ledger.apply(record.key or b"", record.value)
