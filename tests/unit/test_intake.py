"""Batches from chunks that are contiguous, and the credit for what waits; gaps are tested on Kafka."""

import asyncio

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.settings import Settings
from streams.worker.chunks import CHUNK_BYTES, CHUNK_RECORDS, CREDIT_BYTES, CREDIT_RECORDS, Chunk, Credit, runs
from streams.worker.clients import Clients
from streams.worker.intake import InputRange, Intake
from streams.worker.offsets import Probe

TP = TopicPartition("t", 0)


def record(offset: int, size: int) -> ConsumerRecord:
    return ConsumerRecord("t", 0, offset, 0, 1, None, b"x" * size, None, 0, size, ())


async def batches(records: list[ConsumerRecord], *, begin: int = 0) -> tuple[list[InputRange], Credit]:
    async def seek(partition: int, offset: int) -> None:
        assert (partition, offset) == (0, begin), "contiguous records need no step back"

    credit = Credit()
    clients = Clients(Settings(broker="127.0.0.1:1"))
    intake = Intake(TP, Probe(clients.reader(), clients.ends()), credit, seek, asyncio.Event())
    await intake.begin(begin)
    for run in runs(records):
        chunk = Chunk("t", 0, run, 1)
        credit.take(chunk)
        intake.offer(chunk)
    found = []
    while intake.waiting:
        batch = await intake.next_batch()
        intake.written(batch)
        found.append(batch)
    return found, credit


def check(found: list[InputRange], first: int, last: int) -> None:
    offsets = [r.offset for batch in found for r in batch.records]
    assert offsets == list(range(first, last + 1)), "every record once, in order"
    assert all(batch.start <= batch.records[0].offset and batch.to == batch.records[-1].offset + 1 for batch in found)
    assert [batch.start for batch in found[1:]] == [batch.to for batch in found[:-1]]
    assert all(len(batch.records) <= CHUNK_RECORDS for batch in found)
    assert all(sum(len(r.value) for r in batch.records) <= CHUNK_BYTES for batch in found)


def test_given_many_small_records_then_a_batch_takes_all_that_wait_up_to_its_bound():
    found, credit = asyncio.run(batches([record(i, 10) for i in range(2_500)]))
    check(found, 0, 2_499)
    assert [len(batch.records) for batch in found] == [1_000, 1_000, 500]
    assert credit.has(0)


def test_given_large_records_or_a_gap_then_runs_are_bounded_and_end_before_it():
    found = runs(record(i, CHUNK_BYTES // 3 + 1) for i in (0, 1, 2, 3, 7))
    assert [[one.offset for one in run] for run in found] == [[0, 1], [2, 3], [7]]


def test_given_credit_spent_in_records_or_bytes_then_none_until_it_is_given_back():
    async def spend(chunk: Chunk) -> None:
        credit = Credit()
        credit.take(chunk)
        assert (credit.has(0), credit.has(1)) == (False, True)
        credit.regained.clear()
        credit.give(0, len(chunk.records), chunk.size)
        assert credit.has(0)
        assert credit.regained.is_set()

    asyncio.run(spend(Chunk("t", 0, tuple(record(i, 1) for i in range(CREDIT_RECORDS)), 1)))
    asyncio.run(spend(Chunk("t", 0, (record(0, CREDIT_BYTES),), 1)))


def test_given_records_taken_before_then_they_are_dropped():
    found, credit = asyncio.run(batches([record(i, 10) for i in range(100)], begin=60))
    check(found, 60, 99)
    assert credit.has(0)


def test_batch_cut_at_a_record_then_both_parts_hold_all_records_and_holes_of_it() -> None:
    whole = InputRange(
        3, 20, (record(5, 1), record(6, 1), record(9, 1), record(15, 1)), ((3, 2), (7, 2), (10, 5), (16, 4))
    )
    for place in (5, 6, 9, 15):
        before, rest = whole.cut(place)
        assert (before.start, before.to, rest.start, rest.to) == (3, place, place, 20)
        assert before.records + rest.records == whole.records
        assert before.gaps + rest.gaps == whole.gaps
        assert rest.records[0].offset == place
        for part in (before, rest):
            assert len(part.records) + sum(length for _, length in part.gaps) == part.to - part.start
