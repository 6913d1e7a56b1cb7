"""Small processes under the product's supervisor: they note in a file what happens to them.

A forked process imports this module, so it imports little.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from streams.worker import supervisor

Work = Callable[[Path, int, int, supervisor.Signs], None]
"""Takes the folder of the notes, its number, its exit code, and the signs of life."""


def note(folder: Path, number: int, what: str) -> None:
    with (folder / str(number)).open("a") as file:
        file.write(f"{what} {os.getpid()}\n")


def waiting(folder: Path, number: int, code: int, signs: supervisor.Signs) -> None:
    """Gives signs of life until SIGTERM, which it takes a while to heed, and ends with a code."""

    async def work() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        signs.give(number)
        note(folder, number, "began")
        await stopped.wait()
        note(folder, number, "stopped")

    asyncio.run(work())
    os._exit(code)


def ending(folder: Path, number: int, code: int, signs: supervisor.Signs) -> None:
    """Ends by itself the first two times; then it notes its restarts by cause, and waits."""
    note(folder, number, "tried")
    if len((folder / str(number)).read_text().splitlines()) < 3:
        os._exit(code)
    for cause, times in signs.restarts(number).items():
        note(folder, number, f"{cause}={times}")
    waiting(folder, number, 0, signs)


def supervised(folder: Path, works: Sequence[tuple[Work, int]], silent: float) -> None:
    """Runs a supervisor of these works, each with its code; `silent`: the seconds of silence that it allows."""
    supervisor.FIRST_PAUSE, supervisor.SILENT_SECONDS, supervisor.LOOK_SECONDS = 0.05, silent, 0.05
    signs = supervisor.Signs(len(works))
    bound = [partial(work, folder, number, code, signs) for number, (work, code) in enumerate(works)]
    os._exit(supervisor.supervise(bound, signs))
