"""Matches the records of `audit` with a partition's manifests, and counts foreign records between them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations, islice
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.records.record import did as derived
from gatekeeper.audit.tlog.merkle import leaf_hash, root_of

AHEAD = 1_000
"""Most records beyond a manifest's own that are searched when foreign ones lie among them."""
TRIES = 2_000
"""Most combinations of left-out records that are tried; after that, foreign and changed records look alike."""


class _Found(NamedTuple):
    """A record that may belong to a manifest, with its decision id."""

    offset: int
    value: bytes
    did: str
    hash: bytes


class RecordMatcher:
    """Gives each manifest its records, in order. Foreign records are counted and not kept."""

    def __init__(self, coming: Iterable[tuple[int, bytes | None, bytes | None]], *, floor: int = 0) -> None:
        """`coming`: offset, key and value of each record, in order.

        `floor`: records below this offset may belong to manifests outside the question, and are no strays.
        """
        self._floor = floor
        self.strays: dict[int, int] = {}
        """Stretches of records not signed by a worker: first offset, and length."""
        self._records = self._believable(coming)
        self._ahead: deque[tuple[int, bytes]] = deque()
        self._torn = False
        self._stretch, self._last = -1, -1

    def take(self, said: Mapping[str, Any], following: str | None = None) -> list[bytes] | None:
        """The records of a manifest, fewer at the end of the topic; None if they cannot be identified.

        `following`: the first decision of the next manifest. If no records ahead match the root, the result is the next
        `n` records.
        """
        count = said["audit"]["n"]
        passed = self._until(f'"did":"{said["audit"]["from_id"]}"'.encode())
        if passed and (self._torn or not self._ahead):
            return None
        for offsets, hashes in self._candidates(said, following):
            if root_of(hashes).hex() == said["root"]:
                self._torn = False
                return self._taken(set(offsets))
        self._torn = True
        return [self._ahead.popleft()[1] for _ in range(min(count, len(self._ahead)))]

    def rest(self, end: int) -> bool:
        """Counts the records after the last manifest and below `end`; False if they may belong to it."""
        left = 0
        for offset, _ in chain(self._ahead, self._records):
            if offset >= end:
                break
            left += 1
            self._stray(offset)
        self.strays = {first: count for first, count in self.strays.items() if first < end}
        return not (self._torn and left)

    def _until(self, needle: bytes) -> int:
        """Drops records before the next one that contains `needle`; the result is the number of strays."""
        passed = 0
        while self._pull(1) and needle not in self._ahead[0][1]:
            offset, _ = self._ahead.popleft()
            passed += offset >= self._floor
            self._stray(offset)
        return passed

    def _candidates(self, said: Mapping[str, Any], following: str | None) -> Iterator[tuple[list[int], list[bytes]]]:
        """Yields candidates for a manifest's records (offsets, leaf hashes): the next ones, then selections."""
        count = said["audit"]["n"]
        if not self._pull(count):
            return
        first = list(islice(self._ahead, count))
        yield [offset for offset, _ in first], [leaf_hash(value) for _, value in first]
        if following and self._pull(count + 1) and f'"did":"{following}"'.encode() in self._ahead[count][1]:
            return  # the number is right, so one of them was changed
        self._pull(2 * count + AHEAD)
        candidates = [
            _Found(offset, value, did, leaf_hash(value))
            for offset, value in self._ahead
            if (did := _named(value, said)) is not None
        ]
        for selection in islice(_choices(candidates, count), TRIES):
            yield [candidate.offset for candidate in selection], [candidate.hash for candidate in selection]

    def _taken(self, offsets: set[int]) -> list[bytes]:
        records = []
        while offsets:
            offset, value = self._ahead.popleft()
            if offset in offsets:
                offsets.remove(offset)
                records.append(value)
            else:
                self._stray(offset)
        return records

    def _pull(self, count: int) -> bool:
        """Reads ahead to `count` records; tells whether there are as many."""
        self._ahead.extend(islice(self._records, max(0, count - len(self._ahead))))
        return len(self._ahead) >= count

    def _believable(self, coming: Iterable[tuple[int, bytes | None, bytes | None]]) -> Iterator[tuple[int, bytes]]:
        """Yields records that a worker may have written: their key is the decision id."""
        for offset, key, value in coming:
            if key and value and b'"did":"%s"' % key in value:
                yield offset, value
            else:
                self._stray(offset)

    def _stray(self, offset: int) -> None:
        if offset < self._floor:
            return
        if offset != self._last + 1 or self._stretch not in self.strays:
            self._stretch = offset
        self._last = offset
        self.strays[self._stretch] = self.strays.get(self._stretch, 0) + 1


def _choices(candidates: list[_Found], count: int) -> Iterator[list[_Found]]:
    """Yields selections of `count` records in order, those without repeated decision ids first."""
    for extra in range(len(candidates) - count + 1):
        selection = candidates[: count + extra]
        names = Counter(candidate.did for candidate in selection)
        indexes = range(len(selection) - (extra > 0))  # selections without the last one were tried before
        doubled = [index for index in indexes if names[selection[index].did] > 1]
        for omitted in chain(combinations(doubled, extra), combinations(indexes, extra) if extra else ()):
            yield [candidate for index, candidate in enumerate(selection) if index not in omitted]


def _named(value: bytes, said: Mapping[str, Any]) -> str | None:
    """The decision id of a record; None if the record cannot belong to this manifest."""
    try:
        record = orjson.loads(value)
        src, stage, did = record["src"], record["stage"], record["did"]
        place = src["topic"], src["partition"], src["offset"]
        inside = any(taken["topic"] == place[0] and taken["from"] <= place[2] < taken["to"] for taken in said["in"])
        own = derived(*place, stage, era=src.get("era", 0))
        if stage == "intake" and not (inside and place[1] == said["partition"] and did == own):
            return None
    except (ValueError, LookupError, TypeError):
        return None
    return str(did)
