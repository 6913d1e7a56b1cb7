"""An audit record with its place and the findings on its proof, and the records of one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, PersonLine
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.records import masking
from gatekeeper.audit.records.record import read_record
from gatekeeper.audit.records.releases import RULES, rules_of
from gatekeeper.audit.verify.findings import Finding
from gatekeeper.audit.verify.proof_check import check_content
from gatekeeper.audit.verify.sentences import INCOMPLETE
from gatekeeper.ground.errors import GatekeeperError, IncompleteError, IntegrityError


@dataclass(frozen=True, slots=True)
class NewestCheckpoint:
    """The newest checkpoint: size of the log, and time of a witness's cosignature (None without one)."""

    size: int
    witnessed: str | None


UNREADABLE = NewestCheckpoint(0, None)
"""Placeholder for the checkpoint of an unreadable log."""


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """One audit record with its place: partition, link, position in the link (from 0), leaf of the sealed log.

    For a record read by itself, only the partition is known. `wrong`: the findings on its proof. A record with any
    finding counts as unsealed.
    """

    record: dict[str, Any]
    partition: int
    link: Link | None = None
    place: int = 0
    leaf: int | None = None
    wrong: tuple[Finding, ...] = ()

    @property
    def did(self) -> str:
        """The decision id."""
        return str(self.record["did"])

    @property
    def manifest(self) -> int | None:
        """The manifest's offset on `manifests`."""
        return self.link.offset if self.link else None

    @property
    def position(self) -> int | None:
        """The record's position in that manifest, from 0."""
        return self.place if self.link else None

    @property
    def names(self) -> set[str]:
        """Decision ids in the record: its own, that of the clearance, and that of the item acted on."""
        act = self.record.get("act") or {}
        return {name for name in (self.did, self.record.get("clearance"), act.get("item")) if name}


def of(link: Link, wanted: Callable[[bytes], bool]) -> Iterator[PlacedRecord]:
    """Yields the records of a manifest whose bytes `wanted` accepts.

    Raises IntegrityError (4) if a record cannot be read, IncompleteError (5) if reading needs a later release.
    """
    for place, value in enumerate(link.records):
        if wanted(value):
            try:
                yield PlacedRecord(read_record(value), link.partition, link, place)
            except ValueError:
                raise unreadable_record(rules_of(value) or 0, link.partition, link.offset) from None


def proven(
    placed: PlacedRecord, log: Sealed | None, keys: Sequence[str], people: Sequence[PersonLine] = ()
) -> PlacedRecord:
    """The record with its leaf, and with the findings on the proof that `prove` writes of it.

    A missing seal is no finding. `log`, `keys`: as `gatekeeper.audit.export.proof.prove` takes them. `people`: those of
    the trail. Raises IntegrityError (4) if the log cannot be read.
    """
    assert placed.link is not None
    proof = of_record(placed.link, placed.place, log, keys, people)
    sealed = orjson.loads(proof)["log"]
    wrong = tuple(finding for finding in check_content(proof, placed.link.place).findings if finding.exit != INCOMPLETE)
    # a forged record may hold anything, people's names too
    record = orjson.loads(masking.told(placed.record)) if wrong else placed.record
    return replace(placed, record=record, leaf=sealed["index"] if sealed else None, wrong=wrong)


def pieces(found: Iterable[PlacedRecord]) -> list[list[PlacedRecord]]:
    """The records grouped by piece, in the order in which they came. Records that name each other form one piece."""
    grouped: list[tuple[set[str], list[tuple[int, PlacedRecord]]]] = []
    for number, placed in enumerate(found):
        names, records = set(placed.names), [(number, placed)]
        apart = []
        for group in grouped:
            if names.isdisjoint(group[0]):
                apart.append(group)
            else:
                names |= group[0]
                records += group[1]
        grouped = [*apart, (names, records)]
    return [[placed for _, placed in sorted(records, key=itemgetter(0))] for _, records in grouped]


def unreadable_record(rules: int, partition: int, offset: int | str) -> GatekeeperError:
    """The error for an unreadable record, written by a later release or by no worker."""
    if rules > RULES:
        versions = {"rules": rules, "own": RULES}
        return IncompleteError("error.trail_record_later", partition=partition, offset=offset, **versions)
    return IntegrityError("error.trail_record", partition=partition, offset=offset)
