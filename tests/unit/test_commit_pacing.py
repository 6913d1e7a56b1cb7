"""Transactions leave at most fifty times a second, and a lone one at once."""

import asyncio
from random import Random

from streams.worker.commit_pacing import A_SECOND, AT_ONCE, CommitPacing
from tests.simulation.loop import run


def departed(pauses: list[float], partitions: int) -> list[float]:
    """Returns when the transactions of so many partitions left, each `pauses` after its last one."""

    async def work() -> list[float]:
        loop, commit_pacing, times = asyncio.get_running_loop(), CommitPacing(), list[float]()

        async def partition() -> None:
            for pause in pauses:
                await asyncio.sleep(pause)
                await commit_pacing.next()
                times.append(loop.time())

        await asyncio.gather(*(partition() for _ in range(partitions)))
        return times

    found: list[float] = run(work, Random(1))
    return found


def test_given_any_number_of_partitions_then_at_most_fifty_transactions_a_second():
    for partitions in (1, 4, 32):
        times = departed([0.0] * 400, partitions)
        for first, later in zip(times, times[A_SECOND + AT_ONCE :], strict=False):
            assert later - first > 0.999


def test_given_a_lone_chunk_then_it_leaves_at_once():
    assert departed([0.02] * 100, 1)[-1] < 2.0001
