"""The records of a fetch for the commands, made at once in the product's form. On demand only those that match.

kafka-python parses records in Python, and copies each into a tuple of thirteen fields. Here aiokafka's parser in C
reads the batches. A batch without a match is skipped before its records are parsed.

Private names used: `Fetcher.PartitionRecords` of kafka-python, with its attributes and `_unpack_records`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from aiokafka.record.memory_records import MemoryRecords
from kafka.consumer.fetcher import Fetcher

from gatekeeper.ground.errors import IntegrityError
from schemas.record import Headers, Record, Refusal
from schemas.topics import logical_name
from streams.client.batches import Batches, FetchedBatch, refusal
from streams.client.record_batch import ABORT, Fault, Stored


class Search:
    """Bytes of which records must contain some, in key, value or a header, to be handed out. Without any, all are."""

    wanted: Collection[bytes] = ()


class FetchedRecords(Fetcher.PartitionRecords):
    """Committed records of one partition in a fetch's answer, in the form of `schemas.record.Record`.

    `search`: of the reader, which sets it anew for each read. Unreadable records may be handed out without a match.
    """

    def __init__(self, search: Search, fetch_offset: int, tp: Any, records: Batches, **more: Any) -> None:
        self._search = search
        super().__init__(fetch_offset, tp, records.parsed_by(MemoryRecords), **more)

    def _unpack_records(self, tp: Any, records: Batches, *_: object) -> Iterator[Any]:
        topic, partition = logical_name(tp.topic), tp.partition
        while (batch := records.next_batch()) is not None:
            self.leader_epoch = batch.leader_epoch
            if self._committed(batch):
                yield from self._records(batch, topic, partition)
            self.next_fetch_offset = batch.next_offset
        self.drain()

    def _records(self, batch: FetchedBatch, topic: str, partition: int) -> Iterator[Any]:
        search = self._search
        for taken in batch if not search.wanted or batch.contains(search.wanted) else ():
            self.next_fetch_offset = taken.offset + 1
            headers, refused = _headers(taken.headers) if taken.headers else ((), None)
            record = Record(topic, partition, taken.offset, taken.timestamp, taken.key, taken.value, headers, refused)
            wanted = search.wanted  # the rest of a batch may be handed out to another read
            if not wanted or refused or _contains(record, wanted):
                self.bytes_read += len(record.value or b"")
                yield record

    def _committed(self, batch: FetchedBatch) -> bool:
        """True if the batch has records of producers that were committed; follows the markers of transactions."""
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if batch.is_control_batch:
                if next(batch).key == ABORT:
                    self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch


class StoredRecords(FetchedRecords):
    """The same records in the bytes in which the broker has them, as `record_batch.Stored`."""

    def _records(self, batch: FetchedBatch, topic: str, partition: int) -> Iterator[Stored]:
        try:
            for record in batch.stored():
                self.next_fetch_offset = record.offset + 1
                self.bytes_read += len(record.body)
                yield record
        except Fault as fault:
            where = {"topic": topic, "partition": partition, "offset": batch.base_offset}
            raise IntegrityError("error.backup_unreadable", **where, detail=fault) from None


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, Refusal | None]:
    if refused := refusal(headers):
        return (), refused
    return tuple([(name, b"" if value is None else value) for name, value in headers]), None


def _contains(record: Record, wanted: Collection[bytes]) -> bool:
    held = (record.key, record.value, *(value for _, value in record.headers))
    return any(term in part for part in held if part for term in wanted)
