"""Follows whole topics on a connection of its own, without a group: every record in the order of its partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from gatekeeper.ground.errors import RestartError
from gatekeeper.ground.settings import Settings
from schemas.topics import logical_name
from streams.client.log_ends import Ends
from streams.worker.clients import Clients

VANISHED = "error.record_vanished"
"""The error of a log that is another one than the one that was read."""
READ_RECORDS = 100
"""Records held at a time, at most, of up to VALUE_BYTES each."""
POLL_MS = 20
APPLY_SECONDS = 0.01
"""Seconds of applying records before other tasks get a turn, as judging and heartbeats share the loop."""
WAIT_MS = 500
FETCH_BYTES = 4 << 20


class LogFollower:
    """Applies every committed record of topics. `names`: of the registry. Subclasses say what a record does."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        names: Sequence[str],
        *,
        value: Callable[[bytes | None], bytes | None] | None = None,
    ) -> None:
        """`value`: as for `Clients.reader`."""
        self.ends: Ends = clients.ends()
        """Finds the bounds of logs, for the owned partitions as well; runs as long as the follower does."""
        self._settings, self._clients, self._value = settings, clients, value
        self._topics = {settings.topic(name): name for name in names}
        self._positions: dict[TopicPartition, int] = {}
        self._begin: dict[TopicPartition, int] = {}
        self._moved = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Connects and begins to read; `on_failure` is called with any error that ends the reading."""
        self._reader = self._clients.reader(wait_ms=WAIT_MS, fetch_bytes=FETCH_BYTES, value=self._value)
        await asyncio.gather(self._reader.start(), self.ends.start())
        partitions = await self._partitions()
        self._begin = await self.ends.beginnings(partitions)
        self._positions = await self._starts(partitions)
        self._reader.assign(partitions)
        for tp in partitions:
            self._reader.seek(tp, self._positions[tp])
        for work in self._works():
            task = asyncio.create_task(work)
            task.add_done_callback(lambda t: None if t.cancelled() else on_failure(t.exception() or RuntimeError()))
            self._tasks.append(task)

    async def stop(self) -> None:
        """Stops reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self._reader.stop(), self.ends.stop())

    def positions(self) -> dict[str, list[int]]:
        """The next offset to apply, by registry topic and partition."""
        offsets: dict[str, list[int]] = {name: [] for name in self._topics.values()}
        for tp in sorted(self._positions):
            offsets[logical_name(tp.topic)].append(self._positions[tp])
        return offsets

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets at which reading begins."""
        return dict(self._begin)

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        """The tasks that run until the stop."""
        return [self._read()]

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Applies one record; the position is moved by the caller."""
        raise NotImplementedError

    async def _whole(self, tp: TopicPartition, records: list[Any]) -> list[Any]:
        """The records as they are to be applied."""
        return records

    async def _keep(self, now: float) -> None:
        """Called after each round. `now`: seconds of the loop's clock."""

    async def _partitions(self) -> list[TopicPartition]:
        return await self.ends.partitions(list(self._topics))

    async def _read(self) -> None:
        tps, loop = list(self._positions), asyncio.get_running_loop()
        while True:
            try:
                fetched = await self._reader.getmany(timeout_ms=POLL_MS, max_records=READ_RECORDS)
            except OffsetOutOfRangeError:
                await self._demand_there()
                continue
            began = loop.time()
            for tp, records in fetched.items():
                for record in await self._whole(tp, records):
                    self._apply(tp, record)
                    self._positions[tp] = record.offset + 1  # with the record: who looks names exactly what was applied
                    if loop.time() - began >= APPLY_SECONDS:
                        await asyncio.sleep(0)
                        began = loop.time()
            moved = bool(fetched)
            for tp in tps:  # the position also passes markers, aborted records and holes
                position = await self._reader.position(tp)
                if position != self._positions[tp]:
                    self._positions[tp], moved = position, True
            if moved:
                async with self._moved:
                    self._moved.notify_all()
            await self._keep(loop.time())
            await asyncio.sleep(0)

    async def _demand_there(self) -> None:
        """Passes if the logs still have the positions, or only a deposed leader lacked them. Raises otherwise."""
        begin, ends = await self.ends.beginnings(self._positions), await self.ends.stable(self._positions)
        for tp, position in self._positions.items():
            if not begin[tp] <= position <= ends[tp]:
                raise RestartError(VANISHED, topic=tp.topic, partition=tp.partition, offset=position)
            self._reader.seek(tp, position)  # asks the leader that was just found
