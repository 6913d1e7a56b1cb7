"""The readable records of any batch are handed out, the others are refused, and nothing raises."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

import aiokafka
import aiokafka.consumer.fetcher as asynchronous_fetcher
import aiokafka.record.memory_records as asynchronous
import cramjam
import kafka
import kafka.consumer.fetcher as synchronous_fetcher
import kafka.record.memory_records as synchronous
import pytest
from aiokafka.record._crc32c import crc as checksum

from streams.client.batches import Batches, refusal
from streams.client.compression import MAX_INFLATED
from streams.client.fetched_records import FetchedRecords, Search
from streams.client.record_batch import MAX_HEADERS

CLIENTS = pytest.mark.parametrize(
    "library", [asynchronous.MemoryRecords, synchronous.MemoryRecords], ids=["aiokafka", "kafka-python"]
)
CODECS: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "gzip": (1, cramjam.gzip.compress),
    "snappy": (2, cramjam.snappy.compress_raw),
    "snappy of Java": (2, lambda records: b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + _blocks(records)),
    "lz4": (3, cramjam.lz4.compress),
    "zstd": (4, cramjam.zstd.compress),
}
Header = tuple[bytes, bytes | None]


def _blocks(records: bytes) -> bytes:
    parts = [records[at : at + 100] for at in range(0, len(records), 100)]
    packed = [bytes(cramjam.snappy.compress_raw(part)) for part in parts]
    return b"".join(struct.pack(">i", len(one)) + one for one in packed)


def varint(number: int) -> bytes:
    value, found = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def record(delta: int, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> bytes:
    written = b"".join(_sized(name) + _sized(held) for name, held in headers)
    inside = b"\x00" + varint(0) + varint(delta) + _sized(key) + _sized(value) + varint(len(headers)) + written
    return varint(len(inside)) + inside


def batch(records: Sequence[bytes], *, base: int = 7, codec: str | None = None, control: bool = False) -> bytes:
    number, pack = CODECS[codec] if codec else (0, bytes)
    number |= 0x38 if control else 8
    said = struct.pack(">hiqqqhii", number, len(records) - 1, 0, 1_000, 77 if control else -1, -1, -1, len(records))
    covered = said + bytes(pack(b"".join(records)))
    return struct.pack(">qiibI", base, len(covered) + 9, 0, 2, checksum(covered)) + covered


def read(library: Any, data: bytes) -> list[Any]:
    """Returns all records as a client's fetcher would take them."""
    found, batches = [], Batches(library, data)
    while batches.has_next():
        one = batches.next_batch()
        assert one.validate_crc()
        found += list(one)
        assert one.next_offset > (found[-1].offset if found else -1)
    return found


def told(records: Iterable[Any]) -> list[tuple[int, bytes | None, bytes | None, str | None]]:
    refused = [(one, refusal(one.headers)) for one in records]
    return [(one.offset, one.key, one.value, why.fault if why else None) for one, why in refused]


THREE = [record(number, b"K%d" % number, b"V" * 300, [(b"h", b"1")]) for number in range(3)]
AS_SENT = [(7 + number, b"K%d" % number, b"V" * 300, None) for number in range(3)]


@CLIENTS
@pytest.mark.parametrize("codec", [None, *CODECS])
def test_any_codec_then_every_record_is_read(library: Any, codec: str | None) -> None:
    found = read(library, batch(THREE, codec=codec) + batch(THREE, base=10) + b"\x00" * 20)
    assert told(found)[:3] == AS_SENT
    assert [one.offset for one in found] == [7, 8, 9, 10, 11, 12]
    assert [tuple(one.headers) for one in found[:3]] == [(("h", b"1"),)] * 3
    assert {one.timestamp for one in found} == {1_000}


@CLIENTS
@pytest.mark.parametrize(
    ("headers", "fault"),
    [([(b"\xff\xfe", b"x")], "header_not_text"), ([(b"n", None)] * (MAX_HEADERS + 1), "headers_too_many")],
    ids=["not text", "one too many"],
)
def test_hostile_headers_then_they_are_gone_and_the_record_is_there(
    library: Any, headers: list[Header], fault: str
) -> None:
    found = read(library, batch([THREE[0], record(1, b"K1", b"value", headers), THREE[2]]))
    assert told(found) == [AS_SENT[0], (8, b"K1", b"value", fault), AS_SENT[2]]
    assert len(found[1].headers) == 1
    refused = refusal(found[1].headers)
    assert refused
    assert (refused.what, refused.sha256) == ("headers", sha256(b"value").hexdigest())


@CLIENTS
@pytest.mark.parametrize(
    ("inside", "key"), [(_sized(b"K1") + varint(900), b"K1"), (b"\xff" * 12, None)], ids=["value", "number"]
)
def test_a_record_broken_inside_then_its_neighbours_are_read(library: Any, inside: bytes, key: bytes | None) -> None:
    broken = b"\x00" + varint(0) + varint(1) + inside
    found = told(read(library, batch([THREE[0], varint(len(broken)) + broken, THREE[2]])))
    assert found == [AS_SENT[0], (8, key, None, "record_unreadable"), AS_SENT[2]]


@CLIENTS
@pytest.mark.parametrize("codec", ["gzip", "zstd", "snappy"])
def test_a_batch_that_inflates_beyond_the_bound_then_only_the_next_is_read(library: Any, codec: str) -> None:
    bomb = batch([record(0, b"K", bytes(3 * MAX_INFLATED)), record(1, b"L", b"V")], codec=codec)
    assert len(bomb) < 2**20 + 2**18
    found = read(library, bomb + batch(THREE, base=9))
    assert told(found) == [
        (7, None, None, "batch_too_long"),
        (8, None, None, "batch_too_long"),
        *((offset + 2, *rest) for offset, *rest in AS_SENT),
    ]
    why = [refusal(one.headers) for one in found[:2]]
    assert all(one and (one.what, one.base) == ("batch", 7) and one.sha256 == sha256(bomb).hexdigest() for one in why)


@CLIENTS
@pytest.mark.parametrize("place", [16, 22, 25, 60, 300])
@pytest.mark.parametrize("bit", [0x02, 0x40])
def test_a_bit_that_flipped_then_nothing_of_the_batch_is_believed(library: Any, place: int, bit: int) -> None:
    good = bytearray(batch(THREE))
    good[place] ^= bit  # 16: the format; 22: attributes; 25: how far its last offset is; 60: its number of records
    found = told(read(library, bytes(good) + batch(THREE, base=10)))
    assert [one for one in found if one[0] < 10] == [(offset, None, None, "batch_corrupt") for offset in (7, 8, 9)]
    assert [one[0] for one in found if one[0] >= 10] == [10, 11, 12]
    assert [one[0] for one in told(read(library, bytes(good)))] == [7, 8, 9], "also where it is the last one"


MARKER = record(0, b"\0\0\0\0", b"\0\0\0\0\0\0")  # of an abort


def through_the_fetcher(name: str, data: bytes) -> list[tuple[int, bytes | None]]:
    """Returns what a client's own fetcher hands out of committed records."""
    tp = (aiokafka if name == "aiokafka" else kafka).TopicPartition("t", 0)
    library = asynchronous.MemoryRecords if name == "aiokafka" else synchronous.MemoryRecords
    batches = Batches(library, data)
    if name == "aiokafka":
        found = asynchronous_fetcher.PartitionRecords(tp, batches, [], 7, None, None, True, 1)
    elif name == "kafka-python":
        kind = synchronous_fetcher.Fetcher.PartitionRecords
        found = kind(7, tp, batches, isolation_level=kafka.IsolationLevel.READ_COMMITTED).record_iterator
    else:
        found = fetched(data).take()
    return [(one.offset, one.value) for one in found]


def fetched(data: bytes, *wanted: bytes, aborted: Sequence[Any] = ()) -> FetchedRecords:
    """Returns a fetch's records as the commands take them."""
    search, tp = Search(), kafka.TopicPartition("mail.review.v1", 0)
    search.wanted = wanted
    batches = Batches(synchronous.MemoryRecords, data)
    level = kafka.IsolationLevel.READ_COMMITTED
    return FetchedRecords(search, 7, tp, batches, isolation_level=level, aborted_transactions=aborted)


@pytest.mark.parametrize("name", ["aiokafka", "kafka-python", "commands"])
def test_markers_and_batches_with_any_bit_flipped_then_the_fetcher_goes_on(name: str) -> None:
    marker = batch([MARKER], base=10, control=True)
    whole = batch(THREE) + marker + batch(THREE, base=11)
    expected = [(offset, b"V" * 300) for offset in (7, 8, 9, 11, 12, 13)]
    assert through_the_fetcher(name, whole) == expected
    first = len(batch(THREE))
    for at in [*range(16, first, 7), *range(first + 16, first + len(marker))]:  # offset and length have no checksum
        for bit in (0, 3, 7):
            changed = bytearray(whole)
            changed[at] ^= 1 << bit
            found = through_the_fetcher(name, bytes(changed))
            assert found[-3:] == expected[-3:], (at, bit)
            if at < first:
                assert [offset for offset, _ in found[:-3]] in ([7, 8, 9], [7, 8, 9, 10]), (at, bit)


@CLIENTS
@pytest.mark.parametrize("codec", [None, *CODECS])
def test_bytes_changed_at_random_then_offsets_are_in_order_and_nothing_raises(library: Any, codec: str | None) -> None:
    chance = random.Random(15)
    for _ in range(50):
        changed = bytearray(batch(THREE, codec=codec))
        for _ in range(chance.randrange(1, 6)):
            changed[chance.randrange(61, len(changed))] = chance.randrange(256)
        covered = bytes(changed[21:])
        data = bytes(changed[:17]) + struct.pack(">I", checksum(covered)) + covered
        offsets = [one.offset for one in read(library, data)]
        assert offsets == [7, 8, 9]
