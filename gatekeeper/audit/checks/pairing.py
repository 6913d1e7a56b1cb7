"""Streams that a coverage check reads in parallel and in bounded memory: audit records, inputs, outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gatekeeper.ground.times import instant

AHEAD = 5_000
"""Most records searched for those of a manifest; more than any transaction holds."""
CLOCKS_MS = 600_000
"""Largest difference in milliseconds between a decision's instant and the broker's timestamp of its output."""


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
    """A record of an output: offset, decision id, and the broker's timestamp (milliseconds)."""

    offset: int
    did: str
    at: int

    def before(self, at: str) -> bool:
        """Tells whether the broker may have received the record before an instant (RFC 3339)."""
        return instant(max(0, self.at - CLOCKS_MS)) < at


class Records:
    """The records of `audit` in order; each manifest takes its own. `start`: the first offset that the broker keeps."""

    def __init__(self, start: int, records: Iterable[Placed]) -> None:
        self.start = start
        self._coming = iter(records)
        self._waiting: deque[Placed] = deque()

    def before(self, did: str) -> list[Placed] | None:
        """Takes the records before that of a decision. None, with nothing taken, if the decision is not ahead."""
        needle = f'"did":"{did}"'.encode()
        for index in range(AHEAD):
            if index == len(self._waiting):
                self._waiting.extend(islice(self._coming, 1))
            if index == len(self._waiting):
                return None
            if needle in self._waiting[index].value:
                return self.take(index)
        return None

    def take(self, count: int) -> list[Placed]:
        """Takes the next `count` records, fewer at the end."""
        self._waiting.extend(islice(self._coming, max(0, count - len(self._waiting))))
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def ahead(self, count: int) -> list[Placed]:
        """The next `count` records, fewer at the end, without taking them."""
        records = self.take(count)
        self.put_back(records)
        return records

    def put_back(self, taken: list[Placed]) -> None:
        """Puts the records that were taken last back."""
        self._waiting.extendleft(reversed(taken))

    def rest(self) -> Iterator[Placed]:
        """Yields all remaining records."""
        while taken := self.take(AHEAD):
            yield from taken


class Input:
    """The offsets of an input that hold a record, in order. `start`: the first offset that the broker keeps."""

    def __init__(self, start: int, readable: Iterable[int]) -> None:
        self.start = start
        self._coming = iter(readable)
        self._next = next(self._coming, None)

    def within(self, start: int, to: int) -> set[int]:
        """Takes the offsets within a range, and drops earlier ones."""
        offsets = set()
        while self._next is not None and self._next < to:
            if self._next >= start:
                offsets.add(self._next)
            self._next = next(self._coming, None)
        return offsets


class Outgoing:
    """An output whose records match decisions one to one, with the unmatched records and decisions.

    `start`: the first offset that the broker keeps. If the broker has deleted records, decisions older than the
    remaining ones need no record.
    """

    def __init__(self, start: int, records: Iterable[Put]) -> None:
        self.expired = 0
        """Number of decisions that need no record, as the broker may have deleted it."""
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
        """Registers a record that was written again. One record on the topic serves both it and the decision."""
        if self._present.pop(did, None) is None and did not in self._expected:
            self._allowed.add(did)

    def expect(self, did: str, offset: int, at: str, *, demanded: bool) -> None:
        """Registers a decision that has one output record. `offset`: of its audit record. `at`: its instant."""
        if not self._all_kept:
            if self._floor is None or at < self._floor or did not in self._names:
                self.expired += 1
                return
            self._keep()
        if self._present.pop(did, None) is None:
            self._expected[did] = (offset, demanded)

    def pull(self, count: int) -> None:
        """Reads the next `count` records."""
        if self._all_kept:
            for put in islice(self._coming, count):
                self._see(put)

    def ended(self) -> tuple[list[tuple[str, int]], list[Put]]:
        """Reads the rest. The result: decisions without record (id, audit offset), and records without decision."""
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
