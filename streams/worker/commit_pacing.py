"""The pace of a worker's transactions: chunks that come close together share one, and a lone one leaves at once.

A transaction costs worker and broker some fifteen milliseconds of processor time, however few records it holds.
"""

from __future__ import annotations

import asyncio

A_SECOND = 50
"""Transactions a second of one worker, whatever the number of its partitions."""
AT_ONCE = 5
"""Transactions that may follow each other without a pause, after fewer than A_SECOND."""


class CommitPacing:
    """Times at which transactions may leave, in the order in which `next` was called."""

    def __init__(self) -> None:
        self._owed_until = 0.0
        """The time of the loop at which every departure so far has had its share of a second."""

    async def next(self) -> None:
        """Waits for the next departure; at once unless there were more than A_SECOND a second lately."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        begin = max(now, self._owed_until)
        self._owed_until = begin + 1 / A_SECOND
        pause = begin - now - (AT_ONCE - 1) / A_SECOND
        if pause > 0:
            await asyncio.sleep(pause)
