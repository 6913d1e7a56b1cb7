"""Work on all cores: a function for each of many items, as `map` does it, or one task beside another.

Each is done in processes of its own. These are forked, so the function may hold what cannot be sent to another process.
Items and results are sent. A process that has other threads cannot fork, so open connections afterwards.
"""

from __future__ import annotations

import gc
import math
import mmap
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.forks import demand_one_thread, end_with

TOGETHER = 500
"""Small items that are sent together. Fewer in all are worked on here, as a process costs more than they do."""
AHEAD = 4
"""Bundles under way for each core, which bounds the memory."""
SILENT_SECONDS = 120.0
"""Seconds without a sign of a process at work, after which it is ended."""
_LOOK_SECONDS = 1.0
_END_SECONDS = 5.0
Item = TypeVar("Item")
Made = TypeVar("Made")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def sign() -> None:
    """Gives a sign of life of a process of `mapped` or `beside`. Each item gives one; a long item calls this."""
    if _own:
        _own["signs"][_own["slot"]] = time.monotonic()


def mapped(
    work: Callable[[Item], Made], items: Iterable[Item], *, processes: int | None = None, together: int = TOGETHER
) -> Iterator[Made]:
    """Yields `work(item)` for each item in order, worked on by as many processes as there are cores.

    The processes are forked at the first item. `together`: the number of items that are sent at once; fewer in all are
    worked on here. Raises the errors of `work`, and UnavailableError (3) if a process ends or says nothing for
    SILENT_SECONDS. Raises RuntimeError if this process has other threads when it forks.
    """
    left = iter(items)
    first = [*islice(left, together)]
    count = cores() if processes is None else processes
    if count == 1 or len(first) < together:
        yield from map(work, chain(first, left))
        return
    bundles = chain((first,), iter(lambda: [*islice(left, together)], []))
    waiting: deque[Future[list[Made]]] = deque()
    with _Processes(work, count) as running:
        for bundle in bundles:
            waiting.append(running.begin(bundle))
            if len(waiting) >= AHEAD * count:
                yield from running.result(waiting.popleft())
        while waiting:
            yield from running.result(waiting.popleft())


@contextmanager
def beside(task: Callable[[], Made]) -> Iterator[Callable[[], Made]]:
    """Begins a task in a process of its own, and yields a function that waits for its result.

    The function raises what `mapped` raises. With one core the function does the task here.
    """
    if cores() == 1:
        yield task
        return
    with _Processes(lambda _: task(), 1) as running:
        future = running.begin([None])
        yield lambda: running.result(future)[0]


class _Processes:
    """Forked processes that do one function's work, all of which end with the block."""

    def __init__(self, work: Callable[[Any], Any], count: int) -> None:
        self._work, self._count = work, count
        self._signs = memoryview(mmap.mmap(-1, 16 * count)).cast("d")
        self._children: list[BaseProcess] = []
        self._due = 0
        """Bundles that were begun and whose results nobody has got."""

    def __enter__(self) -> _Processes:
        demand_one_thread()
        context, others = get_context("fork"), {*active_children()}
        slots: SimpleQueue[int] = context.SimpleQueue()
        for slot in range(self._count):
            slots.put(slot)
        gc.freeze()  # a collection in a forked process would copy all memory
        self._pool = ProcessPoolExecutor(
            self._count, context, _begin, (self._work, os.getpid(), self._signs, self._count, slots)
        )
        self._pool.submit(int)  # this forks all of them
        self._children = [*{*active_children()} - others]
        return self

    def begin(self, items: list[Any]) -> Future[list[Any]]:
        """Lets a process work on these items, once one is free."""
        try:
            begun = self._pool.submit(_worked, items)
        except BrokenProcessPool:
            raise self._ended() from None
        self._due += 1
        return begun

    def result(self, future: Future[list[Any]]) -> list[Any]:
        """Waits for the results of a bundle, while every process at work gives signs."""
        while True:
            try:
                made = future.result(_LOOK_SECONDS)
                self._due -= 1
                return made
            except BrokenProcessPool:
                raise self._ended() from None
            except TimeoutError:
                if future.done():
                    raise  # an error of the work itself
            for slot in range(self._count):
                silent = time.monotonic() - (self._signs[slot] or math.inf)
                if silent > SILENT_SECONDS:
                    number = int(self._signs[self._count + slot])
                    raise UnavailableError("error.core_silent", process=number, seconds=round(silent))

    def _ended(self) -> UnavailableError:
        """The error that names the process which ended first; the pool then ends the others by SIGTERM."""
        for child in self._children:
            child.join(_END_SECONDS)
        codes = {child.pid: child.exitcode for child in self._children}
        first = next((pid for pid, code in codes.items() if code not in (None, 0, -signal.SIGTERM)), None)
        return UnavailableError("error.core_ended", process=first or "?", code=codes.get(first, "?"))

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None or self._due:
            for child in self._children:
                child.kill()  # nobody waits for its work any more
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.join(_END_SECONDS)
            child.kill()
        gc.unfreeze()


_own: dict[str, Any] = {}
"""The function of this process, if it was forked, and where it gives its signs of life."""


def _begin(
    work: Callable[[Any], Any], parent: int, signs: memoryview[float], count: int, slots: SimpleQueue[int]
) -> None:
    end_with(parent)
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends, and this process with it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _own.update(work=work, signs=signs, slot=slots.get())
    signs[count + _own["slot"]] = os.getpid()


def _worked(items: list[Any]) -> list[Any]:
    made = []
    try:
        for item in items:
            sign()
            made.append(_own["work"](item))
    finally:
        _own["signs"][_own["slot"]] = 0.0  # an idle process gives no signs
    return made
