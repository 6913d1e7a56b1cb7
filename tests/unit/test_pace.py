"""The pace: chunks as large as this machine judges in a moment, learnt from what judging took."""

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


def test_given_one_slow_chunk_then_the_pace_comes_back() -> None:
    pace = Pace()
    pace.observe(100, 5.0)
    slow = pace.records
    for _ in range(50):
        pace.observe(pace.records, pace.records * 0.0001)
    assert slow < 20
    assert 450 <= pace.records <= 500
