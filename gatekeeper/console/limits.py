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
from gatekeeper.http.turns import Turns

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
    signed in before has a count of its own. So guesses from the same office hinder nobody either. No limit is that of
    an address alone: colleagues share it with whoever tries their ids. `Slots` bounds what all together can try.
    """

    by_user: Limit = field(default_factory=lambda: Limit(10, 60.0))

    def full(self, user: str, client: str, mark: str | None) -> bool:
        """Counts one attempt and gives False; at a limit gives True. `mark`: of a browser known for this user."""
        return self.by_user.full(_name(user, client, mark))  # count before the password is checked: many come at once

    def take_back(self, user: str, client: str, mark: str | None) -> None:
        """Takes back an attempt that was right, or that was not heard."""
        self.by_user.take_back(_name(user, client, mark))


def _name(user: str, client: str, mark: str | None) -> str:
    return f"{user} at {client}" if mark is None else f"{user} in {mark}"


class Slots:
    """Threads apart from those of the pages: `at_once` pieces of work run, and `most` run or wait.

    Clients have turns, so nobody waits for all the work of another. Beyond `most` the client with the most that waits
    loses its oldest.
    """

    def __init__(self, name: str, *, at_once: int, most: int) -> None:
        self._at_once, self._most_waiting = at_once, most - at_once
        self._running = 0
        self._waiting = Turns[asyncio.Future[None]]()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=f"console-{name}")

    async def run(self, work: Callable[[], T], client: str) -> T:
        """The result of `work`; raises Denied (429) where it has to give way to others. Call it in the event loop."""
        if self._running >= self._at_once:
            await self._turn(client)
        else:
            self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._next()

    async def _turn(self, client: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.add(client, mine)
        if len(self._waiting) > self._most_waiting:
            self._waiting.give_way().set_exception(Denied("page.too_many", 429))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._next()  # its turn had come
            raise
        finally:
            self._waiting.discard(client, mine)

    def _next(self) -> None:
        while self._waiting:
            future = self._waiting.take()
            if not future.done():  # else it was cancelled
                future.set_result(None)  # it runs in our place
                return
        self._running -= 1
