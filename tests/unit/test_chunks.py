"""Chunks and credit, without a broker."""

import asyncio

from aiokafka import ConsumerRecord

from streams.worker.chunks import CHUNK_BYTES, CHUNK_RECORDS, CREDIT_BYTES, CREDIT_RECORDS, Chunk, Credit, runs


def record(offset: int, size: int = 10) -> ConsumerRecord:
    return ConsumerRecord("t", 0, offset, 0, 1, None, b"x" * size, None, 0, size, ())


def offsets(records) -> list[list[int]]:
    return [[r.offset for r in run] for run in runs(records)]


def test_given_a_gap_then_a_run_ends_before_it():
    assert offsets(map(record, [3, 4, 6, 9, 10])) == [[3, 4], [6], [9, 10]]


def test_given_more_than_a_chunk_then_runs_are_bounded_and_nothing_is_lost():
    found = offsets(map(record, range(2 * CHUNK_RECORDS + 1)))
    assert [len(run) for run in found] == [CHUNK_RECORDS, CHUNK_RECORDS, 1]
    assert [offset for run in found for offset in run] == list(range(2 * CHUNK_RECORDS + 1))


def test_given_large_records_then_runs_are_bounded_in_bytes():
    found = list(runs(record(i, CHUNK_BYTES // 3 + 1) for i in range(6)))
    assert [len(run) for run in found] == [2, 2, 2]


def test_given_credit_spent_in_records_or_bytes_then_none_until_it_is_given_back():
    async def spend(chunk: Chunk) -> None:
        credit = Credit()
        assert credit.has(0)
        credit.take(chunk)
        assert not credit.has(0)
        assert credit.has(1)
        credit.regained.clear()
        credit.give(0, len(chunk.records), chunk.size)
        assert credit.has(0)
        assert credit.regained.is_set()

    many = Chunk("t", 0, tuple(record(i) for i in range(CREDIT_RECORDS)), 1)
    large = Chunk("t", 0, (record(0, CREDIT_BYTES),), 1)
    asyncio.run(spend(many))
    asyncio.run(spend(large))
