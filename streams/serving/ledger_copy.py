"""The ledger of all partitions in memory, for a process that only asks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.fact_logs import ReadLogs, vanished
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.state import LedgerState
from streams.client.batches import refusal
from streams.client.coalesced_request import CoalescedRequest
from streams.worker.clients import Clients
from streams.worker.ledger import Ledger
from streams.worker.log_follower import LogFollower

WATCH_SECONDS = 1.0
PASS_SECONDS = 5.0
"""Seconds between two looks at the ends of the logs, and for one look."""


class LedgerCopy(LogFollower):
    """Follows `ledger`. It may be some seconds late, and `age` says how many at most.

    `tokens`: the fingerprints of our token keys by number. Reading ends with IntegrityError (4) if workers have another
    key of such a number. Stops by token would match nobody.
    """

    def __init__(self, settings: Settings, clients: Clients, tokens: Mapping[int, str]) -> None:
        super().__init__(settings, clients, ("ledger",))
        self._tokens = tokens
        self.topics: Mapping[str, str] = {}
        """Kafka's ids of the topics of facts and of the ledger now, by name; set them before the start."""
        self.heads: dict[int, Head] = {}
        """The heads, by partition."""
        self._looked: dict[int, tuple[Head, bool]] = {}
        self._ledger = Ledger()
        self._known_at = float("-inf")
        self._round = CoalescedRequest(self._pass)

    @property
    def state(self) -> LedgerState:
        """The entries of all partitions."""
        return self._ledger.state

    @property
    def age(self) -> float:
        """Seconds since an instant up to which all committed entries are known; infinite before the first."""
        return asyncio.get_running_loop().time() - self._known_at

    def facts_gone(self, logs: ReadLogs, lost_at: int) -> bool:
        """Tells whether facts by which a worker decided are gone, and nobody has said that they are back.

        `logs`, `lost_at`: those of this process, as of `Followers`.
        """
        for number, head in self.heads.items():
            if lost_at > head.believed:
                return True
            if self._looked.get(number, (None, False))[0] is not head:
                again, same = head.made_again(self.topics), not head.of_another_ledger(self.topics)
                gone = bool(again) or (same and bool(vanished(head.facts, logs, ended=False)))
                self._looked[number] = head, gone
        return any(gone for _, gone in self._looked.values())

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        return [self._read(), self._watch()]

    async def stop(self) -> None:
        """Stops reading."""
        await self._round.stop()
        await super().stop()

    async def confirmed(self) -> bool:
        """True once every entry is known that was committed before this call; False if that takes too long."""
        return await self._round.answer()

    async def _pass(self) -> bool:
        """Compares with the stable ends of the logs, so an open transaction of a worker delays nothing."""
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PASS_SECONDS):
                ends = await self.ends.stable(list(self._positions))
                async with self._moved:
                    while any(self._positions[tp] < end for tp, end in ends.items()):
                        await self._moved.wait()
        except TimeoutError:
            return False
        self._known_at = asked
        return True

    async def _watch(self) -> None:
        while True:
            await self.confirmed()  # else `age` grows, and says so
            await asyncio.sleep(WATCH_SECONDS)

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Applies one entry; raises IntegrityError (4) for a strange one, and for a head of another token key."""
        if (refused := refusal(record.headers)) and refused.what != "headers":
            place = f"{tp.topic}/{tp.partition}/{record.offset}"
            raise IntegrityError("error.ledger_spoilt", place=place, sha256=refused.sha256)
        if record.key == HEAD and record.value is not None:
            head = Head.decode(record.value)
            if (other := head.other_token(self._tokens)) is not None:
                where = {"topic": self._settings.topic("sends"), "partition": tp.partition}
                raise IntegrityError("error.token_key_differs", number=other, folder=self._settings.keys, **where)
            self.heads[tp.partition] = head
        self._ledger.apply(record.key or b"", record.value)
