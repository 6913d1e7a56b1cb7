"""Single audit records of a trail by their places on `audit`: only the transactions that wrote them are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import orjson

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.explanation.placed_record import PlacedRecord, of
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.errors import IncompleteError, IntegrityError
from gatekeeper.times import span
from schemas.record import Record
from streams.client.reader import Reader
from streams.operations.trail import LiveTrail
from streams.operations.trail_range import MARGIN_MS

MARGINS_MS = (1_000, 10_000, MARGIN_MS)
"""Milliseconds around a record in which its transaction is looked for, in turn."""


def found(
    trail: LiveTrail, reader: Reader, places: Iterable[tuple[int, int]], *, sealed: Callable[[Link], bool]
) -> list[PlacedRecord] | None:
    """The records at these partitions and offsets, in order; None if one of them is in no manifest that counts.

    `sealed`: tells whether a link is in the sealed log. Of another link it is also read whether its manifest is on the
    branch that counts. Raises as `LiveTrail` does.
    """
    told = []
    for record in reader.some("audit", places):
        one = _one(trail, record, sealed)
        if one is None:
            return None
        told.append(one)
    return told


def _one(trail: LiveTrail, record: Record, sealed: Callable[[Link], bool]) -> PlacedRecord | None:
    with suppress(*FOREIGN):
        at = span(orjson.loads(record.value or b"")["at"], "UTC").first // 1000
        apart = abs(record.timestamp - at)
        for margin in MARGINS_MS:
            one = _near(trail, record, at, margin + apart, forks=False)
            if one and one.link and not sealed(one.link):
                one = _near(trail, record, at, margin + apart, forks=True)
            if one:
                return one
    return None


def _near(trail: LiveTrail, record: Record, at: int, margin: int, *, forks: bool) -> PlacedRecord | None:
    # a part may begin or end within a transaction, so that records seem to be missing; a wider part has them
    with suppress(IntegrityError, IncompleteError):
        for link in trail.around(at, margin, forks=forks).links(record.partition):
            for one in of(link, lambda value: value == record.value):
                return one
    return None
