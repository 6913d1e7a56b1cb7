"""Record batches of a fetch: readable records are read, whatever the batch holds, and the others are refused.

Both clients read the bytes of a fetch through a class `MemoryRecords`; `install` puts `Batches` in its place. `Batches`
checks the checksum, inflates within a bound, and leaves the parsing to the client's own code. If that code raises,
`Batches` reads the batch itself, record by record. A refused record has one header, whose name is a `RefusedHeader`: no
producer can make one.

Private names used: `aiokafka.consumer.fetcher.MemoryRecords`, `kafka.consumer.fetcher.MemoryRecords`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from types import ModuleType
from typing import Any

from schemas.record import Record, Refusal
from streams.client.compression import inflated
from streams.client.record_batch import (
    CODEC,
    CONTROL,
    FRAME,
    HEAD,
    MAX_HEADERS,
    MAX_RECORDS,
    BatchHeader,
    Batchwide,
    Fault,
    Headerwide,
    RefusedHeader,
    Stored,
    Taken,
    framed,
    length_at,
    marker,
    read,
    stored,
)

log = logging.getLogger(__name__)

Library = Callable[[bytes], Any]
"""A client's own class `MemoryRecords`."""


def install(fetcher: ModuleType) -> None:
    """Makes a client, by its module `consumer.fetcher`, read its fetches as `Batches`; one call is enough."""
    library = vars(fetcher)["MemoryRecords"]
    if not isinstance(library, partial):
        vars(fetcher)["MemoryRecords"] = partial(Batches, library)


def refusal(headers: Sequence[tuple[str, bytes | None]]) -> Refusal | None:
    """The refused part of a record that a client of ours delivered, with its fault; None if nothing was refused."""
    name, value = headers[0] if headers else ("", b"")
    if not isinstance(name, RefusedHeader):
        return None
    digest, _, base = (value or b"").decode().partition("/")
    if isinstance(name, Batchwide):
        return Refusal(str(name), digest, what="batch", base=int(base))
    return Refusal(str(name), digest, what="headers" if isinstance(name, Headerwide) else "record")


def as_record(record: Any, era: int = 0) -> Record:
    """A record that a client of ours delivered, in the product's form. `era`: as of `Record`."""
    refused = refusal(record.headers)
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=() if refused else record.headers,
        refused=refused,
        era=era,
    )


class Batches:
    """The batches of one partition in a fetch's answer, with the methods that fetchers use of `MemoryRecords`."""

    def __init__(self, library: Library, data: Any) -> None:
        """`library` reads a single batch. `data`: whole batches; the last one may be cut off."""
        self._library = library
        self._data = memoryview(data if data is not None else b"")
        self._at = 0

    def parsed_by(self, library: Library) -> Batches:
        """The same batches, read by another client's class."""
        return Batches(library, self._data)

    def size_in_bytes(self) -> int:
        """The size of the whole fetch."""
        return len(self._data)

    def has_next(self) -> bool:
        """True if a whole batch is left."""
        return self._end() is not None

    def next_batch(self) -> Any:
        """The next batch, None after the last whole one."""
        end = self._end()
        if end is None:
            return None
        raw, self._at = bytes(self._data[self._at : end]), end
        following = BatchHeader.of(bytes(self._data[end : end + HEAD.size])).base_offset if self._end() else None
        return FetchedBatch(self._library, raw, following)

    def _end(self) -> int | None:
        if len(self._data) - self._at < HEAD.size:
            return None
        end = self._at + FRAME + length_at(self._data, self._at)
        return end if self._at + HEAD.size <= end <= len(self._data) else None


class FetchedBatch:
    """One batch: its own parsing where the client's code fails, else the client's class."""

    def __init__(self, library: Library, raw: bytes, following: int | None) -> None:
        """`following`: the first offset of the next batch, if known."""
        self._raw, self._plain, self._fault, self._batch = raw, raw, "", None
        self._head, self._following = BatchHeader.of(raw), following
        try:
            self._batch = library(raw).next_batch()
            corrupt = self._head.magic != 2 or not self._batch.validate_crc()
        except Exception as error:  # an old format, which no present broker sends
            log.debug("batch at %d: %s", self._head.base_offset, type(error).__name__)
            corrupt = True
        control = bool(self._head.attributes & CONTROL)
        self._marker = marker(raw) if corrupt and control and self._batch is not None else None
        if corrupt and self._marker is None:
            self._fault = "batch_corrupt"
        elif not control and self._head.attributes & CODEC:
            try:
                self._plain = inflated(raw)
            except Fault as fault:
                self._fault = str(fault)
            else:
                self._batch = library(self._plain).next_batch()

    def __getattr__(self, name: str) -> Any:
        if self._fault == "batch_corrupt" and name in _UNKNOWN:
            return _UNKNOWN[name]  # a corrupt batch must not be skipped because of its own content
        return getattr(self._batch, name)

    def has_producer_id(self) -> bool:
        """True if a producer with an id wrote it."""
        return self._fault != "batch_corrupt" and self._head.producer_id >= 0

    def contains(self, wanted: Iterable[bytes]) -> bool:
        """True if one of these is among its inflated bytes, or if it is unreadable."""
        return bool(self._fault) or any(term in self._plain for term in wanted)

    def __next__(self) -> Any:
        """The only record of a marker."""
        assert self._batch is not None
        return self._marker or next(self._batch)

    @property
    def leader_epoch(self) -> int:
        """The epoch of the leader that took it, -1 if unknown."""
        return -1 if self._fault == "batch_corrupt" else self._head.leader_epoch

    @property
    def base_offset(self) -> int:
        """The offset of the first record."""
        return self._head.base_offset

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.next_offset - 1

    @property
    def next_offset(self) -> int:
        """The offset after the batch. If two counts differ, the one that the records confirm counts."""
        extent = self._head.last_delta + 1
        if self._fault == "batch_corrupt" and extent != self._head.records:
            confirmed = framed(self._raw)
            extent = confirmed if confirmed in (extent, self._head.records) else min(extent, self._head.records)
            extent = min(max(extent, 1), MAX_RECORDS)
        end = self._head.base_offset + extent
        return end if self._following is None else max(min(end, self._following), self._head.base_offset + 1)

    def validate_crc(self) -> bool:
        """True: a batch with a wrong checksum is handled as unreadable."""
        return True

    def stored(self) -> Iterator[Stored]:
        """Yields the records in the bytes in which the broker has them; raises Fault if the batch is unreadable."""
        if self._fault:
            raise Fault(self._fault)
        return stored(self._plain, self._head)

    def __iter__(self) -> Iterator[Any]:
        """Yields the batch's records in order, and a refused one for each record that is announced but unreadable."""
        following, end = self._head.base_offset, self.next_offset
        whole = bool(self._fault) or self._head.records == self._head.last_delta + 1
        for record in () if self._fault else self._readable():
            if not following <= record.offset < end:  # no batch can have such an order
                whole = True
                break
            if whole:  # compaction has removed none
                yield from self._missing(following, record.offset)
            yield record
            following = record.offset + 1
        if whole:
            yield from self._missing(following, end)

    def _readable(self) -> Iterator[Any]:
        """Yields the records as the client reads them; if that raises, the rest one by one."""
        last = -1
        try:
            for record in self._batch or ():
                yield _without_headers(record) if len(record.headers) > MAX_HEADERS else record
                last = record.offset
            return
        except Exception as error:
            log.debug("batch at %d read by record after %s", self._head.base_offset, type(error).__name__)
        yield from (record for record in read(self._plain, self._head) if record.offset > last)

    def _missing(self, begin: int, end: int) -> Iterator[Taken]:
        if begin < end:
            digest = f"{sha256(self._raw).hexdigest()}/{self._head.base_offset}".encode()
            header = ((Batchwide(self._fault or "batch_unreadable"), digest),)
            yield from (Taken(offset, self._head.max_timestamp, 1, None, None, header) for offset in range(begin, end))


_UNKNOWN = {
    "magic": 2,
    "producer_id": None,
    "is_transactional": False,
    "is_control_batch": False,
}


def _without_headers(record: Any) -> Taken:
    digest = sha256(record.value or b"").hexdigest().encode()
    header = ((Headerwide("headers_too_many"), digest),)
    return Taken(record.offset, record.timestamp, 1, record.key, record.value, header)
