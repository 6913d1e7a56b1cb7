"""The pace of a worker's transactions: partitions with work leave together, and a lone chunk leaves at once.

A transaction costs worker and broker some fifteen milliseconds of processor time, however few records it holds. A
chunk has a manifest and a head of its own. So the more chunks leave together, the later the next transaction follows.
"""

from __future__ import annotations

import asyncio

TRANSACTIONS = 50
"""Transactions a second of one worker, at most."""
CHUNKS = 100
"""Chunks a second of one worker, at most, whatever the number of its partitions."""
AT_ONCE = 4 / TRANSACTIONS
"""Seconds by which departures may be early after a quiet time: so many transactions follow each other at once."""


class Departures:
    """Times at which transactions may leave; whoever waits at that time leaves with the same one."""

    def __init__(self) -> None:
        self._owed_until = 0.0
        """The time of the loop at which every departure so far has had its share of a second."""
        self._waiting = 0
        self._leaves: asyncio.Event | None = None

    async def next(self) -> None:
        """Waits for the next departure; at once unless there were more transactions or chunks lately than may be."""
        if self._leaves is None:
            loop = asyncio.get_running_loop()
            pause = self._owed_until - loop.time() - AT_ONCE
            if pause <= 0:
                return self._leave(1)
            self._leaves = asyncio.Event()
            loop.call_later(pause, self._call)
        self._waiting += 1
        await self._leaves.wait()

    def _call(self) -> None:
        assert self._leaves is not None
        self._leaves.set()
        self._leave(self._waiting)
        self._leaves, self._waiting = None, 0

    def _leave(self, chunks: int) -> None:
        now = asyncio.get_running_loop().time()
        self._owed_until = max(now, self._owed_until) + max(1 / TRANSACTIONS, chunks / CHUNKS)
