"""A log as it was read: a hash over all records, and the last one. By these it is known again.

A broker that is put back to an older state keeps its topic's id and counts offsets and epochs anew. So a position alone
does not tell whether the records below it are those that were read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from gatekeeper.ledger.fact_logs import Content
from streams.client.record_hash import HASH_BYTES, record_hash

NOTHING = Content(0, bytes(HASH_BYTES))


class ReadPart(NamedTuple):
    """The part of a log below a position. `last`: offset and hash of its last readable record, -1 without one."""

    position: int
    content: Content = NOTHING
    last: tuple[int, bytes] = (-1, b"")


_ROW = tuple[int, ReadPart, ReadPart]
_UNSAID = ReadPart(-1)


@dataclass(slots=True)
class ReadLog:
    """One log as it was read. `begin`: its first offset. `position`: the next one to read.

    `last`: as of `ReadPart`. `proven`: the part that was read before some question that brokers answered without doubt.
    What was read later may be of another log.
    """

    begin: int
    position: int
    content: Content = NOTHING
    last: tuple[int, bytes] = (-1, b"")
    proven: ReadPart = _UNSAID
    _wanted: deque[int] = field(default_factory=deque)
    _noted: dict[int, Content] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.proven is _UNSAID:
            self.proven = ReadPart(self.begin)

    @property
    def part(self) -> ReadPart:
        """All that was read."""
        return ReadPart(self.position, self.content, self.last)

    def take(self, record: Any) -> None:
        """Takes the next readable record; the caller moves `position`."""
        while self._wanted and self._wanted[0] <= record.offset:
            self._noted[self._wanted.popleft()] = self.content
        own = record_hash(record)
        chained = blake2b(self.content.hash + own, digest_size=HASH_BYTES).digest()
        self.content, self.last = Content(self.content.records + 1, chained), (record.offset, own)

    def note(self, positions: Iterable[int]) -> None:
        """Keeps the content below these positions on the way. Those that were passed before are left out."""
        self._wanted = deque(sorted({position for position in positions if position >= self.position}))

    def below(self, position: int) -> Content | None:
        """The content below a position; None if it was neither noted nor is the present one."""
        if position in self._noted:
            return self._noted[position]
        return self.content if self.last[0] < position <= self.position else None

    def encode(self) -> bytes:
        """The row that a restart reads, without what was noted."""
        row: _ROW = (self.begin, self.part, self.proven)
        return msgspec.msgpack.encode(row)

    @classmethod
    def decode(cls, row: bytes) -> ReadLog:
        """Reads the row; raises msgspec.DecodeError for another one."""
        begin, part, proven = msgspec.msgpack.decode(row, type=_ROW)
        return cls(begin, part.position, part.content, part.last, proven)
