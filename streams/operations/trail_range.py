"""The offsets between which a live trail is read, fixed when reading begins."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

from gatekeeper.ground.errors import IncompleteError
from streams.client.reader import Reader

TRANSACTION = 2
"""Offsets of `manifests` per transaction: its manifest's, and that of the marker at its end."""
MARGIN_MS = 120_000
"""Milliseconds by which a manifest's time may differ from the broker's, and a transaction's records from each other."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Offsets between which a trail is read, fixed when reading began; later records are not read.

    `manifests`, `audit`: first offset and end of each partition. `covered`: below this offset of `audit` each record
    has its manifest below the end of `manifests`.
    """

    manifests: dict[int, tuple[int, int]]
    audit: dict[int, tuple[int, int]]
    covered: dict[int, int]


class KnownPart(NamedTuple):
    """Part of a partition that is known already: up to a manifest's offset, and before an instant (milliseconds)."""

    offset: int
    before: int


class TrailRange:
    """The part of a trail to read; `since`, `to` and `known` as of `LiveTrail`. `margin`: in place of MARGIN_MS.

    `bounds`: its offsets. `since`: as asked, or the first moment from which the broker keeps all records.
    """

    def __init__(
        self,
        manifests: Reader,
        audit: Reader,
        *,
        since: int | None,
        to: int | None,
        known: Mapping[int, KnownPart],
        margin: int = MARGIN_MS,
    ) -> None:
        self.since, self._to, self._known, self._margin = since, to, known, margin
        self._manifests, self._audit = manifests, audit
        self.bounds = self._bounds()

    def through(self, manifests: Reader, audit: Reader) -> TrailRange:
        """The same range, read by other consumers."""
        clone = copy(self)
        clone._manifests, clone._audit = manifests, audit
        return clone

    def demand_kept(self, partition: int) -> None:
        """Raises IncompleteError (5) if the broker no longer keeps everything within the bounds."""
        for first, bounds in zip(self._firsts(), (self.bounds.manifests, self.bounds.audit), strict=True):
            start, end = bounds[partition]
            if start < end and first[partition] > start:
                raise IncompleteError("error.trail_expired", partition=partition)

    def floor(self, partition: int) -> int:
        """The offset of `audit` from which every record must be covered by a manifest that is read."""
        known = self._known.get(partition)
        since = known.before if known else self.since
        if since is None and self.bounds.manifests[partition][0]:
            oldest = next(self._manifests.read("manifests", partition=partition), None)
            since = oldest.timestamp if oldest else None
        return 0 if since is None else self._audit.since("audit", since)[partition]

    def _bounds(self) -> Bounds:
        # records on `audit` before the manifests are settled have a manifest, and a manifest's records are read later
        covered = self._audit.ends("audit")
        manifests, settled = self._settled("manifests")
        if not settled:
            covered = dict.fromkeys(covered, 0)
        elif self._to is not None:
            before = self._audit.since("audit", self._to)
            covered = {number: min(end, before[number]) for number, end in covered.items()}
        audit, _ = self._settled("audit")
        self._kept_since()
        firsts = self._firsts()
        return Bounds(
            manifests={number: (firsts[0][number], end) for number, end in manifests.items()},
            audit={number: (firsts[1][number], end) for number, end in audit.items()},
            covered=covered,
        )

    def _firsts(self) -> tuple[dict[int, int], dict[int, int]]:
        """The first offsets of `manifests` and `audit` that the broker keeps and that are to be read."""
        if self.since is None:
            manifests, audit = self._manifests.starts("manifests"), self._audit.starts("audit")
        else:
            manifests, audit = self._firsts_of(self.since)
        for before in {known.before for known in self._known.values()}:
            firsts = self._firsts_of(before)
            for number in (number for number, known in self._known.items() if known.before == before):
                manifests[number], audit[number] = (offsets[number] for offsets in firsts)
        return manifests, audit

    def _firsts_of(self, since: int) -> tuple[dict[int, int], dict[int, int]]:
        since -= self._margin
        return self._manifests.since("manifests", since), self._audit.since("audit", since - self._margin)

    def _settled(self, topic: str) -> tuple[dict[int, int], bool]:
        """The ends of a topic, and True if no transaction that began before is open below them."""
        reader = self._manifests if topic == "manifests" else self._audit
        try:
            return reader.settled(topic), True
        except IncompleteError:  # somebody holds a transaction open: the records before it can be read
            return reader.ends(topic), False

    def _kept_since(self) -> None:
        """Moves `since` up if the broker has begun to delete: manifests may outlive their records by a segment."""
        kept = self._manifests.starts("manifests")
        for partition, known in self._known.items():
            if kept[partition] > known.offset + TRANSACTION:
                raise IncompleteError("error.trail_gap", partition=partition, offset=known.offset)
        for partition, start in self._audit.starts("audit").items():
            if start == 0 or partition in self._known:
                continue
            oldest = next(self._audit.read("audit", partition=partition), None)
            if oldest is not None:
                self.since = max(self.since or 0, oldest.timestamp + 3 * MARGIN_MS)
