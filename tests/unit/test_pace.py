"""The pace: chunks as large as this machine judges in a moment, learnt from what judging took."""

from streams.worker.chunks import CHUNK_RECORDS
from streams.worker.intake import STEP_SECONDS, Pace


def paced(cost: float, chunks: int = 50) -> int:
    """Returns the records of a chunk once so many were judged at that cost, in seconds a record."""
    pace = Pace()
    for _ in range(chunks):
        pace.observe(pace.records, pace.records * cost)
    return pace.records


def test_given_what_a_record_costs_then_a_chunk_takes_a_step_of_the_processor() -> None:
    for cost in (0.0001, 0.001, 0.01):
        assert 0.8 * STEP_SECONDS <= paced(cost) * cost <= 1.1 * STEP_SECONDS


def test_a_fast_machine_or_one_that_is_too_slow_then_a_chunk_is_whole_or_one_record() -> None:
    assert paced(1e-9) == CHUNK_RECORDS
    assert paced(10.0) == 1


def test_given_a_chunk_without_records_then_it_tells_nothing() -> None:
    pace = Pace()
    before = pace.records
    pace.observe(0, 5.0)
    assert pace.records == before


def test_given_one_slow_chunk_then_the_pace_comes_back() -> None:
    pace = Pace()
    pace.observe(100, 5.0)
    slow = pace.records
    for _ in range(50):
        pace.observe(pace.records, pace.records * 0.0001)
    assert slow < 20
    assert 450 <= pace.records <= 500
