"""People touched by facts: a new fact may change a decision about them, so they are judged again.

People whose items wait for late or unreadable facts are touched, too, all of them once that fault has ended.

Level-triggered: a touched person is judged from the current facts and memory, and at take-over everybody concerned is
touched. So there is no position to store, and a crash loses nothing.

A fact about a person touches that person. A token, and a record of `reference` that only people's facts name, touch the
people who name it. Any other record touches everybody. A scan through everybody finds these people, in steps, so that
nobody waits for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.memory import Memory

AGAIN_SECONDS = 30.0
"""Seconds until a person whose decision time alone may change is looked at again."""
RESOLUTION = "resolution"
"""The kind of `reference` that ends the effect of an unreadable record."""
STEP = 500
"""People looked at in one step of a scan, at most."""
NAMED_BY_PEOPLE = ("batch", "notice", "joint_use_terms")
"""Kinds of `reference` that bear only on people whose facts name them."""
EVERYBODY = b"/"
"""Stands for everybody; no id has this form."""
HASHED = re.compile(r"t[1-9][0-9]?(k[1-9][0-9]*)?_")
"""Beginning of every token, of any normaliser and key."""


class Touched:
    """Collector of touched recipient ids while it watches; `take` hands out each one once until it is touched again."""

    def __init__(self, store: FactStore, arrived: asyncio.Event) -> None:
        self._store, self._arrived = store, arrived
        self._memory = Memory()
        self._names: dict[str, None] = {}
        self._later: dict[str, float] = {}
        self._walk: Iterator[str] | None = None
        self._sought: set[bytes] = set()
        self._next: set[bytes] = set()  # the targets of the next scan
        self._rejudged: Iterator[str] | None = None
        self._rejudge = False  # True if people whose items wait for facts are to be scanned (again)
        self._stale = False

    def watch(self, memory: Memory) -> None:
        """Begins to listen, and touches everybody with entries in the memory."""
        self._memory = memory
        self._store.listeners.append(self._heed)
        self.everybody()

    def stop(self) -> None:
        """Stops listening."""
        if self._heed in self._store.listeners:
            self._store.listeners.remove(self._heed)

    def everybody(self) -> None:
        """Touches everybody with entries in the memory."""
        self._next.add(EVERYBODY)
        self._rejudge = True
        self._arrived.set()

    def again(self, names: Iterable[str]) -> None:
        """Touches people who were taken and could not be judged."""
        self._names.update(dict.fromkeys(names))
        self._arrived.set()

    def later(self, recipient_id: str) -> None:
        """Touches a person in AGAIN_SECONDS, because time alone may change the decision."""
        self._later[recipient_id] = asyncio.get_running_loop().time() + AGAIN_SECONDS

    def stale(self, recipient_id: str) -> None:
        """Notes that a person's item waits for late facts. The first person is touched in AGAIN_SECONDS."""
        if not self._stale:
            self._stale = True
            self.later(recipient_id)

    def fresh(self) -> None:
        """Notes that all facts are known, and touches everybody whose item waits for them."""
        if self._stale:
            self._stale = False
            self._rejudge = True
            self._arrived.set()

    def take(self, most: int) -> list[str]:
        """Up to `most` recipient ids to re-evaluate: changed ones first, then the next of the full scan.

        Half the places belong to the scan, so that no flood of changed facts holds it back.
        """
        if self._later:
            now = asyncio.get_running_loop().time()
            for name in [name for name, due in self._later.items() if due <= now]:
                del self._later[name]
                self._names[name] = None
        room = most - min(len(self._names), most - most // 2)
        found = self._found(room)
        found += self._known(room - len(found))
        taken = list(islice(self._names, most - len(found)))
        for name in taken:
            del self._names[name]
        if self._names or self._walk is not None or self._next or self._rejudged is not None:
            self._arrived.set()
        return [*taken, *found]

    def _found(self, most: int) -> list[str]:
        """Takes one step of the scan. The result holds the people who match."""
        if self._walk is None and self._next:
            self._walk, self._sought, self._next = self._memory.names(), self._next, set()
        found: list[str] = []
        if self._walk is None or most <= 0:
            return found
        looked = 0
        for name in islice(self._walk, STEP):
            looked += 1
            if EVERYBODY in self._sought or self._meant(name):
                found.append(name)
                if len(found) == most:
                    return found
        if looked < STEP:
            self._walk = None
        return found

    def _known(self, most: int) -> list[str]:
        """The next people whose items wait for facts; nobody while an unreadable record withholds everybody."""
        if self._rejudged is None and self._rejudge and not self._store.unresolved.withhold_everybody:
            self._rejudged, self._rejudge = self._memory.rejudged(), False
        if self._rejudged is None or most <= 0:
            return []
        found = list(islice(self._rejudged, most))
        if len(found) < most:
            self._rejudged = None
        return found

    def _meant(self, name: str) -> bool:
        return self._memory.mentions(name, self._sought) or self._store.mentions(name, self._sought)

    def _heed(self, name: str) -> None:
        """Takes note of a fact: about a person, a token, or a record of `reference` (kind/id)."""
        kind, slash, id_ = name.partition("/")
        if kind == RESOLUTION and slash:
            self._rejudge = True
        if slash:
            self._next.add(id_.encode() if kind in NAMED_BY_PEOPLE else EVERYBODY)
        elif self._memory.concerns(name):
            self._names[name] = None
        elif HASHED.match(name):
            self._next.add(name.encode())
        else:
            return
        self._arrived.set()
