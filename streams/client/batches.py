"""Record batches as a fetch returns them: whatever is in one, its readable records are read and the others refused.

Both clients read the bytes of a fetch through a class `MemoryRecords`; `install` puts `Batches` in its place. It
inflates within a bound, leaves the parsing to the client's own code, and where that raises it reads the batch itself,
record by record. A record that cannot be taken arrives with one header, named by a `Refused`: no producer can make one.

Private names used: `aiokafka.consumer.fetcher.MemoryRecords`, `kafka.consumer.fetcher.MemoryRecords`.
The format is Kafka's record batch of version 2 (KIP-98, Apache Kafka's documentation, "Record Batch").
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import ModuleType
from typing import Any, NamedTuple

import cramjam

from schemas.codec import KEY_BYTES, headers_fault
from schemas.record import Refusal

log = logging.getLogger(__name__)

MAX_INFLATED = 8 * 2**20
"""Bytes of a batch's records; a topic of ours takes 1 MiB a batch, so that what grows eightfold is no letter's data."""
MAX_RECORDS = 2**20
"""A batch that says it has more says something else with the same bytes."""

_HEAD = struct.Struct(">qiibIhiqqqhii")
_MAGIC, _FRAME = 16, 12
_CODEC, _APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20
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


class _Head(NamedTuple):
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


def install(fetcher: ModuleType) -> None:
    """Lets a client, by its module `consumer.fetcher`, read what it fetches as `Batches`; once is enough."""
    library = vars(fetcher)["MemoryRecords"]
    if not isinstance(library, partial):
        vars(fetcher)["MemoryRecords"] = partial(Batches, library)


def refusal(headers: Sequence[tuple[str, bytes | None]]) -> Refusal | None:
    """Returns why a record that a client of ours handed out could not be taken, None where it was."""
    name, value = headers[0] if headers else ("", b"")
    if not isinstance(name, Refused):
        return None
    return Refusal(str(name), (value or b"").decode(), whole_batch=isinstance(name, Batchwide))


class Batches:
    """The batches of one partition in a fetch's answer; has what the fetchers ask of `MemoryRecords`."""

    def __init__(self, library: Callable[[bytes], Any], data: Any) -> None:
        """`library`: the client's own class, which reads a single batch. `data`: whole batches, the last may be cut."""
        self._library = library
        self._data = memoryview(data if data is not None else b"")
        self._at = 0

    def size_in_bytes(self) -> int:
        """Returns the size of all that was fetched."""
        return len(self._data)

    def has_next(self) -> bool:
        """Returns whether a whole batch is left."""
        return self._end() is not None

    def next_batch(self) -> Any:
        """Returns the next batch, None behind the last whole one."""
        end = self._end()
        if end is None:
            return None
        raw, self._at = bytes(self._data[self._at : end]), end
        if len(raw) < _HEAD.size or raw[_MAGIC] != 2 or _Head(*_HEAD.unpack_from(raw)).attributes & _CONTROL:
            return self._library(raw).next_batch()  # a marker, or no format that a broker of today sends
        return Batch(self._library, raw)

    def _end(self) -> int | None:
        if len(self._data) - self._at < _FRAME:
            return None
        length: int = struct.unpack_from(">i", self._data, self._at + 8)[0]
        end = self._at + _FRAME + length
        return end if length > 0 and end <= len(self._data) else None


class Batch:
    """One batch: its own reading of what its client cannot read, all else as the client's class has it."""

    def __init__(self, library: Callable[[bytes], Any], raw: bytes) -> None:
        self._raw, self._plain, self._fault = raw, raw, ""
        self._head = _Head(*_HEAD.unpack_from(raw))
        self._batch = library(raw).next_batch()
        if not self._batch.validate_crc():
            self._fault = "batch_corrupt"
        elif self._head.attributes & _CODEC:
            try:
                self._plain = inflated(raw)
            except Fault as fault:
                self._fault = str(fault)
            else:
                self._batch = library(self._plain).next_batch()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    @property
    def next_offset(self) -> int:
        """The offset behind the batch. Where the checksum is wrong so may the number be: the least that it says."""
        said = [self._head.last_delta + 1]
        if self._fault == "batch_corrupt":
            said = [n for n in (self._head.last_delta + 1, self._head.records) if 0 < n <= MAX_RECORDS] or [1]
        return self._head.base_offset + min(said)

    def validate_crc(self) -> bool:
        """Returns True: a batch whose checksum is wrong is read as one that cannot be read."""
        return True

    def __iter__(self) -> Iterator[Any]:
        """Yields the batch's records in order, a refused one for each that it says it has and that cannot be read."""
        following = self._head.base_offset
        whole = bool(self._fault) or self._head.records == self._head.last_delta + 1
        for record in () if self._fault else self._readable():
            if not following <= record.offset < self.next_offset:  # no order that a batch can have
                whole = True
                break
            if whole:  # no compaction has taken any out
                yield from self._missing(following, record.offset)
            yield record
            following = record.offset + 1
        if whole:
            yield from self._missing(following, self.next_offset)

    def _readable(self) -> Iterator[Any]:
        """Yields the records as the client reads them; where that raises, the rest one by one."""
        last = -1
        try:
            for record in self._batch:
                fault = headers_fault(record.headers) if record.headers else None
                yield self._refused(record, fault) if fault else record
                last = record.offset
            return
        except Exception as error:
            log.debug("batch at %d read by record after %s", self._head.base_offset, type(error).__name__)
        yield from (record for record in read(self._plain, self._head) if record.offset > last)

    def _missing(self, begin: int, end: int) -> Iterator[Taken]:
        if begin < end:
            header = ((Batchwide(self._fault or "batch_unreadable"), sha256(self._raw).hexdigest().encode()),)
            yield from (Taken(offset, self._head.max_timestamp, 1, None, None, header) for offset in range(begin, end))

    def _refused(self, record: Any, fault: str) -> Taken:
        key = record.key if record.key is None or len(record.key) <= KEY_BYTES else None
        digest = sha256(record.value or b"").hexdigest().encode()
        return Taken(record.offset, record.timestamp, 1, key, None, ((Refused(fault), digest),))


def inflated(raw: bytes) -> bytes:
    """Returns a compressed batch as one that is not, its checksum left as it was.

    Raises Fault: `batch_too_long` where the records take more than MAX_INFLATED, `batch_unreadable` for all else.
    """
    head = _Head(*_HEAD.unpack_from(raw))
    codec, payload = head.attributes & _CODEC, raw[_HEAD.size :]
    try:
        records = _snappy(payload) if codec == _SNAPPY else _framed(codec, payload)
    except Fault:
        raise
    except Exception:
        raise Fault("batch_unreadable") from None
    length = _HEAD.size - _FRAME + len(records)
    return _HEAD.pack(*head._replace(length=length, attributes=head.attributes & ~_CODEC)) + records


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


def read(plain: bytes, head: _Head) -> Iterator[Taken]:
    """Yields the records of an uncompressed batch one by one, as far as each says where the next begins.

    One that cannot be read inside is refused, with its key where that can be told.
    """
    at, offset = _HEAD.size, head.base_offset - 1
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
