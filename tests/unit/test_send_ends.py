"""The ends of sends for pages: they share questions, and none is the barrier's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.worker import send_ends
from streams.worker.send_ends import SendEnds
from tests.support.world import World


class Broker:
    """The bounds of logs as one broker tells them, who says nothing while `silent`."""

    def __init__(self) -> None:
        self.silent, self.asked, self.connected = asyncio.Event(), 0, False

    async def start(self) -> None:
        self.connected = True

    async def stop(self) -> None:
        self.connected = False

    async def ends(self, tps: list[Any]) -> dict[Any, int]:
        self.asked += 1
        await self.silent.wait()
        return {tp: 7 + tp.partition for tp in tps}


def test_readers_that_give_up_then_one_question_waits_and_the_next_gets_its_answer(monkeypatch: Any) -> None:
    monkeypatch.setattr(send_ends, "ENDS_SECONDS", 0.01)

    async def go() -> None:
        broker, owned = Broker(), set[int]()
        clients: Any = SimpleNamespace(ends=lambda: broker)
        ends = SendEnds(World("127.0.0.1:1", "x.").settings, clients, lambda: owned)
        owned |= {0, 3}
        await ends.start()
        assert await asyncio.gather(*(ends.read() for _ in range(50))) == [{}] * 50
        assert broker.asked == 1
        broker.silent.set()
        monkeypatch.setattr(send_ends, "ENDS_SECONDS", 5.0)
        assert await ends.read() == {"0": 7, "3": 10}
        await ends.stop()
        assert not broker.connected

    asyncio.run(go())
