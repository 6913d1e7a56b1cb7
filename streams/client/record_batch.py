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

from schemas.codec import KEY_BYTES, headers_fault

MAX_INFLATED = 8 * 2**20
"""Bytes of a batch's records; a topic of ours takes 1 MiB a batch, so that what grows eightfold is no letter's data."""
MAX_RECORDS = 2**20
"""A batch that says it has more says something else with the same bytes."""

HEAD = struct.Struct(">qiibIhiqqqhii")
MAGIC, FRAME = 16, 12
CODEC, _APPEND_TIME, CONTROL = 0x07, 0x08, 0x20
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_XERIAL = b"\x82SNAPPY\x00"


class Refused(str):
    """The name of the one header of a record that could not be taken: the fault. Its value is a SHA-256."""

    __slots__ = ()


class Batchwide(Refused):
    """The fault of a whole batch, or of the rest of one: not even the records' keys can be told."""

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
        """Returns True: a batch has one checksum, and it was looked at."""
        return True


class Head(NamedTuple):
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
    def of(cls, raw: bytes) -> Head:
        """Reads the head of a batch, whose first bytes these are."""
        return cls(*HEAD.unpack_from(raw))


def length_at(data: memoryview, at: int) -> int:
    """Returns how many bytes follow the frame of the batch that begins there, as it says itself."""
    length: int = struct.unpack_from(">i", data, at + 8)[0]
    return length


def inflated(raw: bytes) -> bytes:
    """Returns a compressed batch as one that is not, its checksum left as it was.

    Raises Fault: `batch_too_long` where the records take more than MAX_INFLATED, `batch_unreadable` for all else.
    """
    head = Head.of(raw)
    codec, payload = head.attributes & CODEC, raw[HEAD.size :]
    try:
        records = _snappy(payload) if codec == _SNAPPY else _framed(codec, payload)
    except Fault:
        raise
    except Exception:
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


def read(plain: bytes, head: Head) -> Iterator[Taken]:
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
        try:
            key, rest = _bytes(plain, rest, at)
            value, rest = _bytes(plain, rest, at)
            headers: Sequence[tuple[str, bytes | None]] = tuple(_headers(plain, rest, at))
        except Exception as error:
            fault = str(error) if isinstance(error, Fault) else "record_unreadable"
            value, headers = None, ((Refused(fault), sha256(plain[begin:at]).hexdigest().encode()),)
            key = key if key is None or len(key) <= KEY_BYTES else None
        yield Taken(offset, timestamp, 1, key, value, headers)


def _opening(plain: bytes, at: int) -> tuple[int, int, int]:
    """Returns offset and timestamp of a record, as distances from the batch's, and where its key begins."""
    stamp, at = _varint(plain, at + 1)  # behind a byte of attributes that has no meaning yet
    delta, at = _varint(plain, at)
    return delta, stamp, at


def _headers(plain: bytes, at: int, end: int) -> Iterator[tuple[str, bytes | None]]:
    count, at = _varint(plain, at)
    found: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _bytes(plain, at, end)
        value, at = _bytes(plain, at, end)
        try:
            found.append(((name or b"").decode(), value))
        except UnicodeDecodeError:
            raise Fault("header_not_text") from None
        if fault := headers_fault(found):
            raise Fault(fault)
    if at != end:
        raise Fault("record_unreadable")
    yield from found


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
