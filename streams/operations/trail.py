"""Decisions read back from the topics `audit` and `manifests`: committed records, up to ends asked for before."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any, Self

import orjson

from gatekeeper.audit.checks.chain import Chain, ChainFinding
from gatekeeper.audit.checks.record_matching import RecordMatcher
from gatekeeper.audit.checks.trail import Link, PersonLine, link
from gatekeeper.ground.errors import IncompleteError, IntegrityError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import Language
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from gatekeeper.knowledge.reference_log import ReferenceLog
from schemas.record import Record
from streams.client.reader import Reader
from streams.operations import branches, endorsement
from streams.operations.hashed_records import HashedRecords
from streams.operations.trail_range import MARGIN_MS, Bounds, KnownPart, TrailRange

KEPT = 1_000
"""Findings that are kept; more are counted, not kept."""


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
        known: Mapping[int, KnownPart] | None = None,
    ) -> None:
        self.since, self.to, self._known = since, to, known or {}
        self._margin, self._forks = MARGIN_MS, True
        self.aside: dict[str, ChainFinding] = {}
        """Records not signed by a worker, up to KEPT: their place, and the finding."""
        self._settings = settings
        self.keys = Keys(settings.key_folder)
        self._workers = self.keys.public("worker")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._manifests = stack.enter_context(Reader(self._settings))
            self._audit = stack.enter_context(Reader(self._settings))
            self._range = TrailRange(self._manifests, self._audit, since=self.since, to=self.to, known=self._known)
            self.bounds, self.since = self._range.bounds, self._range.since
            self._named = HashedRecords(self._manifests, self._settings)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def around(self, at: int, margin: int, *, forks: bool) -> LiveTrail:
        """The part of an open trail within `margin` milliseconds of an instant, read with the same consumers.

        A transaction whose records or manifest lie farther apart is not in it. `forks`: False also gives manifests that
        are not on the branch that counts; then nothing after the part is read. Valid as long as this trail is open.
        """
        trail = copy(self)
        trail._margin, trail._forks = margin, forks
        trail._range = TrailRange(
            self._manifests, self._audit, since=at - margin, to=at + margin, known={}, margin=margin
        )
        trail.bounds, trail.since, trail.to = trail._range.bounds, trail._range.since, at + margin
        return trail

    @contextmanager
    def apart(self) -> Iterator[LiveTrail]:
        """Yields an open trail through consumers of its own, with the same bounds, for another process."""
        with Reader(self._settings) as manifests, Reader(self._settings) as audit:
            trail = copy(self)
            trail._manifests, trail._audit, trail.aside = manifests, audit, {}
            trail._range = self._range.through(manifests, audit)
            yield trail

    def partitions(self) -> list[int]:
        """The numbers of all partitions."""
        return list(self.bounds.manifests)

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in the order of writing; foreign records between them are left aside.

        Raises IncompleteError (5) if records do not come, or some were deleted before the end was read.
        Raises IntegrityError (4) if records differ and it is unknown which, and UnavailableError (3) without a broker.
        Only one partition can be read at a time.
        """
        try:
            yield from self._links(partition)
        except (IntegrityError, IncompleteError):
            self._range.demand_kept(partition)  # records deleted meanwhile look like a change
            raise
        self._range.demand_kept(partition)

    @property
    def strangers(self) -> list[dict[str, Any]]:
        """The findings about foreign records, ready for JSON."""
        return [
            {
                "finding": finding.fault,
                "topic": finding.topic,
                "partition": finding.partition,
                "offset": finding.offset,
                "count": finding.values.get("count", 1),
            }
            for finding in self.aside.values()
        ]

    @property
    def log(self) -> ReferenceLog:
        """The records of `reference` that count, at the start of the reading."""
        return self._named.log

    def names(self, lang: Language) -> Mapping[str, str]:
        """The names of what counted then, as `endorsement.names` tells them."""
        return endorsement.names(self._named.counting.values(), lang)

    def people(self) -> list[PersonLine]:
        """The records `staff`, `signature` and `policy` of `reference`."""
        return self._named.people

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version that is shipped or was put in force, by their SHA-256 in hex."""
        return self._named.policy(sha256)

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record that `reference` keeps, or of the list that names versions, by SHA-256 in hex."""
        return self._named.reference(sha256)

    def _links(self, partition: int) -> Iterator[Link]:
        first, last = (None if at is None else instant(at) for at in (self.since, self.to))
        matcher, offset = RecordMatcher(self._records(partition), floor=self._range.floor(partition)), 0
        for manifest, following in _with_next(self._own(partition)):
            offset, value, records = manifest.offset, manifest.value or b"", list[bytes]()
            content = orjson.loads(value)
            if content["audit"]["n"]:
                taken = matcher.take(content, following)
                if taken is None:
                    raise IntegrityError("error.trail_order", partition=partition, offset=offset)
                records = taken
            linked = link(partition, offset, value, _signature(manifest), iter(records))
            self._strays(partition, matcher)
            if (first is None or content["t1"] >= first) and (last is None or content["t1"] < last):
                yield linked
        if not matcher.rest(self.bounds.covered[partition]):
            raise IntegrityError("error.trail_order", partition=partition, offset=offset)
        self._strays(partition, matcher)

    def _own(self, partition: int) -> Iterator[Record]:
        """Yields the manifests that workers of ours wrote."""
        chain, beside = Chain({}, keys=lambda: self._workers), self._beside(partition)
        for manifest in self._of(partition):
            finding = chain.foreign(partition, manifest.offset, manifest.value, manifest.header("gate-sig"), beside)
            if finding is None:
                yield manifest
            else:
                self._leave_aside(finding)

    def _beside(self, partition: int) -> frozenset[str]:
        """The manifests that are not on the branch that counts."""
        start, end = self.bounds.manifests[partition]
        if start >= end or not self._forks:
            return frozenset()
        statement = branches.stated(self._settings).get(partition)
        try:
            return branches.forked(
                self._manifests, partition, start=start, chosen=statement.sha256 if statement else None
            ).beside
        except IncompleteError:  # somebody holds a transaction open, and the branch is not known
            return frozenset()

    def _of(self, partition: int) -> Iterator[Record]:
        start, end = self.bounds.manifests[partition]
        until = None if self.to is None else self.to + self._margin
        for record in self._manifests.between("manifests", partition=partition, start=start, end=end):
            if until is not None and record.timestamp > until:
                return
            yield record

    def _records(self, partition: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        start, end = self.bounds.audit[partition]
        for record in self._audit.between("audit", partition=partition, start=start, end=end):
            yield record.offset, record.key, record.value

    def _strays(self, partition: int, matcher: RecordMatcher) -> None:
        for offset, count in matcher.strays.items():
            self._leave_aside(ChainFinding("stray_record", partition, offset, {"count": count}, topic="audit"))
        matcher.strays.clear()

    def _leave_aside(self, finding: ChainFinding) -> None:
        if finding.place in self.aside or len(self.aside) < KEPT:
            self.aside[finding.place] = finding


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
