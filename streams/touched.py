"""Whom facts touch: people of whom a partition remembers something that a new fact may change, to be judged again.

Level-triggered: what was touched is judged again from the facts and the memory of now, and at take-over everybody is
whom it may concern. So there is no position to remember, and a crash loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from gatekeeper.facts import FactStore

AGAIN_SECONDS = 30.0
"""After so long somebody whom only time can help is looked at again."""


class Touched:
    """Gathers names while `watch` holds; `take` hands them out, each once until it is touched again."""

    def __init__(self, store: FactStore, arrived: asyncio.Event) -> None:
        self._store, self._arrived = store, arrived
        self._names: dict[str, None] = {}
        self._later: dict[str, float] = {}
        self._everybody: Callable[[], Iterable[str]] = tuple
        self._concerns: Callable[[str], bool] = bool
        self._all = False

    def watch(self, concerns: Callable[[str], bool], everybody: Callable[[], Iterable[str]]) -> None:
        """Begins to listen, with everybody touched.

        `concerns` tells whether a recipient id is of interest, `everybody` gives all that are.
        """
        self._concerns, self._everybody, self._all = concerns, everybody, True
        self._store.listeners.append(self._heed)

    def stop(self) -> None:
        """Listens no longer."""
        if self._heed in self._store.listeners:
            self._store.listeners.remove(self._heed)

    def later(self, recipient_id: str) -> None:
        """Touches somebody in AGAIN_SECONDS: time alone may change what was decided."""
        self._later[recipient_id] = asyncio.get_running_loop().time() + AGAIN_SECONDS

    def take(self, most: int) -> list[str]:
        """Returns at most so many of those who were touched, the first ones first."""
        if self._all:
            self._all = False
            self._names.update(dict.fromkeys(self._everybody()))
        now = asyncio.get_running_loop().time()
        for name in [name for name, due in self._later.items() if due <= now]:
            del self._later[name]
            self._names[name] = None
        taken = list(self._names)[:most]
        for name in taken:
            del self._names[name]
        if self._names:
            self._arrived.set()
        return taken

    def _heed(self, name: str) -> None:
        """Hears of a fact: about a person, or about a reference record (kind/id), which may concern everybody."""
        if "/" in name:
            self._all = True
        elif self._concerns(name):
            self._names[name] = None
        else:
            return
        self._arrived.set()
