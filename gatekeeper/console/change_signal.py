"""A signal from the thread that reads the topics to listeners in the event loop that something changed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ChangeSignal:
    """Signal that wakes all listeners; a listener that is busy during a change wakes at its next wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: set[Listener] = set()

    def tell(self) -> None:
        """Wakes every listener; any thread may call it."""
        with self._lock:
            for listener in self._listening:
                listener.wake()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Yields a listener of this event loop."""
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            self._listening.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listening.discard(listener)

    def __len__(self) -> int:
        return len(self._listening)


class Listener:
    """One waiter for changes, bound to an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Ends the listener's wait; any thread may call it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        """True as soon as something has changed, False after `seconds` without a change."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
