"""Kafka's record batch, version 2, read record by record: what is whole is taken, what is not is refused.

The format is that of KIP-98, as Apache Kafka's documentation has it under "Record Batch".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import cramjam

from schemas import codec
from schemas.codec import KEY_BYTES

MAX_INFLATED = 8 * 2**20
"""Bytes of a batch's records; a topic of ours takes 1 MiB a batch, so that what grows eightfold is no letter's data."""
MAX_HEADERS = 2 * codec.MAX_HEADERS
"""More than any record of the gate's own has, which passes a platform's headers on with a dozen of its own."""
MAX_RECORDS = 2**20
"""A batch that says it has more says something else with the same bytes."""

HEAD = struct.Struct(">qiibIhiqqqhii")
FRAME = 12
CODEC, _APPEND_TIME, CONTROL = 0x07, 0x08, 0x20
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_ABORT, _COMMIT = b"\0\0\0\0", b"\0\0\0\1"
"""Keys of markers: a version and a type."""
_XERIAL = b"\x82SNAPPY\x00"


class RefusedHeader(str):
    """The name of the one header of a record that could not be taken: the fault. Its value is a SHA-256."""

    __slots__ = ()


class Headerwide(RefusedHeader):
    """The fault of a record's headers alone: key and value are there."""

    __slots__ = ()


class Batchwide(RefusedHeader):
    """The fault of a whole batch, or of the rest of one: not even keys can be told. Behind `/` its first offset."""

    __slots__ = ()


class Fault(Exception):
    """Why a batch cannot be read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A record as both clients' fetchers take it from a batch."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    checksum: None = None
    size_in_bytes: int = 0

    def validate_crc(self) -> bool:
        """True: a batch has one checksum, and it was looked at."""
        return True

    @property
    def abort(self) -> bool:
        """Whether it is the marker of a transaction that was aborted."""
        return self.key == _ABORT


class BatchHeader(NamedTuple):
    """What stands before the records of a batch."""

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
        """Reads the head of a batch, whose first bytes these are."""
        return cls(*HEAD.unpack_from(raw))


def length_at(data: memoryview, at: int) -> int:
    """How many bytes follow the frame of the batch that begins there, as it says itself."""
    length: int = struct.unpack_from(">i", data, at + 8)[0]
    return length


def marker(raw: bytes) -> Taken | None:
    """The record of a batch that looks like a transaction's end, whatever its checksum says; else None."""
    head = BatchHeader.of(raw)
    found = list(read(raw, head)) if head.records == 1 and not head.last_delta else []
    return found[0] if found and found[0].key in (_ABORT, _COMMIT) else None


def framed(raw: bytes) -> int:
    """How many records follow one another up to the end of a batch, by their lengths alone; 0 if none do."""
    count, at = 0, HEAD.size
    while at < len(raw):
        try:
            length, at = _varint(raw, at)
        except (IndexError, ValueError):
            return 0
        count, at = count + 1, at + max(length, 0)
    return count if at == len(raw) else 0


def inflated(raw: bytes) -> bytes:
    """A compressed batch as one that is not, its checksum left as it was.

    Raises Fault: `batch_too_long` where the records take more than MAX_INFLATED, `batch_unreadable` for all else.
    """
    head = BatchHeader.of(raw)
    codec, payload = head.attributes & CODEC, raw[HEAD.size :]
    try:
        records = _snappy(payload) if codec == _SNAPPY else _framed(codec, payload)
    except Fault:
        raise
    except Exception:  # whatever a codec's library raises on foreign bytes, it must not stop the reader
        raise Fault("batch_unreadable") from None
    length = HEAD.size - FRAME + len(records)
    return HEAD.pack(*head._replace(length=length, attributes=head.attributes & ~CODEC)) + records


def _framed(codec: int, payload: bytes) -> bytes:
    library = {_GZIP: cramjam.gzip, _LZ4: cramjam.lz4, _ZSTD: cramjam.zstd}[codec]
    for room in (min(16 * len(payload), MAX_INFLATED), MAX_INFLATED):
        into = bytearray(room)
        try:
            return bytes(memoryview(into)[: library.decompress_into(payload, into)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
    raise Fault("batch_too_long")


def _snappy(payload: bytes) -> bytes:
    """Returns what is in one block (librdkafka) or in blocks behind a header of their own (Java)."""
    blocks = [payload]
    if payload.startswith(_XERIAL):
        blocks, at = [], 16
        while at < len(payload):
            size: int = struct.unpack_from(">i", payload, at)[0]
            if size < 0 or at + 4 + size > len(payload):
                raise Fault("batch_unreadable")
            blocks.append(payload[at + 4 : at + 4 + size])
            at += 4 + size
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > MAX_INFLATED:
        raise Fault("batch_too_long")
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def read(plain: bytes, head: BatchHeader) -> Iterator[Taken]:
    """Yields the records of an uncompressed batch one by one, as far as each says where the next begins.

    One that cannot be read inside is refused, with its key where that can be told.
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


def _opening(plain: bytes, at: int) -> tuple[int, int, int]:
    """Offset and timestamp of a record, as distances from the batch's, and where its key begins."""
    stamp, at = _varint(plain, at + 1)  # behind a byte of attributes that has no meaning yet
    delta, at = _varint(plain, at)
    return delta, stamp, at


def _headers(plain: bytes, at: int, end: int, value: bytes | None) -> Sequence[tuple[str, bytes | None]]:
    """A record's headers, or the one that says what is wrong with them."""
    found: list[tuple[str, bytes | None]] = []
    try:
        count, at = _varint(plain, at)
        if count > MAX_HEADERS:
            return _said(Headerwide("headers_too_many"), value or b"")
        for _ in range(count):
            name, at = _bytes(plain, at, end)
            held, at = _bytes(plain, at, end)
            found.append(((name or b"").decode(), held))
    except (Fault, IndexError, ValueError):
        return _said(Headerwide("header_not_text"), value or b"")
    return found


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
    """Reads one number in Kafka's zigzag spelling; returns it and where the next thing begins."""
    value = shift = 0
    while shift < 64:
        byte = plain[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise ValueError("varint")
