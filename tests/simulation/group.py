"""The consumer group's coordinator: who is there, and which partitions each has."""

from __future__ import annotations

import asyncio
from random import Random

from tests.simulation.worker import Worker

SESSION_SECONDS = 10.0
REBALANCE_SECONDS = 10.0
LOOK_SECONDS = 0.5


class Group:
    """Gives partitions to workers, and takes those of whoever is silent for longer than a session."""

    def __init__(self, workers: list[Worker], partitions: int, random: Random) -> None:
        self.workers, self.generation = workers, 0
        self.owners: dict[int, str] = {}
        self._partitions, self._random = partitions, random
        self._silent: dict[str, float] = {}
        self._members: list[Worker] = []
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Has the partitions dealt out anew."""
        self._changed.set()

    async def run(self) -> None:
        """Coordinates for ever."""
        loop = asyncio.get_running_loop()
        while True:
            for worker in self.workers:
                if not (worker.machine.dead or worker.machine.halted):
                    self._silent.pop(worker.name, None)
                    continue
                silent = loop.time() - self._silent.setdefault(worker.name, loop.time())
                if silent > SESSION_SECONDS and worker in self._members:
                    self.changed()
            if self._changed.is_set():
                self._changed.clear()
                await self._rebalance()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def heard(self, worker: Worker) -> None:
        """Tells a worker that was silent for too long that it is no member any more; it joins again."""
        if worker.up and not worker.machine.dead and worker not in self._members:
            await self._called(worker, worker.revoked())
            self.changed()

    async def _rebalance(self) -> None:
        loop = asyncio.get_running_loop()
        self.generation += 1
        there = [one for one in self.workers if one.up and not one.machine.dead]
        revoked = [one.machine.run(one.revoked()) for one in there if one in self._members and not one.machine.halted]
        until = loop.time() + REBALANCE_SECONDS
        while any(not task.done() for task in revoked) and loop.time() < until:
            await asyncio.sleep(0.02)
        self._members = [one for one in there if one.up and not one.machine.dead and not one.machine.halted]
        self.owners = {}
        if not self._members:
            return
        numbers = list(range(self._partitions))
        shares: dict[str, list[int]] = {one.name: [] for one in self._members}
        first = self._random.randrange(len(self._members))
        for number in numbers:
            shares[self._members[(first + number) % len(self._members)].name].append(number)
        for worker in self._members:
            self.owners.update(dict.fromkeys(shares[worker.name], worker.name))
            worker.machine.run(self._given(worker, shares[worker.name]))

    async def _given(self, worker: Worker, numbers: list[int]) -> None:
        try:
            await worker.assigned(numbers, self.generation)
        except Exception as error:
            worker.failed(error)

    async def _called(self, worker: Worker, work: object) -> None:
        task = worker.machine.run(work)  # type: ignore[arg-type]
        until = asyncio.get_running_loop().time() + REBALANCE_SECONDS
        while not task.done() and not worker.machine.dead and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
