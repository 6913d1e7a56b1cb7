"""A log in a file: Kafka's own record batches one after another, as a segment of Kafka's log has them.

Each batch has its offsets, the broker's times, and a checksum. Offsets without a committed record are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from aiokafka.record.util import calc_crc32c

from gatekeeper.ground.errors import IntegrityError
from schemas.topics import MAX_MESSAGE_BYTES, Compression
from streams.client.compression import COVERED, packed
from streams.client.record_batch import FRAME, HEAD, BatchHeader, Stored

BATCH_BYTES = 900_000
"""Bytes of a batch's records before compression; a larger record has a batch of its own."""
_SPARE = 32
"""Bytes in front of a record's content, at most."""


class Frame(NamedTuple):
    """A batch of an image: the first offset, the offset behind it, the newest time (milliseconds), and its bytes."""

    base: int
    end: int
    newest: int
    raw: bytes


class Writable(Protocol):
    """A file to write to."""

    def write(self, data: bytes, /) -> Any:
        """Adds bytes."""


class Readable(Protocol):
    """A file to read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; empty at the end."""


class ImageWriter:
    """Writer of an image. `gapless`: offsets count from 0, as in a compacted log, where only the order matters.

    `records`, `end`, `newest`: how many were added, the offset behind the last, and their newest time.
    """

    def __init__(self, file: Writable, compression: Compression, *, gapless: bool) -> None:
        self._file, self._compression, self._gapless = file, compression, gapless
        self._held: list[Stored] = []
        self._size = 0
        self.records, self.end, self.newest = 0, 0, -1

    def add(self, record: Stored) -> None:
        """Takes the next record of the log."""
        if self._gapless:
            record = record._replace(offset=self.records)
        if self._held and (record.offset != self.end or self._size + len(record.body) > BATCH_BYTES):
            self.flush()
        self._held.append(record)
        self._size += len(record.body) + _SPARE
        self.records, self.end, self.newest = self.records + 1, record.offset + 1, max(self.newest, record.timestamp)

    def flush(self) -> None:
        """Writes what is held; call it at the end."""
        if self._held:
            self._file.write(packed(_batch(self._held), self._compression))
        self._held, self._size = [], 0


def frames(file: Readable, name: str) -> Iterator[Frame]:
    """Yields the batches of an image; raises IntegrityError (4) with `name` and the place of a damaged one."""
    at = end = 0
    while raw := file.read(HEAD.size):
        if len(raw) == HEAD.size:
            head = BatchHeader.of(raw)
            if HEAD.size - FRAME <= head.length <= 2 * MAX_MESSAGE_BYTES:
                raw += file.read(head.length + FRAME - HEAD.size)
            whole = head.magic == 2 and len(raw) == head.length + FRAME and head.records == head.last_delta + 1 > 0
            if whole and head.base_offset >= end and calc_crc32c(raw[COVERED:]) == head.crc:
                end = head.base_offset + head.records
                yield Frame(head.base_offset, end, head.max_timestamp, raw)
                at += len(raw)
                continue
        raise IntegrityError("error.backup_damaged", file=name, place=at)


def _batch(records: list[Stored]) -> bytes:
    first = records[0]
    parts = []
    for delta, record in enumerate(records):
        opening = b"\0" + _varint(record.timestamp - first.timestamp) + _varint(delta)
        parts += [_varint(len(opening) + len(record.body)), opening, record.body]
    content = b"".join(parts)
    head = BatchHeader(
        base_offset=first.offset,
        length=HEAD.size - FRAME + len(content),
        leader_epoch=-1,
        magic=2,
        crc=0,
        attributes=0,
        last_delta=len(records) - 1,
        first_timestamp=first.timestamp,
        max_timestamp=max(record.timestamp for record in records),
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        records=len(records),
    )
    covered = HEAD.pack(*head)[COVERED:] + content
    return HEAD.pack(*head._replace(crc=calc_crc32c(covered)))[:COVERED] + covered


def _varint(number: int) -> bytes:
    """A number in Kafka's zigzag encoding."""
    left = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while left > 0x7F:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    encoded.append(left)
    return bytes(encoded)
