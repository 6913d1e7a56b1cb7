"""Batches of the worker are written compressed, and their size is bounded before that."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import aiokafka.record.memory_records as asynchronous
import pytest

from schemas.topics import MAX_MESSAGE_BYTES, Compression
from streams.client.batches import Batches
from streams.client.producer import BATCH_BYTES, ProducerBatch

CODECS: list[Compression] = ["uncompressed", "gzip", "zstd"]
RECORDS = [(b"P-%d" % number, b'{"v":1,"name":"%d"}' % number * 20, [("gate", b"x" * 40)]) for number in range(50)]


def written(compression: Compression) -> tuple[ProducerBatch, bytes]:
    batch = ProducerBatch("t", 3, compression)
    assert all(batch.append(*record) for record in RECORDS)
    return batch, batch.written(77, 5, 900)


def read(library: Any, data: bytes) -> Iterator[Any]:
    """Yields the batches of a fetch as our clients take them."""
    batches = Batches(library, data)
    while batch := batches.next_batch():
        yield batch


@pytest.mark.parametrize("compression", CODECS)
def test_batches_of_any_bytes_then_the_broker_takes_them_and_no_reader_inflates_more(compression: Compression) -> None:
    for value in (Random(1).randbytes(70_000), bytes(70_000)):
        batch = ProducerBatch("t", 0, compression)
        while batch.append(b"K", value):
            pass
        assert (batch.records + 1) * len(value) > BATCH_BYTES
        data = batch.written(1, 0, 0)
        assert len(data) <= MAX_MESSAGE_BYTES
        (found,) = read(asynchronous.MemoryRecords, data)
        assert [one.value for one in found] == [value] * batch.records
