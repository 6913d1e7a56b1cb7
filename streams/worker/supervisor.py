"""A supervisor: it starts processes, starts again those that end by themselves, and ends all of them together.

The processes are forked from one that has imported everything. So a start takes little time, and they share memory.
Why: docs/adr/0055-several-processes.md.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkProcess

import structlog

from gatekeeper.ground.errors import IncompleteError, IntegrityError, RestartError, UnavailableError, UsageError
from gatekeeper.ground.forks import demand_one_thread, end_with
from streams.worker.process_exit import fail

log = structlog.get_logger(__name__)

FINAL = (UsageError.exit_code, IntegrityError.exit_code)
"""Exit codes after which a start does not help: a person must look first."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a process is started again. Each further end doubles the pause, until one has lived that long."""
SILENT_SECONDS = 30.0
"""Seconds without a sign of life after which a process is killed."""
LOOK_SECONDS = 1.0
_SIGN_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM)
_STOPPED = (0, 130, -signal.SIGTERM)
_NAMES = {
    UnavailableError.exit_code: "unavailable",
    IncompleteError.exit_code: "incomplete",
    RestartError.exit_code: "restart",
    **dict.fromkeys(_STOPPED, "stopped"),
}
CAUSES = ("silent", *dict.fromkeys(_NAMES.values()), "fault")
"""Causes of a start after an end: no sign of life, the name of the exit code, or anything else."""


class Signs:
    """Memory that forked processes share: their signs of life, their ids, exit codes, and restarts by cause."""

    def __init__(self, count: int) -> None:
        numbers = memoryview(mmap.mmap(-1, (3 + len(CAUSES)) * 8 * count)).cast("d")
        self._given, self._pids, self._codes, *restarts = (
            numbers[first * count : (first + 1) * count] for first in range(3 + len(CAUSES))
        )
        self._restarts = dict(zip(CAUSES, restarts, strict=True))
        for number in range(count):
            self._codes[number] = float("nan")

    def give(self, number: int) -> None:
        """Gives signs of life of a process from now on, while the running loop has time for them."""
        self._given[number] = time.monotonic()
        asyncio.get_running_loop().call_later(_SIGN_SECONDS, self.give, number)

    def last(self, number: int) -> float:
        """The instant of the last sign of life (`time.monotonic`), 0 before the first one since the start."""
        return self._given[number]

    def began(self, number: int, pid: int) -> None:
        """Notes that a process runs, under this id."""
        self._pids[number] = pid

    def ended(self, number: int, code: int) -> None:
        """Notes that a process ended, with this exit code."""
        self._given[number], self._pids[number], self._codes[number] = 0.0, 0.0, code

    def restarted(self, number: int, cause: str) -> None:
        """Notes that a process ended for this cause, and is started again."""
        self._restarts[cause][number] += 1

    def restarts(self, number: int) -> dict[str, int]:
        """The numbers of starts of a process after it ended, by cause; causes that never came are left out."""
        return {cause: int(counts[number]) for cause, counts in self._restarts.items() if counts[number]}

    def pid(self, number: int) -> int | None:
        """The id of a process, None while it does not run."""
        return int(self._pids[number]) or None

    def code(self, number: int) -> int | None:
        """The exit code with which a process ended last, negative after a signal; None if it never ended."""
        code = self._codes[number]
        return None if code != code else int(code)


class _Child:
    """One process, which is started again and again."""

    def __init__(self, number: int, work: Callable[[], None], signs: Signs) -> None:
        self.number, self._work, self._signs = number, work, signs
        self._process: ForkProcess | None = None
        self._began = self._again_at = self._sign = self._silent = 0.0
        self._killed = False
        self.pause = 0.0
        """Seconds between the last end and the next start."""

    @property
    def alive(self) -> bool:
        """True until `ended` has told that the process ended."""
        return self._process is not None

    def start(self, now: float) -> None:
        """Starts the process if it does not run, and its pause is over."""
        if self.alive or now < self._again_at:
            return
        demand_one_thread()
        self._process = get_context("fork").Process(target=_begun, args=(self._work, os.getpid()), daemon=True)
        self._process.start()
        self._signs.began(self.number, self._process.pid or 0)
        self._began, self._sign, self._silent, self._killed = now, 0.0, 0.0, False

    def stop(self) -> None:
        """Asks the process to end."""
        if self._process is not None:
            self._process.terminate()

    def ended(self, now: float) -> int | None:
        """The exit code if the process has ended since this was asked last."""
        if self._process is None or (code := self._process.exitcode) is None:
            return None
        self._process, self.pause = None, pause(self.pause, lived=now - self._began)
        self._again_at = now + self.pause
        self._signs.ended(self.number, code)
        return code

    def cause(self, code: int) -> str:
        """The cause of the last end, one of CAUSES."""
        return "silent" if self._killed else _NAMES.get(code, "fault")

    def watch(self, seconds: float) -> None:
        """Kills the process if it has given no sign of life for too long. `seconds`: since the last look."""
        sign = self._signs.last(self.number)
        if sign != self._sign:
            self._sign, self._silent = sign, 0.0
        elif self._process is not None and sign:
            # by our own looks, so that nobody is killed because all of us were halted together
            self._silent += min(seconds, LOOK_SECONDS)
            if self._silent > SILENT_SECONDS:
                log.error("process_silent", process=self.number, seconds=round(self._silent))
                self._process.kill()
                self._killed = True


def pause(before: float, *, lived: float) -> float:
    """Seconds until a process that ended is started again. `before`: the pause before. `lived`: seconds of its life."""
    return FIRST_PAUSE if not before or lived >= LONGEST_PAUSE else min(2 * before, LONGEST_PAUSE)


def supervise(works: Sequence[Callable[[], None]], signs: Signs) -> int:
    """Runs each of `works` in a process of its own until a signal or a final error. The result is the exit code.

    After SIGTERM (0) or SIGINT (130) all are asked to end, and all have ended. A process that ends with a code of
    FINAL ends the others, and its code is the result. Any other process is started again. The processes end with
    this one, even if it is killed. `signs`: of life, by number. Raises RuntimeError in a process with more threads.
    """
    gc.freeze()  # a collection in a forked process would copy all memory
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    children = [_Child(number, work, signs) for number, work in enumerate(works)]
    ending: int | None = None
    looked = time.monotonic()
    while True:
        now = time.monotonic()
        for child in children:
            if (code := child.ended(now)) is not None:
                again = child.pause if ending is None and code not in FINAL else None
                tell = log.info if again is None else log.warning
                tell("process_ended", process=child.number, code=code, seconds=again)
                if again is not None:
                    signs.restarted(child.number, child.cause(code))
                if ending is None and code in FINAL:
                    ending = code
                    _stop(children)
                elif ending == 0 and code not in _STOPPED:
                    ending = max(code, 0) or RestartError.exit_code  # it did not end in order
            child.watch(now - looked)
            if ending is None:
                child.start(now)
        if ending is not None and not any(child.alive for child in children):
            return ending
        looked = now
        came = _signal(LOOK_SECONDS)
        if ending is None and came in (signal.SIGTERM, signal.SIGINT):
            ending = 0 if came == signal.SIGTERM else 130
            _stop(children)


def _signal(seconds: float) -> int:
    """The next signal, or SIGALRM after so many seconds.

    Not by `sigtimedwait`: in a process that was halted for longer than that, Python returns a signal that never came.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return signal.sigwait(_SIGNALS)


def _stop(children: Sequence[_Child]) -> None:
    for child in children:
        child.stop()


def _begun(work: Callable[[], None], parent: int) -> None:
    """Does the work of a forked process, which the kernel kills with its supervisor."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, who asks everybody to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        work()
    except Exception as error:
        fail(error)
