"""What a coverage check reads side by side, none of it held whole: records, inputs, and outputs with their records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gatekeeper.times import instant

AHEAD = 5_000
"""So many records are looked through for those of a manifest: more than any transaction holds."""
CLOCKS_MS = 600_000
"""So far may a decision's instant be from the time at which the broker had what came of it."""


class Placed(NamedTuple):
    """A record of `audit`: its offset and its bytes."""

    offset: int
    value: bytes


class Signed(NamedTuple):
    """A record of `manifests`: its offset, its bytes and the header `gate-sig`."""

    offset: int
    value: bytes
    signature: str


class Put(NamedTuple):
    """A record of an output: its offset, the decision it names, and when the broker had it (milliseconds)."""

    offset: int
    did: str
    at: int

    def before(self, at: str) -> bool:
        """Tells whether the broker may have had it before an instant (RFC 3339)."""
        return instant(max(0, self.at - CLOCKS_MS)) < at


class Records:
    """The records of `audit` in order, from which each manifest takes its own; `start`: the first that is kept."""

    def __init__(self, start: int, records: Iterable[Placed]) -> None:
        self.start = start
        self._coming = iter(records)
        self._waiting: deque[Placed] = deque()

    def before(self, did: str) -> list[Placed] | None:
        """Takes what stands before the record of a decision; None, and takes nothing, where that is not ahead."""
        needle = f'"did":"{did}"'.encode()
        for place in range(AHEAD):
            if place == len(self._waiting):
                self._waiting.extend(islice(self._coming, 1))
            if place == len(self._waiting):
                return None
            if needle in self._waiting[place].value:
                return self.take(place)
        return None

    def take(self, count: int) -> list[Placed]:
        """Takes the next ones, so many if there are."""
        self._waiting.extend(islice(self._coming, max(0, count - len(self._waiting))))
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def put_back(self, taken: list[Placed]) -> None:
        """Puts those taken last back."""
        self._waiting.extendleft(reversed(taken))

    def rest(self) -> Iterator[Placed]:
        """Takes all that is left."""
        while taken := self.take(AHEAD):
            yield from taken


class Input:
    """The offsets of an input that hold a record, in order; `start`: the first that the broker keeps."""

    def __init__(self, start: int, readable: Iterable[int]) -> None:
        self.start = start
        self._coming = iter(readable)
        self._next = next(self._coming, None)

    def within(self, start: int, to: int) -> set[int]:
        """Takes those of a range, and passes over what lies before."""
        found = set()
        while self._next is not None and self._next < to:
            if self._next >= start:
                found.add(self._next)
            self._next = next(self._coming, None)
        return found


class Outgoing:
    """An output, each record of which belongs to one decision: what of both is not there yet, or never.

    `start`: the first offset that the broker keeps. Where it has deleted some, decisions older than what is left are
    not asked for theirs.
    """

    def __init__(self, start: int, records: Iterable[Put]) -> None:
        self.expired = 0
        """So many decisions were not asked for."""
        self._coming = iter(records)
        self._all_kept = not start
        self._first = list(islice(self._coming, AHEAD)) if start else []
        self._names = {put.did for put in self._first}
        self._floor = instant(max(0, self._first[0].at - CLOCKS_MS)) if self._first else None
        self._expected: dict[str, tuple[int, bool]] = {}
        self._present: dict[str, Put] = {}
        self._allowed: set[str] = set()
        self._twice: list[Put] = []

    def allow(self, did: str) -> None:
        """Hears that a record was written again: it is there once, be it for the decision or for this."""
        if self._present.pop(did, None) is None and did not in self._expected:
            self._allowed.add(did)

    def expect(self, did: str, offset: int, at: str, *, demanded: bool) -> None:
        """Hears of a decision that puts out one record; `offset`: of its record on `audit`, `at`: its instant."""
        if not self._all_kept:
            if self._floor is None or at < self._floor or did not in self._names:
                self.expired += 1
                return
            self._keep()
        if self._present.pop(did, None) is None:
            self._expected[did] = (offset, demanded)

    def pull(self, count: int) -> None:
        """Takes in the next so many records."""
        if self._all_kept:
            for put in islice(self._coming, count):
                self._see(put)

    def ended(self) -> tuple[list[tuple[str, int]], list[Put]]:
        """Takes in the rest; returns decisions with the offsets of their records, and records without decision."""
        self._keep()
        for put in self._coming:
            self._see(put)
        missing = [(did, offset) for did, (offset, demanded) in self._expected.items() if demanded]
        return missing, sorted([*self._present.values(), *self._twice])

    def _keep(self) -> None:
        self._all_kept = True
        for put in self._first:
            self._see(put)
        self._first = []

    def _see(self, put: Put) -> None:
        if self._expected.pop(put.did, None) is not None:
            return
        if put.did in self._allowed:
            self._allowed.remove(put.did)
        elif put.did in self._present:
            self._twice.append(put)
        else:
            self._present[put.did] = put
