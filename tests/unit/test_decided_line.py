"""The log's line about what was decided: its numbers, and when there is none."""

from __future__ import annotations

from streams.worker.decided_line import MOST_TIMES, DecidedLine


class Clock:
    at = 5.0

    def __call__(self) -> float:
        return self.at


def test_what_was_decided_then_the_line_has_it_by_verdict_and_the_next_begins_anew() -> None:
    line = DecidedLine(Clock())
    line.add({("clear", "", "postal", "marketing"): 90, ("block", "SUBJECT_OBJECTED", "email", ""): 8}, range(98))
    line.add({("clear", "", "email", "marketing"): 2}, [98, 99.12345])
    counts = {"n": 100, "clear": 92, "confirm": 0, "review": 0, "block": 8}
    assert line.take() == {**counts, "p50_seconds": 50, "p99_seconds": 99.123}
    assert not line.due
    line.add({("review", "TEMPLATE_UNKNOWN", "", ""): 1}, [0.25])
    found = line.take()
    assert (found["n"], found["review"], found["p50_seconds"], found["p99_seconds"]) == (1, 1, 0.25, 0.25)


def test_more_than_anybody_needs_for_a_percentile_then_memory_is_bounded() -> None:
    line = DecidedLine(Clock())
    line.add({("clear", "", "", ""): 2 * MOST_TIMES}, [1.0] * MOST_TIMES + [2.0] * MOST_TIMES)
    assert line.take()["p50_seconds"] == 2
