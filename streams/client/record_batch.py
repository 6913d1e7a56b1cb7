"""Kafka's record batch, version 2, read record by record: intact records are taken, others are refused.

The format is that of KIP-98, as described in Apache Kafka's documentation under "Record Batch".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from schemas import codec
from schemas.codec import KEY_BYTES

MAX_HEADERS = 2 * codec.MAX_HEADERS
"""Above the headers of any record of the gate. It passes a platform's headers on with a dozen of its own."""
MAX_RECORDS = 2**20
"""Records of a batch, at most; a batch with a higher number misstates it."""

HEAD = struct.Struct(">qiibIhiqqqhii")
FRAME = 12
CODEC, _APPEND_TIME, CONTROL = 0x07, 0x08, 0x20
ABORT, _COMMIT = b"\0\0\0\0", b"\0\0\0\1"
"""Keys of markers: a version and a type."""


class RefusedHeader(str):
    """The name of the only header of a refused record: the fault. The header's value is a SHA-256."""

    __slots__ = ()


class Headerwide(RefusedHeader):
    """The fault of a record's headers alone: key and value are there."""

    __slots__ = ()


class Batchwide(RefusedHeader):
    """The fault of a whole batch, or of the rest of one: keys are unknown. Its first offset follows `/`."""

    __slots__ = ()


class Fault(Exception):
    """Raised if a batch cannot be read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A record in the form that both clients' fetchers take from a batch."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    checksum: None = None
    size_in_bytes: int = 0

    def validate_crc(self) -> bool:
        """True: a batch has one checksum, which has been checked."""
        return True

    @property
    def abort(self) -> bool:
        """True if it is the marker of an aborted transaction."""
        return self.key == ABORT


class Stored(NamedTuple):
    """A record as a log holds it, with the broker's time in milliseconds.

    `body`: key, value and headers in Kafka's own bytes.
    """

    offset: int
    timestamp: int
    body: bytes

    @property
    def key(self) -> bytes | None:
        """The key; raises Fault if its length does not fit."""
        return _bytes(self.body, 0, len(self.body))[0]

    @property
    def value(self) -> bytes | None:
        """The value; raises Fault if its length does not fit."""
        return _bytes(self.body, _bytes(self.body, 0, len(self.body))[1], len(self.body))[0]


class BatchHeader(NamedTuple):
    """The header of a batch, before its records."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @classmethod
    def of(cls, raw: bytes) -> BatchHeader:
        """Reads the header of a batch from its first bytes."""
        return cls(*HEAD.unpack_from(raw))


def length_at(data: memoryview, at: int) -> int:
    """The number of bytes after the frame of the batch at that position, according to the batch."""
    length: int = struct.unpack_from(">i", data, at + 8)[0]
    return length


def marker(raw: bytes) -> Taken | None:
    """The record of a batch that looks like a transaction's marker, whatever its checksum; else None."""
    head = BatchHeader.of(raw)
    records = list(read(raw, head)) if head.records == 1 and not head.last_delta else []
    return records[0] if records and records[0].key in (ABORT, _COMMIT) else None


def framed(raw: bytes) -> int:
    """The number of records up to the end of a batch, by their lengths alone. 0 if these do not fit."""
    count, at = 0, HEAD.size
    while at < len(raw):
        try:
            length, at = _varint(raw, at)
        except (IndexError, ValueError):
            return 0
        count, at = count + 1, at + max(length, 0)
    return count if at == len(raw) else 0


def read(plain: bytes, head: BatchHeader) -> Iterator[Taken]:
    """Yields the records of an uncompressed batch one by one, as long as each gives the start of the next.

    A record with unreadable content is refused, with its key if that is readable.
    """
    at, offset = HEAD.size, head.base_offset - 1
    for _ in range(min(head.records, MAX_RECORDS)):
        try:
            length, begin = _varint(plain, at)
            if length < 0 or begin + length > len(plain):
                return
            delta, stamp, rest = _opening(plain, begin)
        except (IndexError, ValueError):
            return
        if not offset < head.base_offset + delta <= head.base_offset + head.last_delta:
            return
        offset, at = head.base_offset + delta, begin + length
        timestamp = head.max_timestamp if head.attributes & _APPEND_TIME else head.first_timestamp + stamp
        key: bytes | None = None
        value: bytes | None = None
        try:
            key, rest = _bytes(plain, rest, at)
            value, rest = _bytes(plain, rest, at)
        except (Fault, IndexError, ValueError):
            key = key if len(key or b"") <= KEY_BYTES else None
            headers = _said(RefusedHeader("record_unreadable"), plain[begin:at])
        else:
            headers = _headers(plain, rest, at, value)
        yield Taken(offset, timestamp, 1, key, value, headers)


def stored(plain: bytes, head: BatchHeader) -> Iterator[Stored]:
    """Yields the records of an uncompressed batch without a look at their content; raises Fault if one is cut off."""
    at = HEAD.size
    for _ in range(head.records):
        try:
            length, begin = _varint(plain, at)
            delta, stamp, rest = _opening(plain, begin)
        except (IndexError, ValueError):
            raise Fault("record_unreadable") from None
        at = begin + length
        if not rest <= at <= len(plain):
            raise Fault("record_unreadable")
        timestamp = head.max_timestamp if head.attributes & _APPEND_TIME else head.first_timestamp + stamp
        yield Stored(head.base_offset + delta, timestamp, plain[rest:at])


def _opening(plain: bytes, at: int) -> tuple[int, int, int]:
    """Offset and timestamp of a record, relative to the batch's, and the position of its key."""
    stamp, at = _varint(plain, at + 1)  # after a byte of attributes without meaning so far
    delta, at = _varint(plain, at)
    return delta, stamp, at


def _headers(plain: bytes, at: int, end: int, value: bytes | None) -> Sequence[tuple[str, bytes | None]]:
    """A record's headers, or the single header that names their fault."""
    headers: list[tuple[str, bytes | None]] = []
    try:
        count, at = _varint(plain, at)
        if count > MAX_HEADERS:
            return _said(Headerwide("headers_too_many"), value or b"")
        for _ in range(count):
            name, at = _bytes(plain, at, end)
            held, at = _bytes(plain, at, end)
            headers.append(((name or b"").decode(), held))
    except (Fault, IndexError, ValueError):
        return _said(Headerwide("header_not_text"), value or b"")
    return headers


def _said(fault: RefusedHeader, of: bytes) -> Sequence[tuple[str, bytes | None]]:
    return ((fault, sha256(of).hexdigest().encode()),)


def _bytes(plain: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = _varint(plain, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise Fault("record_unreadable")
    return plain[at : at + length], at + length


def _varint(plain: bytes, at: int) -> tuple[int, int]:
    """Reads one number in Kafka's zigzag encoding. The result has the number and the next position."""
    value = shift = 0
    while shift < 64:
        byte = plain[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise ValueError("varint")
