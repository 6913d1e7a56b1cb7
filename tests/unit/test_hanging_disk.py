"""A disk that hangs under the copy of a ledger: the worker goes on, and no copy is believed wrongly later."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.errors import RestartError
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from streams.worker import kept_ledger
from streams.worker.kept_ledger import CopyPosition, KeptLedger, KeptLedgers, Misfit
from tests.support import invented
from tests.support.clearances import cleared

POSITION = CopyPosition(Head(sends=9, prev="00", at=invented.T), 100, 50)
LIMIT_SECONDS = 20
HOLDER = """
import sys, lmdb
with lmdb.open(sys.argv[1], map_size=1 << 38, max_dbs=32).begin(write=True):
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds the lock of whoever writes to the file, so that all others wait."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ledger, "CLOSE_SECONDS", 0.2)


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Lets all writes to the file in a folder hang."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.kill()


def partition(home: Path) -> KeptLedger:
    return KeptLedgers(home, identity=b"one", key=invented.KEY, keep_ms=3_600_000).of_partition(3, {})


@asynccontextmanager
async def writing(home: Path) -> AsyncIterator[tuple[KeptLedger, LedgerState]]:
    """Opens a copy with one piece in it, whose first write hangs as long as the block runs."""
    copy = partition(home)
    await copy.open()
    state = LedgerState(copy.tables)
    state.put(cleared())
    cut = copy.cut(0.0)
    assert cut is not None
    with hanging(copy.tables.folder):
        copy.write(cut, POSITION)
        yield copy, state


def soon(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await work()
            await all_done()

    asyncio.run(limited())


async def all_done() -> None:
    """Waits for what goes on in the background."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def test_a_write_that_hangs_then_the_turn_ends_and_the_next_copy_is_another(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with writing(tmp_path) as (copy, _):
            await copy.close()
            beside = partition(tmp_path)
            await beside.open()
            assert beside.tables.folder != copy.tables.folder
            with pytest.raises(Misfit, match="incomplete"):
                beside.demand_copied()
            await beside.close()
        await all_done()
        again = partition(tmp_path)
        await again.open()
        assert again.tables.folder == copy.tables.folder
        assert again.demand_copied() == POSITION
        await again.demand_whole()
        assert list(LedgerState(again.tables).names()) == ["P-1"]
        await again.close()

    soon(work)


def test_a_disk_that_hangs_while_sends_are_judged_then_the_turn_ends_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_ledger, "WAITING_BYTES", 1000)

    async def work() -> None:
        async with writing(tmp_path) as (copy, state):
            await copy.demand_room()
            judged = 0

            async def judge() -> None:
                nonlocal judged
                while judged < 100:
                    state.put(cleared(recipient_id=f"P-{judged}"))
                    judged += 1
                    await copy.demand_room()

            with pytest.raises(RestartError, match=str(copy.tables.folder)):
                await judge()
            assert 1 < judged < 10
            await copy.close()

    soon(work)
