"""The acts of one partition, read beside its sends, each with the record of `review` or `sends` that it names.

The acts have a reader of their own. So sends wait neither for acts nor for the look-up of an item.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from aiokafka import TopicPartition

from gatekeeper.confirmation.code import ENTROPY_BYTES
from gatekeeper.engine.act import ActRecord
from gatekeeper.ground.settings import Settings
from schemas.record import Record
from streams.client.batches import as_record
from streams.client.log_ends import Ends
from streams.worker import offsets
from streams.worker.chunks import Chunk, Credit, runs
from streams.worker.clients import Clients, started

WAIT_MS = 500
READ_RECORDS = 200


class Acts:
    """Follower of one partition of `acts`, from the last `seek` on; hands on chunks of decoded acts."""

    def __init__(self, settings: Settings, number: int, clients: Clients, ends: Ends) -> None:
        self.tp = TopicPartition(settings.topic("acts"), number)
        self.credit = Credit()
        self._settings = settings
        self._reader = clients.reader(wait_ms=WAIT_MS)
        self._looker = offsets.Probe(clients.reader(), ends)
        self.busy = False
        """True while acts have been read but not handed on; silence is then no sign of a lost act."""
        self.era = 0
        """The era of the acts that are read; set it before `follow`."""
        self._moved, self._from = False, 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects."""
        await started(self._reader, self._looker)
        self._reader.assign([self.tp])

    def follow(self, offer: Callable[[Chunk[ActRecord]], None]) -> asyncio.Task[None]:
        """Begins to read at the position of the last `seek`; the task ends only with an error."""
        self._task = asyncio.create_task(self._read(offer), name=f"acts-{self.tp.partition}")
        return self._task

    async def seek(self, _: int, offset: int) -> None:
        """Continues at `offset`."""
        self._moved, self._from = True, offset
        self._reader.seek(self.tp, offset)

    async def stop(self) -> None:
        """Stops reading and disconnects."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(self._reader.stop(), self._looker.stop(), return_exceptions=True)

    async def _read(self, offer: Callable[[Chunk[ActRecord]], None]) -> None:
        while True:
            while not self.credit.has(self.tp.partition):
                self.credit.regained.clear()
                await self.credit.regained.wait()
            self._moved = self.busy = False
            fetched = await self._reader.getmany(self.tp, timeout_ms=WAIT_MS, max_records=READ_RECORDS)
            records = fetched.get(self.tp, [])
            self.busy = bool(records)
            acts = await self._with_items([ActRecord.of(as_record(record, self.era), _entropy()) for record in records])
            if self._moved:  # a seek came meanwhile; these records may be from before or after it
                self._reader.seek(self.tp, self._from)
                continue
            for run in runs(acts):
                chunk = Chunk(self.tp.topic, self.tp.partition, run, generation=0)
                self.credit.take(chunk)
                offer(chunk)

    async def _with_items(self, acts: Sequence[ActRecord]) -> list[ActRecord]:
        """The acts with the records that they name.

        All are read in one pass; reading one by one would ask for the log's ends each time.
        """
        wanted: dict[str, dict[int, int]] = {}
        for act in acts:
            if (place := act.names) and place[1] == self.tp.partition:
                wanted.setdefault(place[0], {})[act.offset] = place[2]
        about = dict[int, Record]()
        for topic, places in wanted.items():
            tp = TopicPartition(self._settings.topic(topic), self.tp.partition)
            records = await offsets.some(self._looker, tp, places.values())
            about |= {act: as_record(records[offset]) for act, offset in places.items() if offset in records}
        return [replace(act, about=about.get(act.offset)) for act in acts]


def _entropy() -> bytes:
    return secrets.token_bytes(ENTROPY_BYTES)
