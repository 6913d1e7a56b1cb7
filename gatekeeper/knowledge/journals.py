"""Journals hold the little that a store needs in memory, so that it can begin again.

Unreadable records, gaps, names in refusals, corrections of erasures, copies that wait for a signature, and counts.
Records of `reference` are not among them, because a start reads that topic from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gatekeeper.ground.tables import Tables
from gatekeeper.knowledge.copies import CopiedRun, Partition
from gatekeeper.knowledge.gaps import StatedGap
from gatekeeper.knowledge.token_keys import Counts, StopScope, TokenKeys
from schemas.record import Coordinates, Record

_PACK, _COUNTED = msgspec.msgpack.Encoder(), "counted"


class Unread(NamedTuple):
    """An unreadable record, or a batch at its first offset: its fault, and its arrival in milliseconds.

    `names`: as of `Unresolved`.
    """

    place: Coordinates
    fault: str
    names: frozenset[str] | None
    arrived: int
    batch: bool = False


class NamedInRefusal(NamedTuple):
    """A name in a refusal, by whom, the refusal's arrival (milliseconds) and its place."""

    kind: str
    code: str
    whom: str
    arrived: int
    record: str


class FactCounts(msgspec.Struct, frozen=True):
    """Counts over all records so far, as of `TokenKeys`, `Copies` and `FactStore`."""

    stops: list[tuple[Counts, StopScope, int]] = []
    since: list[tuple[StopScope, int]] = []
    sources: dict[str, int] = {}
    runs: list[tuple[Partition, CopiedRun]] = []
    nos_without_token: int = 0


class Journals:
    """The journals of a store. The same row twice is one row."""

    def __init__(self, tables: Tables) -> None:
        self._unread, self._refused = tables.journal("unread"), tables.journal("refused")
        self._corrections, self._waiting = tables.journal("corrections"), tables.journal("waiting")
        self._counted, self._gaps = tables.journal("counted"), tables.journal("gaps")

    def unread(self, record: Unread) -> None:
        """Writes an unreadable record."""
        if record.place[0] != "reference":
            self._unread["/".join(map(str, record.place))] = _PACK.encode(record)

    def gap(self, gap: StatedGap) -> None:
        """Writes a gap."""
        self._gaps["/".join(map(str, gap.place))] = _PACK.encode(gap)

    def refused(self, name: NamedInRefusal) -> None:
        """Writes a name in a refusal."""
        self._refused[f"{name.kind} {name.code} {name.whom}"] = _PACK.encode(name)

    def corrected(self, record: Record) -> None:
        """Writes the record of a correction whose signature decides."""
        self._corrections[_name(record)] = _PACK.encode(record)

    def waits(self, record: Record) -> None:
        """Writes a copied record, at its first arrival."""
        self._waiting[_name(record)] = _PACK.encode(record)

    def waited(self, record: Record) -> None:
        """Removes a copied record that waits no longer."""
        self._waiting.pop(_name(record), None)

    def count(self, keys: TokenKeys, runs: dict[Partition, CopiedRun], nos_without_token: int) -> None:
        """Writes the counts so far."""
        stops = [(counts, scope, n) for (counts, scope), n in keys.alike.items()]
        copied = [(place, run) for place, run in runs.items() if place[0] != "reference"]
        counts = FactCounts(stops, list(keys.since.items()), dict(keys.sources), copied, nos_without_token)
        self._counted[_COUNTED] = _PACK.encode(counts)

    @property
    def counted(self) -> FactCounts:
        """The counts that were written last."""
        packed = self._counted.get(_COUNTED)
        return msgspec.msgpack.decode(packed, type=FactCounts) if packed else FactCounts()

    def unread_records(self) -> Iterator[Unread]:
        """Yields the unreadable records."""
        return (msgspec.msgpack.decode(row, type=Unread) for _, row in self._unread.items())

    def gaps(self) -> Iterator[StatedGap]:
        """Yields the gaps."""
        return (msgspec.msgpack.decode(row, type=StatedGap) for _, row in self._gaps.items())

    def refusals(self) -> Iterator[NamedInRefusal]:
        """Yields the names in refusals."""
        return (msgspec.msgpack.decode(row, type=NamedInRefusal) for _, row in self._refused.items())

    def corrections(self) -> Iterator[Record]:
        """Yields the corrections of erasures."""
        return (_record(row) for _, row in self._corrections.items())

    def waiting(self) -> Iterator[Record]:
        """Yields the copied records that wait, at their first arrivals."""
        return (_record(row) for _, row in self._waiting.items())


def _name(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"


def _record(row: bytes) -> Record:
    return msgspec.msgpack.decode(row, type=Record)
