"""A look for ended entries, once a day and after a take-over, a few people at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from gatekeeper.ground.tables import Table
from gatekeeper.ledger.entries import Entry, unsalted
from gatekeeper.ledger.marks import Marks
from gatekeeper.ledger.person_entries import key_of, over
from gatekeeper.ledger.salts import Salts
from schemas.topics import DAY_MS

SWEPT = 1_000
"""People who are looked at in one step, at most."""


class Expiry:
    """Finds the entries of one partition that have ended. `people`: their lines, by recipient id."""

    def __init__(self, people: Table, marks: Marks, salts: Salts) -> None:
        self._people, self._marks, self._salts = people, marks, salts
        self._walk: Iterator[tuple[str, bytes]] | None = None
        self._ended: deque[str] = deque()  # people with ended entries, as far as the walk has come
        self._passed = -1  # the day before which everything has ended that the walks have passed
        self._outlived = True  # a lost write may have left salts of erased people

    @property
    def walking(self) -> bool:
        """True while there are people left to look at."""
        return self._walk is not None

    def note(self, until: int) -> None:
        """Takes note of the end of a new entry (milliseconds), which a walk may have passed."""
        self._passed = min(self._passed, until // DAY_MS)

    def look(self, at: int) -> bool:
        """Looks at the next people. True if an entry has ended at this instant (milliseconds), and waits for `due`."""
        self._step(at)
        self._outlived = self._outlived and bool(self._salts.outlived)
        return bool(self._ended or self._outlived or self._marks.due(at, 1))

    def due(self, at: int, limit: int) -> list[Entry]:
        """Deletions of at most `limit` entries that no longer matter; those of a day once the day is over.

        What a caller does not write is found again after a take-over, or on the next day.
        """
        self._step(at)
        deletions = self._marks.due(at, limit)
        if self._outlived:
            deletions += map(unsalted, self._salts.outlived[: limit - len(deletions)])
            self._outlived = bool(self._salts.outlived)
        while self._ended:
            owner = self._ended[0]
            lines = (self._people.get(owner) or b"").split(b"\n")
            lapsed = [Entry(key_of(owner.encode(), line), None) for line in lines if over(line, at)]
            if deletions and len(deletions) + len(lapsed) > limit:
                break
            self._ended.popleft()
            deletions += lapsed
        return list(dict.fromkeys(deletions))

    def _step(self, at: int) -> None:
        """Goes on with the walk, unless people wait already."""
        if self._ended:
            return
        if self._walk is None and self._passed < at // DAY_MS:
            self._walk, self._passed = self._people.walk(), at // DAY_MS
        if self._walk is None:
            return
        people = list(islice(self._walk, SWEPT))
        self._ended += (owner for owner, lines in people if any(over(line, at) for line in lines.split(b"\n")))
        if len(people) < SWEPT:
            self._walk = None
