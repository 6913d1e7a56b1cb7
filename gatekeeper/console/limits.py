"""Limits before sign-in: events by name, wrong attempts, and slow work, whose flood delays no page."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from gatekeeper.console.session import Denied

T = TypeVar("T")

MAX_NAMES = 10_000
"""The number of names for which a limit counts; beyond it the earliest are forgotten."""


class Limit:
    """Rate limit: at most `most` events in `seconds`, for each name; `clock` in seconds."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def full(self, name: str) -> bool:
        """Counts one event and gives False; at the limit counts nothing and gives True."""
        with self._lock:
            times = self._times[name]
            while times and self._clock() - times[0] > self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return True
            times.append(self._clock())
            while len(self._times) > MAX_NAMES:
                del self._times[next(iter(self._times))]
            return False

    def take_back(self, name: str) -> None:
        """Takes back the last event counted for this name."""
        with self._lock:
            times = self._times.get(name)
            if times:
                times.pop()
            if not times:
                self._times.pop(name, None)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Limits on wrong attempts to sign in, so that guessing is slow and nobody is locked out by others.

    A user's attempts count for each client, so guesses from elsewhere hinder nobody. A browser in which the user has
    signed in before has a count of its own. So guesses from the same office hinder nobody either.
    """

    by_user: Limit = field(default_factory=lambda: Limit(10, 60.0))
    by_client: Limit = field(default_factory=lambda: Limit(100, 60.0))  # a whole office may share one address

    def full(self, user: str, client: str, mark: str | None) -> bool:
        """Counts one attempt and gives False; at a limit gives True. `mark`: of a browser known for this user."""
        if mark is not None:
            return self.by_user.full(f"{user} in {mark}")
        # count before the password is checked: many requests may come at once
        return self.by_client.full(client) or self.by_user.full(f"{user} at {client}")

    def take_back(self, user: str, client: str, mark: str | None) -> None:
        """Takes back an attempt that was right."""
        if mark is not None:
            self.by_user.take_back(f"{user} in {mark}")
            return
        self.by_client.take_back(client)
        self.by_user.take_back(f"{user} at {client}")


class Slots:
    """Threads apart from those of the pages: `at_once` pieces of work run, and `most` run or wait; more are refused."""

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
