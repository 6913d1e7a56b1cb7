"""Record batches as a fetch returns them: whatever is in one, its readable records are read and the others refused.

Both clients read the bytes of a fetch through a class `MemoryRecords`; `install` puts `Batches` in its place. It
inflates within a bound, leaves the parsing to the client's own code, and where that raises it reads the batch itself,
record by record. A record that cannot be taken arrives with one header, named by a `Refused`: no producer can make one.

Private names used: `aiokafka.consumer.fetcher.MemoryRecords`, `kafka.consumer.fetcher.MemoryRecords`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from types import ModuleType
from typing import Any

from schemas.codec import KEY_BYTES, headers_fault
from schemas.record import Refusal
from streams.client.record_batch import (
    CODEC,
    CONTROL,
    FRAME,
    HEAD,
    MAGIC,
    MAX_RECORDS,
    Batchwide,
    Fault,
    Head,
    Refused,
    Taken,
    inflated,
    length_at,
    read,
)

log = logging.getLogger(__name__)


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
        if len(raw) < HEAD.size or raw[MAGIC] != 2 or Head.of(raw).attributes & CONTROL:
            return self._library(raw).next_batch()  # a marker, or no format that a broker of today sends
        return Batch(self._library, raw)

    def _end(self) -> int | None:
        if len(self._data) - self._at < FRAME:
            return None
        length = length_at(self._data, self._at)
        end = self._at + FRAME + length
        return end if length > 0 and end <= len(self._data) else None


class Batch:
    """One batch: its own reading of what its client cannot read, all else as the client's class has it."""

    def __init__(self, library: Callable[[bytes], Any], raw: bytes) -> None:
        self._raw, self._plain, self._fault = raw, raw, ""
        self._head = Head.of(raw)
        self._batch = library(raw).next_batch()
        if not self._batch.validate_crc():
            self._fault = "batch_corrupt"
        elif self._head.attributes & CODEC:
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
        following, end = self._head.base_offset, self.next_offset
        whole = bool(self._fault) or self._head.records == self._head.last_delta + 1
        for record in () if self._fault else self._readable():
            if not following <= record.offset < end:  # no order that a batch can have
                whole = True
                break
            if whole:  # no compaction has taken any out
                yield from self._missing(following, record.offset)
            yield record
            following = record.offset + 1
        if whole:
            yield from self._missing(following, end)

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
