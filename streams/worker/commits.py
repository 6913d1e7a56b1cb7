"""The commits of one turn, one after the other. The group's offsets and the copy of the ledger go along.

A commit is under way while the next batch is judged. What it changed in the copy is cut before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from gatekeeper.ground import metrics
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from streams.client.producer import Producer
from streams.worker.group_offsets import GroupOffsets
from streams.worker.kept_ledger import CopyPosition, KeptLedger
from streams.worker.transaction import Transaction
from streams.worker.worker_context import WorkerContext

DRAIN_SECONDS = 3.0


class Commits:
    """Commits transactions of a partition, at most one at a time. `writer`: the partition's producer."""

    def __init__(self, context: WorkerContext, writer: Producer) -> None:
        self.head: Head | None = None
        """The head that is committed, as far as this turn knows."""
        self.count = 0
        """Number of transactions that were committed."""
        self.known: CopyPosition | None = None
        """The last transaction that was committed."""
        self.copy: KeptLedger | None = None
        """Takes what is committed; None if the ledger is in memory alone."""
        self._context, self._writer = context, writer
        loop = asyncio.get_running_loop()
        self._group = GroupOffsets(loop.time)
        self._last: asyncio.Task[None] | None = None
        self._failed: asyncio.Future[None] = loop.create_future()

    @property
    def seconds(self) -> float | None:
        """Seconds until the group's offsets are to be shown without a transaction; None if they need not be."""
        return self._group.seconds

    def watched(self) -> asyncio.Future[None]:
        """A future that is done once a commit from now on has failed, whatever the caller awaits at the moment."""
        self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    async def begin(
        self, transaction: Transaction, position: Mapping[TopicPartition, int], head: Head, ledger: LedgerState
    ) -> None:
        """Begins to commit what was gathered last, once the commit before is `settled`.

        `position`: the offsets after it. `head`, `ledger`: those that it leaves.
        Raises RestartError (70) if the copy is spoilt, as an entry may then have been overlooked, or its disk hangs.
        """
        copy, cut, loop = self.copy, None, asyncio.get_running_loop()
        if copy is not None:
            copy.demand_sound()
            await copy.demand_room()
            cut = copy.cut(loop.time())

        async def committed() -> None:
            began = loop.time()
            begins = await transaction.commit(self._group.riding(position), self._context.clock)
            self._measure(transaction, began)
            self.head = head
            self.count += 1
            if ledger.review is not None and begins.get("review", -1) >= 0:
                ledger.review = begins["review"]
            if copy is not None and self._context.clock.appended is not None:
                copy.heed_broker(self._context.clock.appended)
            self.known = CopyPosition(head, begins["ledger"], begins["manifests"])
            if copy is not None and cut is not None:
                copy.write(cut, self.known)

        self._begin(committed())

    def _measure(self, transaction: Transaction, began: float) -> None:
        measured, now, ended = self._context.metrics, self._context.clock.now(), asyncio.get_running_loop().time()
        measured.observe(metrics.TRANSACTION, ended - began)
        if transaction.taken_at is not None:
            measured.observe(metrics.TAKEN_TO_DECIDED, ended - transaction.taken_at)
        for labels, n in transaction.decided.items():
            measured.count(metrics.SENDS_DECIDED, *labels, n=n)
        if transaction.decided:  # at the begin of the commit, as its seal can be quicker than this line
            measured.set(metrics.DECIDED_AT, now / 1000 - (ended - began))
        waited = [max(0, now - at) / 1000 for at in transaction.published]
        for seconds in waited:
            measured.observe(metrics.PUBLISHED_TO_DECIDED, seconds)
        self._context.line.add(transaction.decided, waited)

    async def show(self) -> None:
        """Writes the group's offsets alone, if traffic has ended since they last rode along."""
        if left := self._group.left():
            await self.settled()
            self._begin(self.note(left))
            await self.settled()

    async def note(self, position: Mapping[TopicPartition, int], text: str = "") -> None:
        """Writes the group's offsets now, and a note beside them."""
        offsets = {tp: OffsetAndMetadata(offset, text) for tp, offset in position.items()}
        await self._writer.commit([], offsets, self._context.settings.group)

    async def settled(self) -> None:
        """Waits until the last transaction has committed; shielded, because a revocation must not interrupt it."""
        if self._last is not None:
            await asyncio.shield(self._last)

    async def drained(self) -> None:
        """Gives the last commit a moment to end."""
        self._failed.cancel()
        if self._last is not None:
            await asyncio.wait({self._last}, timeout=DRAIN_SECONDS)

    async def abandon(self) -> None:
        """Ends the last commit here. The next epoch aborts it, or finds it committed."""
        if self._last is not None:
            self._last.cancel()
            await asyncio.gather(self._last, return_exceptions=True)

    def _begin(self, commit: Coroutine[Any, Any, None]) -> None:
        self._last = asyncio.create_task(commit)
        self._last.add_done_callback(self._heed)

    def _heed(self, commit: asyncio.Task[None]) -> None:
        if not commit.cancelled() and commit.exception() is not None and not self._failed.done():
            self._failed.set_result(None)
