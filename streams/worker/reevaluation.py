"""People touched by facts: a new fact may change a decision about them, so they are judged again.

People whose items wait for late or unreadable facts are touched, too, all of them once that fault has ended.

Level-triggered: a touched person is judged from the current facts and ledger, and at take-over everybody concerned is
touched. So there is no position to store, and a crash loses nothing.

A fact about a person touches that person. A token, and a record of `reference` that only people's facts name, touch the
people who name it. An index gives these people (`gatekeeper.engine.dependents`). Any other record touches everybody.
People are taken in steps, so that nobody waits for them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from gatekeeper.engine.dependents import Dependents
from gatekeeper.knowledge.reverse_index import NAMED_BY_PEOPLE
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.token_keys import Lacking
from gatekeeper.ledger.state import LedgerState

AGAIN_SECONDS = 30.0
"""Seconds until a person whose decision time alone may change is looked at again."""
RESOLUTION = "resolution"
"""The kind of `reference` that ends the effect of an unreadable record."""
STEP = 500
"""People looked at in one step, at most."""
HASHED = re.compile(r"t[1-9][0-9]?(k[1-9][0-9]*)?x?_")
"""Beginning of every token, of any normaliser and key."""


class ReevaluationQueue:
    """Collector of touched recipient ids while it watches; `take` hands out each one once until it is touched again."""

    def __init__(self, store: FactStore, arrived: asyncio.Event) -> None:
        self._store, self._arrived = store, arrived
        self._ledger = LedgerState()
        self._dependents = Dependents(store, self._ledger)
        self._names: dict[str, None] = {}
        self._later: dict[str, float] = {}
        self._named: dict[str, None] = {}  # tokens and records whose people are still to be found
        self._found: Iterator[str] | None = None
        self._walk: Iterator[str | None] | None = None
        self._everybody = False  # True if everybody is to be scanned (again)
        self._rejudged: Iterator[str] | None = None
        self._rejudge = False  # True if people whose items wait for facts are to be scanned (again)
        self._stale = False
        self._unmatched = frozenset[Lacking]()

    def watch(self, ledger: LedgerState) -> None:
        """Begins to listen, and touches everybody with entries in the ledger."""
        self._ledger, self._dependents = ledger, Dependents(self._store, ledger)
        self._unmatched = self._store.token_keys.unmatched
        self._store.listeners.append(self._heed)
        self.everybody()

    def stop(self) -> None:
        """Stops listening."""
        if self._heed in self._store.listeners:
            self._store.listeners.remove(self._heed)

    def everybody(self) -> None:
        """Touches everybody with entries in the ledger."""
        self._everybody = True
        self._rejudge = True
        self._arrived.set()

    def cleared(self, recipient_id: str) -> None:
        """Takes note of a new clearance of a person; call it before the next fact is applied."""
        self._dependents.note(recipient_id)

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
            self.readable()

    def readable(self) -> None:
        """Notes that questions can be read again, and touches everybody whose item waits for that."""
        self._rejudge = True
        self._arrived.set()

    def take(self, most: int) -> list[str]:
        """Up to `most` recipient ids to re-evaluate: changed ones first, then dependents, then the next of the scan.

        Half the places belong to dependents and scan, so that no flood of changed facts holds them back. Of these,
        half belong to the scan.
        """
        if self._later:
            now = asyncio.get_running_loop().time()
            for name in [name for name, due in self._later.items() if due <= now]:
                del self._later[name]
                self._names[name] = None
        room = most - min(len(self._names), most - most // 2)
        walks = self._walk is not None or self._everybody
        people = self._depending(-(-room // 2) if walks else room)
        people += self._walked(room - len(people))
        people += self._known(room - len(people))
        taken = list(islice(self._names, most - len(people)))
        for name in taken:
            del self._names[name]
        left = (self._names, self._named, self._found is not None, self._walk is not None, self._everybody)
        if any(left) or self._rejudged is not None:
            self._arrived.set()
        return [*taken, *people]

    def _depending(self, most: int) -> list[str]:
        """The next people who depend on a fact."""
        people: list[str] = []
        for _ in range(STEP):
            if len(people) >= most:
                break
            if self._found is None:
                if not self._named:
                    break
                name = next(iter(self._named))
                del self._named[name]
                self._found = self._dependents.people(name)
            try:
                if self._ledger.concerns(person := next(self._found)):
                    people.append(person)
            except StopIteration:
                self._found = None
            except LookupError:
                self._found, self._everybody = None, True
        return people

    def _walked(self, most: int) -> list[str]:
        """The next people of the scan."""
        if most <= 0:
            return []
        if self._walk is None and self._everybody:
            self._walk, self._everybody = self._ledger.names(), False
        if self._walk is None:
            return []
        people: list[str] = []
        for _ in range(STEP):
            if len(people) >= most:
                break
            try:
                name = next(self._walk)
            except StopIteration:
                self._walk = None
                break
            if name is not None:
                self._dependents.note(name)
                people.append(name)
        return people

    def _known(self, most: int) -> list[str]:
        """The next people whose items wait for facts; nobody while an unreadable record withholds everybody."""
        if self._rejudged is None and self._rejudge and not self._store.withhold_everybody:
            self._rejudged, self._rejudge = self._ledger.rejudged(), False
        if self._rejudged is None or most <= 0:
            return []
        people = list(islice(self._rejudged, most))
        if len(people) < most:
            self._rejudged = None
        return people

    def _heed(self, name: str) -> None:
        """Takes note of a fact: about a person, a token, or a record of `reference` (kind/id)."""
        lacked, self._unmatched = self._unmatched, self._store.token_keys.unmatched
        if lacked - self._unmatched:
            self._rejudge = True
        kind, slash, _ = name.partition("/")
        if kind == RESOLUTION and slash:
            self._rejudge = True
        if slash and kind not in NAMED_BY_PEOPLE:
            self._everybody = True
        elif not slash and self._ledger.concerns(name):
            self._names[name] = None
        elif slash or HASHED.match(name):
            self._named[name] = None
        else:
            return
        self._arrived.set()
