"""Threads for slow work before sign-in, apart from those of the pages: a flood of it delays no page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gatekeeper.console.session import Denied

T = TypeVar("T")


class Slots:
    """`at_once` pieces of work run at once, and `most` run or wait; more are refused."""

    def __init__(self, name: str, *, at_once: int, most: int) -> None:
        self._most = most
        self._taken = 0
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=f"console-{name}")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`; raises Denied (429) when `most` pieces run or wait. Call it in the event loop."""
        if self._taken >= self._most:
            raise Denied("page.too_many", 429)
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._taken -= 1
