"""The log's line about what was decided: its numbers, and when there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from streams.worker import decided_line
from streams.worker.decided_line import IDLE_SECONDS, MOST_TIMES, DecidedLine


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


@pytest.mark.parametrize(("passed", "due"), [(IDLE_SECONDS - 1, False), (IDLE_SECONDS, True)])
def test_nothing_is_decided_then_a_line_is_due_once_an_hour(passed: float, due: bool) -> None:
    clock = Clock()
    line = DecidedLine(clock)
    clock.at += passed
    assert line.due is due
    assert line.take() == {"n": 0, "clear": 0, "confirm": 0, "review": 0, "block": 0}
    assert not line.due


def test_more_than_anybody_needs_for_a_percentile_then_memory_is_bounded() -> None:
    line = DecidedLine(Clock())
    line.add({("clear", "", "", ""): 2 * MOST_TIMES}, [1.0] * MOST_TIMES + [2.0] * MOST_TIMES)
    assert line.take()["p50_seconds"] == 2


def test_a_stop_while_the_lag_is_asked_then_the_last_line_has_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decided_line, "LINE_SECONDS", 0.0)

    async def go() -> None:
        asked = asyncio.Event()

        async def lag() -> dict[str, Any]:
            asked.set()
            return await asyncio.Future()

        line = DecidedLine()
        line.add({("clear", "", "", ""): 3}, [0.5])
        telling = asyncio.create_task(decided_line.tell(line, lag))
        await asked.wait()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    with capture_logs() as logs:
        asyncio.run(go())
    assert [(one["event"], one["n"]) for one in logs] == [("decided", 3)]
