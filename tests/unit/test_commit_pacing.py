"""Transactions of all partitions leave at most fifty times a second."""

import asyncio
from random import Random

from streams.worker.commit_pacing import A_SECOND, AT_ONCE, CommitPacing
from tests.simulation.loop import run


def test_given_any_number_of_partitions_then_at_most_fifty_transactions_a_second():
    for partitions in (1, 4, 32):
        times = list[float]()

        async def work(partitions: int = partitions, times: list[float] = times) -> None:
            commit_pacing = CommitPacing()

            async def partition() -> None:
                for _ in range(400):
                    await commit_pacing.next()
                    times.append(asyncio.get_running_loop().time())

            await asyncio.gather(*(partition() for _ in range(partitions)))

        run(work, Random(1))
        for first, later in zip(times, times[A_SECOND + AT_ONCE :], strict=False):
            assert later - first > 0.999
