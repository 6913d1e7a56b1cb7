"""The stops of a list before they are written: how surely each binds, and the people it meets (rule 8.1.37)."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from gatekeeper.identity import SURE
from gatekeeper.lists.events import Event, Rejected

MANY = 10
"""More people than this at one row, and somebody should look at the row."""
_TOKEN = re.compile(rb"t1(?:k[0-9]+)?_[A-Za-z0-9_-]{43}")
_RUN = 1 << 19  # tokens that are sorted at once
_HASH = (1 << 64) - 1
_ROW = (1 << 32) - 1
_BITS = (1 << 27) - 1


class Again(NamedTuple):
    """A row that was taken in before and bound nobody, or too little. `lacks`: what it lacks to be certain."""

    line: int
    id: str
    binds: str
    """`nobody` or `too_little`."""
    lacks: str


class StopTally:
    """Counts the rows of a list of stops.

    `before`: the ids of stops by token that were taken in before rule 8.1.37.
    """

    def __init__(self, before: Iterable[str] = ()) -> None:
        self.rows: Counter[str] = Counter()
        """Rows with a name and address: `certain`, `wide`, and all that were `rejected`."""
        self.lacks: Counter[str] = Counter()
        """Wide rows by what they lack."""
        self.again: list[Again] = []
        """Rows of the list that were taken in before and bind nobody, or too little."""
        self.is_compared = False
        """True once all sources on file were added."""
        self._before = frozenset(before)
        self._compared: set[int] = set()
        self._tokens = RowsByToken()
        self._met: dict[int, set[str]] = defaultdict(set)
        """People by line, no more than are counted."""

    def take(self, outcome: Event | Rejected) -> None:
        """Adds a row."""
        if isinstance(outcome, Rejected):
            self.rows["rejected"] += 1
            if outcome.duty:
                self._again(outcome.line, orjson.loads(outcome.duty[1]), "nobody")
            return
        if outcome.row is not None:
            self.rows[outcome.row] += 1
        if outcome.lacks is not None:
            self.lacks[outcome.lacks] += 1
            self._again(outcome.line, orjson.loads(outcome.value), "too_little")
        for _, value in outcome.records:
            self._note(outcome.line, orjson.loads(value), outcome)

    def source(self, value: bytes) -> None:
        """Adds a source on file, in the form of its record."""
        if not any(token.decode() in self._tokens for token in _TOKEN.findall(value)):
            return
        try:
            source = orjson.loads(value)
            for point in source["contact_points"]:
                self._meet(source["recipient_id"], point["token"], whole=True)
                for reading in point.get("readings") or ():
                    self._meet(source["recipient_id"], reading["token"], whole=reading["score"] == SURE)
        except (ValueError, TypeError, LookupError):
            return  # nobody can read it, and it meets nobody

    @property
    def compares(self) -> bool:
        """True if there is a row whose people may be looked up."""
        return bool(self._compared)

    @property
    def nobody(self) -> int:
        """The number of rows that meet nobody on file."""
        return sum(1 for line in self._compared if not self._met.get(line))

    @property
    def many(self) -> list[int]:
        """The lines of rows that meet more than MANY people."""
        return sorted(line for line, people in self._met.items() if len(people) > MANY)

    def _note(self, line: int, stop: Mapping[str, Any], outcome: Event) -> None:
        """Notes the tokens of a stop. One of everybody at an address meets no source, as these have names."""
        if not stop.get("token") or stop.get("whole_address") or outcome.lacks == "name_in_kana":
            return
        self._compared.add(line)
        self._tokens.add(stop["token"], line, whole=True)
        for reading in stop.get("readings") or ():
            self._tokens.add(reading["token"], line, whole=reading["score"] == SURE)

    def _meet(self, recipient_id: str, token: str, *, whole: bool) -> None:
        """Two less exact readings never meet."""
        for line, is_whole in self._tokens.rows(token):
            if (is_whole or whole) and len(self._met[line]) <= MANY:
                self._met[line].add(recipient_id)

    def _again(self, line: int, stop: Mapping[str, Any], binds: str) -> None:
        if stop["suppression_id"] in self._before:
            self.again.append(Again(line, stop["suppression_id"], binds, str(stop.get("lacks"))))


class RowsByToken:
    """Rows by token, whole or less exact, in 12 bytes a token.

    Of a token there is a hash of 8 bytes. Two may be confused in at most one look-up of a million million.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[array[int], array[int]]] = []
        self._new: list[int] = []
        self._seen = bytearray(_BITS + 1 >> 3)

    def add(self, token: str, row: int, *, whole: bool) -> None:
        """Adds a token of a row."""
        hash_ = hash(token) & _HASH
        self._new.append(hash_ << 32 | row << 1 | whole)
        self._seen[(hash_ & _BITS) >> 3] |= 1 << (hash_ & 7)
        if len(self._new) >= _RUN:
            self._sort()

    def __contains__(self, token: str) -> bool:
        """True for a token that a row may name; nearly always false for another."""
        hash_ = hash(token)
        return bool(self._seen[(hash_ & _BITS) >> 3] & 1 << (hash_ & 7))

    def rows(self, token: str) -> Iterator[tuple[int, bool]]:
        """Yields the rows that name a token, each with True if the token is whole."""
        if token not in self:
            return
        self._sort()
        hash_ = hash(token) & _HASH
        for hashes, rows in self._runs:
            at = bisect_left(hashes, hash_)
            while at < len(hashes) and hashes[at] == hash_:
                yield rows[at] >> 1, bool(rows[at] & 1)
                at += 1

    def _sort(self) -> None:
        if self._new:
            self._new.sort()
            hashes, rows = (entry >> 32 for entry in self._new), (entry & _ROW for entry in self._new)
            self._runs.append((array("Q", hashes), array("I", rows)))
            self._new = []
