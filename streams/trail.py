"""What was decided, read back from the topics `audit` and `manifests`: committed records, up to ends asked before."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from itertools import dropwhile
from typing import Self

import orjson

from gatekeeper import packs
from gatekeeper.audit.chain import Finding, Own
from gatekeeper.audit.trail import Link, holds, link
from gatekeeper.keys import Keys
from gatekeeper.settings import Settings
from gatekeeper.spans import instant
from schemas.codec import Unreadable, canonical, decode
from schemas.events import JointUseTerms, PolicyVersion
from streams.client import STALL_SECONDS, Reader, Record

MARGIN_MS = 120_000
"""So far may the time in a manifest be from the broker's, and that of a transaction's records from each other."""


class LiveTrail:
    """Reads as `gatekeeper.audit.trail.Trail` says, with consumers of its own; it can write nothing.

    `since`, `to`: only manifests whose `t1` is at or after the one and before the other, in milliseconds. Where the
    broker no longer keeps all records, `since` moves up to the first moment from which it does.
    """

    def __init__(self, settings: Settings, *, since: int | None = None, to: int | None = None) -> None:
        self.since, self.to = since, to
        self.bounds: dict[int, tuple[int, int]] = {}
        """First offset and end of each partition of `manifests` when reading began: links beyond are not read."""
        self.aside: dict[tuple[int, int], Finding] = {}
        """What others put on `manifests`, as far as it was met: partition and offset to what is wrong with it."""
        self._settings = settings
        self._workers = Keys(settings.key_folder).public("worker")
        self._policies: dict[str, bytes] = {}
        self._reference: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._manifests = stack.enter_context(Reader(self._settings))
            self._audit = stack.enter_context(Reader(self._settings))
            # the manifests first: what is committed there is, or is about to be, on `audit`
            starts, ends = self._manifests.starts("manifests"), self._manifests.ends("manifests")
            self.bounds = {number: (starts[number], end) for number, end in ends.items()}
            self._kept_since()
            self._learn()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def partitions(self) -> list[int]:
        """Returns the numbers of all partitions."""
        return list(self.bounds)

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links as they were written; what others put between them is left aside.

        Raises IncompleteError (5) where records do not come, IntegrityError (4) where they are others,
        UnavailableError (3) without a broker. Only one partition can be read at a time.
        """
        records: Iterator[bytes] | None = None
        first, last = (None if at is None else instant(at) for at in (self.since, self.to))
        own, skipped = Own(self._workers), False
        for manifest in self._of(partition):
            value = manifest.value or b""
            if not own.holds(partition, manifest.offset, manifest.value, manifest.header("gate-sig")):
                self.aside |= own.aside
                skipped = True
                continue
            said = orjson.loads(value)
            if said["audit"]["n"]:
                if records is None:
                    records = self._records(partition, said["audit"]["from_id"])
                elif skipped:  # what was left aside may have been a worker's before it was changed, with records
                    records = _from(records, said["audit"]["from_id"])
                skipped = False
            found = link(partition, manifest.offset, value, _signature(manifest), records or iter(()))
            if (first is None or said["t1"] >= first) and (last is None or said["t1"] < last):
                yield found

    def policy(self, sha256: str) -> bytes | None:
        """Returns the bytes of a policy version that is shipped or was put in force, by their SHA-256 in hex."""
        return self._policies.get(sha256)

    def reference(self, sha256: str) -> bytes | None:
        """Returns the bytes of a record that `reference` keeps, or of the map that names terms, by SHA-256 in hex."""
        return self._reference.get(sha256)

    def _of(self, partition: int) -> Iterator[Record]:
        start, end = self.bounds[partition]
        since = None if self.since is None else self.since - MARGIN_MS
        until = None if self.to is None else self.to + MARGIN_MS
        if start >= end:
            return
        for record in self._manifests.read("manifests", partition=partition, since=since):
            if record.offset >= end or (until is not None and record.timestamp > until):
                return
            yield record

    def _records(self, partition: int, did: str) -> Iterator[bytes]:
        """Yields the values on `audit` from that decision on; ends where none comes for a while."""
        if self.since is None:
            start = self._audit.starts("audit")[partition]
        else:
            start = self._audit.since("audit", self.since - 2 * MARGIN_MS)[partition]
        coming = self._audit.coming("audit", {partition: start}, seconds=STALL_SECONDS)
        # an empty list: nothing came for so long, although a manifest promises it
        values = (record.value or b"" for records in iter(lambda: next(coming), []) for record in records)
        return _from(values, did)

    def _kept_since(self) -> None:
        """Moves `since` up where the broker has begun to delete: manifests may outlive their records by a segment."""
        for partition, start in self._audit.starts("audit").items():
            if start == 0:
                continue
            oldest = next(self._audit.read("audit", partition=partition), None)
            if oldest is not None:
                self.since = max(self.since or 0, oldest.timestamp + 3 * MARGIN_MS)

    def _learn(self) -> None:
        """Takes in what records name by hash: the policies, and all that `reference` ever said and still keeps."""
        for versions in packs.shipped().values():
            for policy in versions:
                self._policies[policy.sha256] = packs.shipped_text(policy).encode()
        terms: dict[str, dict[str, str]] = {}
        for record in self._manifests.read("reference"):
            value = record.value or b""
            digest = sha256(value).hexdigest()
            self._reference[digest] = value
            try:
                found = decode("reference", record.key, value)
            except Unreadable:
                continue
            if isinstance(found, PolicyVersion) and found.toml is not None:
                self._policies[sha256(found.toml.encode()).hexdigest()] = found.toml.encode()
            elif isinstance(found, JointUseTerms):
                versions_of = terms.setdefault(found.id, {})
                versions_of[str(found.version)] = digest
                named = canonical(versions_of)
                self._reference[sha256(named).hexdigest()] = named


def _from(records: Iterator[bytes], did: str) -> Iterator[bytes]:
    return dropwhile(lambda record: not holds(record, did), records)


def _signature(manifest: Record) -> bytes:
    try:
        return b64decode(manifest.header("gate-sig"), validate=True)
    except ValueError:
        return b""  # which no key has made
