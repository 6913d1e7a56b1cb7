"""Decisions read back from the topics `audit` and `manifests`: committed records, up to ends asked for before."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Self

import orjson

from gatekeeper.audit.checks.chain import ChainFinding, Own
from gatekeeper.audit.checks.record_matching import Sieve
from gatekeeper.audit.checks.trail import Link, PersonLine, link
from gatekeeper.errors import IncompleteError, IntegrityError
from gatekeeper.keys import Keys
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.policy import packs
from gatekeeper.settings import Settings
from gatekeeper.times import instant
from schemas.codec import Unreadable, decode
from schemas.events import PolicyVersion, Signature, Staff
from schemas.record import Record
from streams.client.reader import Reader
from streams.operations.branches import forked

KEPT = 1_000
"""Findings that are kept; more are counted, not kept."""
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


class Known(NamedTuple):
    """Part of a partition that is known already: up to a manifest's offset, and before an instant (milliseconds)."""

    offset: int
    before: int


class LiveTrail:
    """The live form of `gatekeeper.audit.checks.trail.Trail`, with consumers of its own; it can write nothing.

    `since`, `to`: only manifests with `t1` at or after the first and before the second, in milliseconds. If the broker
    no longer keeps all records, `since` moves up to the first moment from which it does.
    `known`: of these partitions only the part is read that is needed to read all later records.
    """

    bounds: Bounds

    def __init__(
        self,
        settings: Settings,
        *,
        since: int | None = None,
        to: int | None = None,
        known: Mapping[int, Known] | None = None,
    ) -> None:
        self.since, self.to, self._known = since, to, known or {}
        self.aside: dict[str, ChainFinding] = {}
        """Records not signed by a worker, up to KEPT: their place, and the finding."""
        self._settings = settings
        self.keys = Keys(settings.key_folder)
        self._workers = self.keys.public("worker")
        self._policies: dict[str, bytes] = {}
        self._reference: dict[str, bytes] = {}
        self._people: list[PersonLine] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._manifests = stack.enter_context(Reader(self._settings))
            self._audit = stack.enter_context(Reader(self._settings))
            self.bounds = self._bounds()
            self._learn()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def partitions(self) -> list[int]:
        """The numbers of all partitions."""
        return list(self.bounds.manifests)

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in the order of writing; foreign records between them are left aside.

        Raises IncompleteError (5) if records do not come, or some were deleted before the end was read,
        IntegrityError (4) if records differ and it is unknown which, UnavailableError (3) without a broker.
        Only one partition can be read at a time.
        """
        try:
            yield from self._links(partition)
        except (IntegrityError, IncompleteError):
            self._demand_kept(partition)  # records deleted meanwhile look like a change
            raise
        self._demand_kept(partition)

    @property
    def strangers(self) -> list[dict[str, Any]]:
        """The findings about foreign records, ready for JSON."""
        return [
            {
                "finding": one.kind,
                "topic": one.topic,
                "partition": one.partition,
                "offset": one.offset,
                "count": one.values.get("count", 1),
            }
            for one in self.aside.values()
        ]

    def people(self) -> list[PersonLine]:
        """The records `staff` and `signature` of `reference`."""
        return self._people

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version that is shipped or was put in force, by their SHA-256 in hex."""
        return self._policies.get(sha256)

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record that `reference` keeps, or of the list that names versions, by SHA-256 in hex."""
        return self._reference.get(sha256)

    def _links(self, partition: int) -> Iterator[Link]:
        first, last = (None if at is None else instant(at) for at in (self.since, self.to))
        sieve, offset = Sieve(self._records(partition), floor=self._floor(partition)), 0
        for manifest, following in _with_next(self._own(partition)):
            offset, value, records = manifest.offset, manifest.value or b"", list[bytes]()
            said = orjson.loads(value)
            if said["audit"]["n"]:
                taken = sieve.take(said, following)
                if taken is None:
                    raise IntegrityError("error.trail_order", partition=partition, offset=offset)
                records = taken
            found = link(partition, offset, value, _signature(manifest), iter(records))
            self._strays(partition, sieve)
            if (first is None or said["t1"] >= first) and (last is None or said["t1"] < last):
                yield found
        if not sieve.rest(self.bounds.covered[partition]):
            raise IntegrityError("error.trail_order", partition=partition, offset=offset)
        self._strays(partition, sieve)

    def _demand_kept(self, partition: int) -> None:
        """Raises IncompleteError (5) if the broker no longer keeps everything within the bounds."""
        for first, bounds in zip(self._firsts(), (self.bounds.manifests, self.bounds.audit), strict=True):
            start, end = bounds[partition]
            if start < end and first[partition] > start:
                raise IncompleteError("error.trail_expired", partition=partition)

    def _bounds(self) -> Bounds:
        # records on `audit` before the manifests are settled have a manifest, and a manifest's records are read later
        covered = self._audit.ends("audit")
        manifests, settled = self._settled("manifests")
        if not settled:
            covered = dict.fromkeys(covered, 0)
        elif self.to is not None:
            before = self._audit.since("audit", self.to)
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
            found = self._firsts_of(before)
            for number in (number for number, known in self._known.items() if known.before == before):
                manifests[number], audit[number] = (each[number] for each in found)
        return manifests, audit

    def _firsts_of(self, since: int) -> tuple[dict[int, int], dict[int, int]]:
        since -= MARGIN_MS
        return self._manifests.since("manifests", since), self._audit.since("audit", since - MARGIN_MS)

    def _settled(self, topic: str) -> tuple[dict[int, int], bool]:
        """The ends of a topic, and True if no transaction that began before is open below them."""
        reader = self._manifests if topic == "manifests" else self._audit
        try:
            return reader.settled(topic), True
        except IncompleteError:  # somebody holds a transaction open: the records before it can be read
            return reader.ends(topic), False

    def _own(self, partition: int) -> Iterator[Record]:
        """Yields the manifests that workers of ours wrote."""
        own, beside = Own(self._workers), self._beside(partition)
        for manifest in self._of(partition):
            finding = own.foreign(partition, manifest.offset, manifest.value, manifest.header("gate-sig"), beside)
            if finding is None:
                yield manifest
            else:
                self._leave_aside(finding)

    def _beside(self, partition: int) -> frozenset[str]:
        """The manifests that are not on the branch of the ledger's head."""
        start, end = self.bounds.manifests[partition]
        try:
            return forked(self._manifests, partition, start=start).beside if start < end else frozenset()
        except IncompleteError:  # somebody holds a transaction open, and the branch is not known
            return frozenset()

    def _of(self, partition: int) -> Iterator[Record]:
        start, end = self.bounds.manifests[partition]
        until = None if self.to is None else self.to + MARGIN_MS
        for record in self._manifests.between("manifests", partition=partition, start=start, end=end):
            if until is not None and record.timestamp > until:
                return
            yield record

    def _records(self, partition: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        start, end = self.bounds.audit[partition]
        for record in self._audit.between("audit", partition=partition, start=start, end=end):
            yield record.offset, record.key, record.value

    def _floor(self, partition: int) -> int:
        """The offset of `audit` from which every record must be covered by a manifest that is read."""
        known = self._known.get(partition)
        since = known.before if known else self.since
        if since is None and self.bounds.manifests[partition][0]:
            oldest = next(self._manifests.read("manifests", partition=partition), None)
            since = oldest.timestamp if oldest else None
        return 0 if since is None else self._audit.since("audit", since)[partition]

    def _strays(self, partition: int, sieve: Sieve) -> None:
        for offset, count in sieve.strays.items():
            self._leave_aside(ChainFinding("stray", partition, offset, {"count": count}, topic="audit"))
        sieve.strays.clear()

    def _leave_aside(self, finding: ChainFinding) -> None:
        if finding.place in self.aside or len(self.aside) < KEPT:
            self.aside[finding.place] = finding

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

    def _learn(self) -> None:
        """Loads the data that records name by hash: the policies, and all kept records of `reference`."""
        for versions in packs.shipped().values():
            for policy in versions:
                self._policies[policy.sha256] = packs.shipped_text(policy).encode()
        counting = ReferenceLog(self._settings.group)
        for record in self._manifests.read("reference"):
            value = record.value or b""
            self._reference[sha256(value).hexdigest()] = value
            try:
                found = decode("reference", record.key, value)
                if isinstance(found, PolicyVersion) and found.toml is not None:
                    self._policies[sha256(found.toml.encode()).hexdigest()] = found.toml.encode()
                counted = counting.take(record, found)
                if isinstance(found, Staff | Signature):
                    self._people.append(PersonLine(record.partition, record.offset, record.timestamp, value))
            except Unreadable:
                continue
            if counted is not None:
                self._reference[sha256(counted.named).hexdigest()] = counted.named


def _with_next(manifests: Iterable[Record]) -> Iterator[tuple[Record, str | None]]:
    """Yields each manifest with the first decision id of the next one, None for the last."""
    before: Record | None = None
    for manifest in manifests:
        if before is not None:
            yield before, orjson.loads(manifest.value or b"")["audit"]["from_id"]
        before = manifest
    if before is not None:
        yield before, None


def _signature(manifest: Record) -> bytes:
    try:
        return b64decode(manifest.header("gate-sig"), validate=True)
    except ValueError:
        return b""  # no key has made this signature
