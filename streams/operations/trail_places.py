"""Single audit records of a trail by their places on `audit`: only the transactions that wrote them are read.

Where nothing knows the places, a search through the bytes of `audit` finds them. It parses only the matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import orjson

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.explanation.placed_record import PlacedRecord, of
from gatekeeper.audit.explanation.trail_search import SearchTerm
from gatekeeper.audit.records.record import FOREIGN, read_record
from gatekeeper.ground.errors import IncompleteError, IntegrityError
from gatekeeper.ground.times import span
from schemas.record import Record
from streams.client.reader import Reader
from streams.operations.trail import LiveTrail
from streams.operations.trail_range import MARGIN_MS

MARGINS_MS = (1_000, 10_000, MARGIN_MS)
"""Milliseconds around a record in which its transaction is looked for, in turn."""


MAX_RECORDS = 200
"""Records of pieces, at most, that are looked up one by one."""
Places = dict[tuple[int, int], PlacedRecord]
"""Records by partition and offset on `audit`, as read there and not proven."""


def searched(reader: Reader, term: SearchTerm, passed: Callable[[], object]) -> list[tuple[int, int]] | None:
    """The places of all records of the pieces that match, in order, by a search through `audit`.

    The result is None where only a reading of the whole trail can answer. Nothing matches, or more than MAX_RECORDS
    records do, or one is not as workers write it. `passed` is called for each record found.
    """
    try:
        seeds = {at: record for at, record in _containing(reader, term.needles, passed) if term.meant(record)}
        places, names, before = seeds, _names(seeds), set[str]()
        while names != before and places:  # a record may name an earlier one, which names others
            before, needles = names, [name.encode() for name in sorted(names)]
            for number in {number for number, _ in seeds}:
                near = _containing(reader, needles, passed, partition=number)
                places = places | {at: record for at, record in near if not record.names.isdisjoint(names)}
            names = _names(places)
    except FOREIGN:
        return None
    return sorted(places) or None if len(places) <= MAX_RECORDS else None


def _names(places: Places) -> set[str]:
    return {name for record in places.values() for name in record.names}


def _containing(
    reader: Reader, needles: list[bytes], passed: Callable[[], object], *, partition: int | None = None
) -> Iterator[tuple[tuple[int, int], PlacedRecord]]:
    for number, record in enumerate(reader.read("audit", containing=needles, partition=partition)):
        if number > MAX_RECORDS:
            raise ValueError("too many")
        passed()
        yield (record.partition, record.offset), PlacedRecord(read_record(record.value or b""), record.partition)


def found(
    trail: LiveTrail, reader: Reader, places: Iterable[tuple[int, int]], *, sealed: Callable[[Link], bool]
) -> list[PlacedRecord] | None:
    """The records at these partitions and offsets, in order; None if one of them is in no manifest that counts.

    `sealed`: tells whether a link is in the sealed log. Of another link it is also read whether its manifest is on the
    branch that counts. Raises as `LiveTrail` does.
    """
    records = []
    for record in reader.some("audit", places):
        placed = _one(trail, record, sealed)
        if placed is None:
            return None
        records.append(placed)
    return records


def _one(trail: LiveTrail, record: Record, sealed: Callable[[Link], bool]) -> PlacedRecord | None:
    with suppress(*FOREIGN):
        at = span(orjson.loads(record.value or b"")["at"], "UTC").first // 1000
        apart = abs(record.timestamp - at)
        for margin in MARGINS_MS:
            placed = _near(trail, record, at, margin + apart, forks=False)
            if placed and placed.link and not sealed(placed.link):
                placed = _near(trail, record, at, margin + apart, forks=True)
            if placed:
                return placed
    return None


def _near(trail: LiveTrail, record: Record, at: int, margin: int, *, forks: bool) -> PlacedRecord | None:
    # a part may begin or end within a transaction, so that records seem to be missing; a wider part has them
    with suppress(IntegrityError, IncompleteError):
        for link in trail.around(at, margin, forks=forks).links(record.partition):
            for placed in of(link, lambda value: value == record.value):
                return placed
    return None
