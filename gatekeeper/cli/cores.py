"""Work on all cores: a function for each of many items, as `map` does it, or one task beside another.

Each is done in processes of its own. These are forked, so the function may hold what cannot be sent to another process.
Items and results are sent.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from gatekeeper.ground.errors import UnavailableError

TOGETHER = 500
"""Small items that are sent together. Fewer in all are worked on here, as a process costs more than they do."""
AHEAD = 4
"""Bundles under way for each core, which bounds the memory."""
_LOOK_SECONDS = 1.0
Item = TypeVar("Item")
Made = TypeVar("Made")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def mapped(
    work: Callable[[Item], Made], items: Iterable[Item], *, processes: int | None = None, together: int = TOGETHER
) -> Iterator[Made]:
    """Yields `work(item)` for each item in order, worked on by as many processes as there are cores.

    The processes are forked at the first item: they must not use connections that were opened before. `together`: the
    number of items that are sent at once; fewer in all are worked on here. Raises the errors of `work`, and
    UnavailableError (3) if a process was killed.
    """
    left = iter(items)
    first = [*islice(left, together)]
    count = cores() if processes is None else processes
    if count == 1 or len(first) < together:
        yield from map(work, chain(first, left))
        return
    bundles = chain((first,), iter(lambda: [*islice(left, together)], []))
    waiting: deque[Future[list[Made]]] = deque()
    others = {*active_children()}
    gc.freeze()  # a collection in a forked process would copy all memory
    pool = ProcessPoolExecutor(count, get_context("fork"), _begin, (work, os.getpid()))
    try:
        for bundle in bundles:
            waiting.append(pool.submit(_worked, bundle))
            if len(waiting) >= AHEAD * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise UnavailableError("error.core_ended") from None
    finally:
        for process in {*active_children()} - others if waiting else ():
            process.terminate()  # nobody waits for its work any more
        pool.shutdown(cancel_futures=True)
        gc.unfreeze()


@contextmanager
def beside(task: Callable[[], Made]) -> Iterator[Callable[[], Made]]:
    """Begins a task in a process of its own, and yields a function that waits for its result.

    The function raises the task's error, or UnavailableError (3) if the process was killed. With one core the function
    does the task here. Begin before threads or connections are opened, as for `mapped`.
    """
    if cores() == 1:
        yield task
        return
    context = get_context("fork")
    coming, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(task, sending, os.getpid()), daemon=True)
    process.start()
    sending.close()

    def result() -> Made:
        try:
            made, error = coming.recv()
        except EOFError:
            raise UnavailableError("error.core_ended") from None
        if error is not None:
            raise error
        done: Made = made
        return done

    try:
        yield result
    finally:
        process.terminate()
        process.join()
        coming.close()


_own: dict[str, Callable[[Any], Any]] = {}
"""The function of this process, if it was forked."""


def _begin(work: Callable[[Any], Any], parent: int) -> None:
    _own["work"] = work
    _alone(parent)


def _send(task: Callable[[], Any], sending: Connection, parent: int) -> None:
    _alone(parent)
    try:
        sending.send((task(), None))
    except Exception as error:
        sending.send((None, error))


def _alone(parent: int) -> None:
    gc.freeze()  # what threads of the parent were changing at the fork must not be looked at here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends, and this process with it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process when the command is gone; a killed one cannot end it."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(0)


def _worked(items: list[Any]) -> list[Any]:
    return [*map(_own["work"], items)]
