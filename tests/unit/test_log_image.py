"""The image of a log in a file: Kafka's own batches, byte for byte, and damage that is found with its place."""

from __future__ import annotations

import io
from typing import Any

import aiokafka.record.memory_records as asynchronous
import pytest

from gatekeeper.ground.errors import IntegrityError
from schemas.topics import Compression
from streams.backup.log_image import ImageWriter, frames
from streams.client.batches import Batches
from streams.client.producer import ProducerBatch
from streams.client.record_batch import Stored

CODECS: list[Compression] = ["gzip", "zstd"]


def fetched(batch: ProducerBatch, base: int) -> list[Stored]:
    """Returns the records of a batch as a broker hands it out, from this offset on."""
    raw = base.to_bytes(8, "big") + batch.written(7, 0, 0)[8:]
    return [*Batches(asynchronous.MemoryRecords, raw).next_batch().stored()]


def image(records: list[Stored], compression: Compression = "zstd", *, gapless: bool = False) -> bytes:
    file = io.BytesIO()
    writer = ImageWriter(file, compression, gapless=gapless)
    for one in records:
        writer.add(one)
    writer.flush()
    assert writer.records == len(records)
    return file.getvalue()


@pytest.mark.parametrize("compression", CODECS)
def test_records_with_gaps_then_an_image_gives_each_at_its_offset_byte_for_byte(compression: Compression) -> None:
    batch = ProducerBatch("t", 0, compression)
    batch.append(b"k", b"v" * 500, [("h", b"x")], timestamp=1_000)
    batch.append(None, b"", [("n", None)], timestamp=5_000)  # type: ignore[list-item]
    batch.append(b"", None, timestamp=4_000)
    records = fetched(batch, 40)
    records = [records[0], records[1], records[2]._replace(offset=70)]
    assert [(one.offset, one.timestamp, one.key, one.value) for one in records] == [
        (40, 1_000, b"k", b"v" * 500),
        (41, 5_000, None, b""),
        (70, 4_000, b"", None),
    ]
    raw = image(records, compression)
    found = [*frames(io.BytesIO(raw), "f")]
    assert [(frame.base, frame.end, frame.newest) for frame in found] == [(40, 42, 5_000), (70, 71, 4_000)]
    batches: Any = Batches(asynchronous.MemoryRecords, raw)
    again = []
    while one := batches.next_batch():
        assert not one.has_producer_id()
        again += one.stored()
    assert again == records


@pytest.mark.parametrize("cut", [1, 61])
def test_an_image_that_is_cut_off_then_file_and_place_are_named(cut: int) -> None:
    raw = image([Stored(offset, 9, b"\x02k\x02v\0") for offset in (3, 8)])
    first = len(raw) // 2
    with pytest.raises(IntegrityError) as found:
        [*frames(io.BytesIO(raw[: first + cut] if first + cut < len(raw) else raw[:-1]), "topics/x/0.log")]
    assert (found.value.key, found.value.values) == ("error.backup_damaged", {"file": "topics/x/0.log", "place": first})


def test_a_flipped_bit_in_what_a_batch_says_then_it_is_refused() -> None:
    raw = image([Stored(offset, 9, b"\x02k\x02v\0") for offset in (3, 4)])
    for place in (*range(8, 12), *range(16, len(raw))):  # the offset before it is under the signed hash of the file
        damaged = raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :]
        with pytest.raises(IntegrityError, match="f"):
            [*frames(io.BytesIO(damaged), "f")]
