"""Coalesces callers: one request is in flight, and callers that come later share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class CoalescedRequest(Generic[T]):
    """Shares the answers to one question, so that a thousand who ask cause no more than two questions.

    Nobody gets an answer to a question that was asked before the call.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def answer(self) -> T:
        """The answer to the next question. It waits as long as that takes, so give it a deadline; raises as it does."""
        if self._next is None:
            self._next = asyncio.create_task(self._round(self._asked))
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def stop(self) -> None:
        """Asks no more."""
        left = [task for task in (self._asked, self._next) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _round(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            await asyncio.wait([before])
        self._asked, self._next = self._next, None
        return await self._ask()
