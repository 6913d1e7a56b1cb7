"""Positions in logs with their proof: a record by which a reader knows the log again that it read.

A broker that is put back to an older state keeps its topics' ids, and counts offsets and epochs anew. So a position
alone does not tell whether the records below it are those that were read. docs/adr/0027-refused-partitions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import structlog

from schemas.record import Record
from schemas.topics import TOPICS
from streams.client.reader import Reader
from streams.client.record_hash import record_hash

log = structlog.get_logger(__name__)
NEAR = 64
"""Offsets below a position that are searched first for the last record."""
Place = tuple[str, int]
"""A topic of the registry, and a partition."""


class ProvenPosition(NamedTuple):
    """The next offset to read, and its proof: offset (-1: none) and hash of the last readable record below.

    Nothing that can be read stands between that record and the position.
    """

    next: int
    last: int = -1
    hash: bytes = b""

    def behind(self, record: Record) -> ProvenPosition:
        """The position behind the next record of the log."""
        if record.refused is not None:  # another replica may have it whole
            return self._replace(next=record.offset + 1)
        return ProvenPosition(record.offset + 1, record.offset, record_hash(record))

    def moved(self, to: int) -> ProvenPosition:
        """The position behind markers of transactions, at most further on."""
        return self._replace(next=max(self.next, to))


ProvenPositions = Mapping[Place, ProvenPosition]


def proven(reader: Reader, topic: str, at: Mapping[int, int]) -> dict[int, ProvenPosition]:
    """These positions of a topic, by partition, with their proofs as the log has them now; raises as `Reader` does."""
    return {number: _proven(reader, topic, number, next_) for number, next_ in at.items()}


def differing(reader: Reader, known: ProvenPositions) -> list[Place]:
    """The logs that are others than those in which these positions were stored, in order. Raises as `Reader` does.

    One that ends before its position, or has another record below it, is another. Where retention or compaction took
    that record, nothing can be proven, and the process's log says so.
    """
    while True:
        connections, verdicts = reader.connections, _told(reader, known)
        if connections == reader.connections:  # else a part was read from a broker that was there before
            break
    for topic, number in (place for place, holds in verdicts.items() if holds is None):
        log.warning("position_unproven", topic=topic, partition=number, position=known[topic, number].next)
    return sorted(place for place, holds in verdicts.items() if holds is False)


def stands(reader: Reader, topic: str, *, partition: int, offset: int, digest: str) -> bool:
    """Tells whether a record with this value still stands at its place. `digest`: SHA-256 (hex) of the value.

    True also where the log begins behind it. Then nothing is proven, and the process's log says so.
    """
    if reader.starts(topic)[partition] > offset:
        log.warning("position_unproven", topic=topic, partition=partition, position=offset + 1)
        return True
    record = reader.at(topic, partition=partition, offset=offset)
    return record is not None and sha256(record.value or b"").hexdigest() == digest


def _told(reader: Reader, known: ProvenPositions) -> dict[Place, bool | None]:
    """Tells of each log whether it is the same, None if nothing tells."""
    kept = reader.kept({topic for topic, _ in known})
    there = {place: position for place, position in known.items() if place in kept and kept[place][1] >= position.next}
    tails: dict[Place, list[Record]] = {place: [] for place in there}
    spans = {place: (max(position.last, kept[place][0]), position.next) for place, position in there.items()}
    for record in reader.spans(spans):
        if record.refused is None:
            tails[record.topic, record.partition].append(record)
    return {
        place: place in there and _holds(place[0], position, tails[place], kept[place][0])
        for place, position in known.items()
    }


def _holds(topic: str, position: ProvenPosition, tail: list[Record], start: int) -> bool | None:
    """Tells whether a log is the same, by its records from the last known one on; None if nothing tells."""
    if position.last < 0:
        return not tail
    if not tail:
        return None if start > position.last or TOPICS[topic].keep_ms is None else False
    first, *more = tail
    return first.offset == position.last and record_hash(first) == position.hash and not more


def _proven(reader: Reader, topic: str, number: int, next_: int) -> ProvenPosition:
    start, size = reader.starts(topic)[number], NEAR
    while True:
        begin = max(start, next_ - size)
        records = [
            record for record in reader.between(topic, partition=number, start=begin, end=next_) if not record.refused
        ]
        if records:
            return ProvenPosition(next_, records[-1].offset, record_hash(records[-1]))
        if begin <= start:
            return ProvenPosition(next_)
        size *= 16
