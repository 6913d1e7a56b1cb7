"""Whom facts touch: people of whom a partition remembers something that a new fact may change, to be judged again.

So are people whose items wait for facts that are late or cannot be read, all of them once that has ended.

Level-triggered: what was touched is judged again from the facts and the memory of now, and at take-over everybody is
whom it may concern. So there is no position to remember, and a crash loses nothing.

A fact about a person touches that one. Of a token, and of a record of `reference` that only people's facts name,
those are touched who name it; of any other record everybody is. They are looked for in a walk through everybody, in
steps, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.memory import Memory

AGAIN_SECONDS = 30.0
"""After so long somebody whom only time can help is looked at again."""
RESOLUTION = "resolution"
"""The kind of `reference` that ends what an unreadable record withheld."""
STEP = 500
"""At most so many people are looked at in one step of a walk."""
NAMED_BY_PEOPLE = ("batch", "notice", "joint_use_terms")
"""Kinds of `reference` that bear on those alone whose facts name them."""
EVERYBODY = b"/"
"""Stands for whatever concerns everybody; no id is like it."""
HASHED = re.compile(r"t[1-9][0-9]?_")
"""How every token begins, of whatever version."""


class Touched:
    """Gathers names while it watches; `take` hands them out, each once until it is touched again."""

    def __init__(self, store: FactStore, arrived: asyncio.Event) -> None:
        self._store, self._arrived = store, arrived
        self._memory = Memory()
        self._names: dict[str, None] = {}
        self._later: dict[str, float] = {}
        self._walk: Iterator[str] | None = None
        self._sought: set[bytes] = set()
        self._next: set[bytes] = set()  # what the walk after this one looks for
        self._rejudged: Iterator[str] | None = None
        self._rejudge = False  # whether those whose items wait for facts are to be walked through (again)
        self._stale = False

    def watch(self, memory: Memory) -> None:
        """Begins to listen, with everybody touched of whom anything is remembered."""
        self._memory = memory
        self._store.listeners.append(self._heed)
        self.everybody()

    def stop(self) -> None:
        """Listens no longer."""
        if self._heed in self._store.listeners:
            self._store.listeners.remove(self._heed)

    def everybody(self) -> None:
        """Touches all of whom anything is remembered."""
        self._next.add(EVERYBODY)
        self._rejudge = True
        self._arrived.set()

    def again(self, names: Iterable[str]) -> None:
        """Touches people who were taken and could not be judged."""
        self._names.update(dict.fromkeys(names))
        self._arrived.set()

    def later(self, recipient_id: str) -> None:
        """Touches somebody in AGAIN_SECONDS: time alone may change what was decided."""
        self._later[recipient_id] = asyncio.get_running_loop().time() + AGAIN_SECONDS

    def stale(self, recipient_id: str) -> None:
        """Hears whose item waits because facts are late. The first one is touched in AGAIN_SECONDS, to ask for them."""
        if not self._stale:
            self._stale = True
            self.later(recipient_id)

    def fresh(self) -> None:
        """Hears that all facts are known: touches everybody whose item waits for them."""
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
        """Goes a step further, and returns those who are meant."""
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
        """The next of those whose items wait for facts; nobody while a record withholds everybody."""
        if self._rejudged is None and self._rejudge and not self._store.withholds_everybody:
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
        """Hears of a fact: about a person, a token, or a record of `reference` (kind/id)."""
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
