"""The simulation is one: the same seed is the same history, and a planted bug is seen."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from random import Random

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.loop import run
from tests.simulation.simulation import simulate

STEPS = 150
SEEDS = 60
"""Worlds that a bug may take to be seen; most are seen in the first, in half the steps that CI simulates."""
SEEN = {
    "another_input": 6,
    "another_input_at_work": 15,
    "another_last_fact": 10,
    "another_log_of_facts": 3,
    "asked_too_early": 22,
    "asof_of_before": 2,
    "barrier_at_the_stable_end": 20,
    "clear_on_time_out": 14,
    "clock_believed": 3,
    "copy_not_continued": 22,
    "dead_letter_twice": 6,
    "ended_by_a_deposed_leader": 4,
    "forgotten_walk": 58,
    "lost_recall": 5,
    "new_facts_prove_the_former": 26,
    "retry_of_a_commit": 40,
    "same_era": 6,
    "skipped_offset": 4,
    "stale_leader": 6,
    "torn_transaction": 6,
    "uncertain_memory": 23,
    "uncommitted_entry_in_the_copy": 10,
    "weighing_raises": 2,
}
"""The world that saw a bug when it was looked up last. It is tried first, which saves the worlds before it."""


@pytest.mark.parametrize("name", BUGS)
def test_given_a_planted_bug_then_the_simulation_sees_it(name, monkeypatch):
    BUGS[name](monkeypatch)
    first = SEEN.get(name, 1)
    for seed in (*range(first, SEEDS + 1), *range(1, first)):
        if simulate(seed, STEPS).broken is not None:
            return
    pytest.fail(f"{name} went unseen for {SEEDS} seeds")


def test_given_a_seed_then_its_history_is_the_same_in_every_process():
    code = "\n".join(
        (
            "from hashlib import sha256",
            "from tests.simulation.simulation import simulate",
            "one = simulate(7, 60)",
            "print(one.digest, sha256('/'.join(one.history).encode()).hexdigest())",
        )
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_tasks_cancelled_together_then_their_order_is_the_same_wherever_they_stand():
    async def cancelled() -> list[int]:
        order: list[int] = []

        async def wait(number: int) -> None:
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                order.append(number)
                raise

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ValueError

        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                kept.extend(group.create_task(wait(number)) for number in range(20))
                group.create_task(fail())
        return order

    kept: list[asyncio.Task[None]] = []  # so that the next ones stand elsewhere
    assert len({tuple(run(cancelled, Random(1))) for _ in range(5)}) == 1


def test_given_another_seed_then_it_is_another_history():
    assert simulate(1, 20).digest != simulate(2, 20).digest
