"""At most fifty transactions a second leave, with a hundred chunks at most, and a lone chunk leaves at once."""

import asyncio
from random import Random

from streams.worker.departures import CHUNKS, TRANSACTIONS, Departures
from tests.simulation.loop import run

EARLY = 6
"""Transactions that may leave together after a quiet time, the next one included."""


def departed(pauses: list[float], partitions: int) -> list[float]:
    """Returns when the chunks of so many partitions left, each `pauses` after its last one."""

    async def work() -> list[float]:
        loop, departures, times = asyncio.get_running_loop(), Departures(), list[float]()

        async def partition() -> None:
            for pause in pauses:
                await asyncio.sleep(pause)
                await departures.next()
                times.append(loop.time())

        await asyncio.gather(*(partition() for _ in range(partitions)))
        return times

    found: list[float] = run(work, Random(1))
    return found


def test_given_any_number_of_partitions_then_few_transactions_and_chunks_a_second():
    for partitions in (1, 2, 4, 32):
        times = departed([0.0] * 200, partitions)
        for most, what in ((CHUNKS, times), (TRANSACTIONS, sorted({*times[EARLY:]}))):
            room = EARLY * (partitions if most == CHUNKS else 1)
            for first, later in zip(what, what[most + room :], strict=False):
                assert later - first > 0.999


def test_given_partitions_that_are_busy_then_all_of_them_leave_together():
    times = departed([0.0] * 100, 4)
    assert {times.count(time) for time in times[50:-50]} == {4}


def test_given_a_lone_chunk_then_it_leaves_at_once():
    assert departed([0.02] * 100, 1)[-1] < 2.0001


def test_given_a_few_chunks_together_after_a_pause_then_they_leave_at_once():
    assert departed([1.0], 4) == [1.0] * 4
