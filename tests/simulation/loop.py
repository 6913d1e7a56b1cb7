"""An asyncio event loop in virtual time, whose order of callbacks is drawn from a seed.

Nothing waits: when nothing is ready, the clock jumps to the next timer. What runs belongs to a machine, by the
context in which it was started. A machine can be halted and go on, as after SIGSTOP and SIGCONT, or be dead, as after
SIGKILL: then not even a `finally` runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import warnings
from asyncio.base_events import BaseEventLoop
from asyncio.events import Handle, TimerHandle
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any

EPOCH_MS = 1_795_482_000_000
"""The beginning of virtual time: 2026-11-24T10:00:00+09:00."""


class Machine:
    """A machine that can be halted or killed, with every task that `run` started and every task that those start."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = self.halted = False
        self.skew_ms = 0
        """Milliseconds by which its clock is ahead of Kafka's."""
        self.parked: list[Handle] = []
        self.context = copy_context()
        self.context.run(_machine.set, self)

    def run(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """Starts a task on this machine."""
        return self.context.run(lambda: asyncio.get_running_loop().create_task(work, name=name))

    def halt(self) -> None:
        """Stops everything where it stands; time goes on without it."""
        self.halted = True

    def go_on(self) -> None:
        """Ends a halt: what became ready meanwhile runs now."""
        self.halted = False
        loop, parked = asyncio.get_running_loop(), self.parked
        assert isinstance(loop, Loop)
        self.parked = []
        loop.resume(parked)

    def kill(self) -> None:
        """Ends everything at once: nothing of it ever runs again."""
        self.dead = True
        self.parked = []


_machine: ContextVar[Machine | None] = ContextVar("machine", default=None)
KAFKA = copy_context()
"""The context of tasks that belong to no machine, and go on when one dies."""


def here() -> Machine | None:
    """Returns the machine that runs at the moment, None outside all of them."""
    return _machine.get()


class Stalled(Exception):
    """Nothing is ready, and no timer is set: nothing can ever happen again."""


class Task(asyncio.Task[Any]):
    """A task whose place in a set is the same in each run.

    asyncio cancels the tasks of a group in the order of a set, which is that of their addresses otherwise.
    """

    def __init__(self, number: int, *what: Any, **more: Any) -> None:
        self._number = number
        super().__init__(*what, **more)

    def __hash__(self) -> int:
        return self._number


class _Handle(Handle):
    """asyncio's own, without its care for debugging, which took a tenth of a simulation."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., Any], args: Any, loop: Any, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr = False, None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None


class _Timer(TimerHandle):
    """The same, at a time."""

    __slots__ = ()

    def __init__(self, when: float, callback: Callable[..., Any], args: Any, loop: Any, context: Context | None):
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args, self._when = loop, callback, args, when
        self._cancelled, self._repr, self._scheduled = False, None, False

    cancel = _Handle.cancel


class Loop(BaseEventLoop):
    """Runs callbacks in an order drawn from `random`, and lets virtual time jump from timer to timer."""

    _ready: Any

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random, self._now = random, 0.0
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._count, self._numbers = 0, count()
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._task)
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        """Returns seconds since the beginning, in virtual time."""
        return self._now

    def millis(self) -> int:
        """Returns milliseconds since the epoch by Kafka's clock."""
        return EPOCH_MS + int(self._now * 1000)

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Has something called after so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Has something called at that time."""
        timer = _Timer(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        """Has something called next."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Leaves a cancelled timer where it is; it is dropped when its time comes."""

    def resume(self, handles: list[Handle]) -> None:
        """Makes parked callbacks ready again."""
        self._ready.extend(handles)

    def close(self) -> None:
        """Ends what dead machines left, without a word: nobody would have heard it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                if not task.done():
                    coroutine: Any = task.get_coro()
                    with contextlib.suppress(BaseException):
                        coroutine.close()
            self._tasks.clear()
        super().close()

    def _task(self, loop: Any, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        task = Task(next(self._numbers), coroutine, loop=loop, **more)
        if _machine.get() is not None:  # kept, or the collection of garbage would run what a dead machine left
            self._tasks.append(task)
            if len(self._tasks) > 4_000:
                self._tasks = [one for one in self._tasks if not one.done()]
        return task

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2]._cancelled:  # type: ignore[attr-defined]
                heapq.heappop(timers)
            if not timers:
                raise Stalled
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        batch = list(ready)
        ready.clear()
        if len(batch) > 1:
            self._random.shuffle(batch)
        for handle in batch:
            if handle._cancelled:
                continue
            machine = handle._context.get(_machine)
            if machine is not None and (machine.dead or machine.halted):
                if not machine.dead:
                    machine.parked.append(handle)
                continue
            handle._run()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Calls at once what would run in a thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, event_list: Any) -> None:
        """Has none: there is no selector."""

    def _write_to_self(self) -> None:
        """Wakes nobody: there is one thread."""


def run(work: Callable[[], Coroutine[Any, Any, Any]], random: Random) -> Any:
    """Runs to the end of `work` in virtual time and returns its result."""
    loop = Loop(random)
    try:
        return loop.run_until_complete(work())
    finally:
        loop.close()
