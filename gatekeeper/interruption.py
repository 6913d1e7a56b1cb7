"""Signals that end a command. They are held back where an exception would be lost or would tear something.

kafka-python takes an exception that a handler raises amid its event loop for the failure of a request. So a handler
notes the signal, and raises only outside of `held`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final


class _Noted:
    """What came, of the main thread: the only one in which Python runs handlers."""

    end: type[BaseException] | None = None
    came = threading.Event()
    depth = 0


_noted: Final = _Noted()


def listen(numbers: Sequence[int], end: type[BaseException] = KeyboardInterrupt) -> None:
    """From now on these signals end the process with `end`: KeyboardInterrupt, or SystemExit for an end in order.

    A signal that is ignored (nohup, a script's background job) stays so. A second Ctrl-C waits for nothing.
    """

    def take(number: int, frame: object) -> None:
        again = _noted.end is not None and number == signal.SIGINT
        _noted.end = end
        _noted.came.set()
        if again or not _noted.depth:
            look()

    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, take)


def stop_on_signals() -> None:
    """From now on SIGTERM and SIGHUP end the process in order, with SystemExit: for commands that run until then."""
    listen((signal.SIGTERM, signal.SIGHUP), SystemExit)


def forget() -> None:
    """Begins anew: what came before is no concern of the next command."""
    _noted.end = None
    _noted.came.clear()


@contextmanager
def held() -> Iterator[None]:
    """Lets the block finish first, and raises then what came meanwhile. Does nothing beside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _noted.depth += 1
    try:
        yield
    finally:
        _noted.depth -= 1
        if not _noted.depth:
            look()


def look() -> None:
    """Raises what came, within `held` too, and again wherever it was lost: a loop calls it where it may end."""
    if threading.current_thread() is threading.main_thread() and (end := _noted.end):
        raise end


def wait(seconds: float) -> None:
    """Returns after so many seconds; raises what came as soon as it does."""
    look()
    _noted.came.wait(seconds)
    look()
