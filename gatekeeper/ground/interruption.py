"""Signals that end a command, held back while an exception would be lost or would tear something.

kafka-python treats an exception that a handler raises in its event loop as the failure of a request. So a handler
notes the signal, and raises only outside of `held`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final


class _Noted:
    """The signal noted in the main thread, the only thread in which Python runs handlers."""

    end: type[BaseException] | None = None
    came = threading.Event()
    depth = 0


_noted: Final = _Noted()


def listen(numbers: Sequence[int], end: type[BaseException] = KeyboardInterrupt) -> None:
    """Makes these signals end the process with `end`: KeyboardInterrupt, or SystemExit for an orderly end.

    A signal that is ignored (nohup, a script's background job) stays ignored. A second Ctrl-C waits for nothing.
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
    """Makes SIGTERM and SIGHUP end the process in order, with SystemExit: for commands that run until then."""
    listen((signal.SIGTERM, signal.SIGHUP), SystemExit)


def forget() -> None:
    """Forgets noted signals, so that they do not affect the next command."""
    _noted.end = None
    _noted.came.clear()


@contextmanager
def held() -> Iterator[None]:
    """Lets the block finish first, and then raises a signal noted meanwhile. Does nothing outside the main thread."""
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
    """Raises a noted signal, even within `held`, and again after it was lost. A loop calls it where it may end."""
    if threading.current_thread() is threading.main_thread() and (end := _noted.end):
        raise end


def wait(seconds: float) -> None:
    """Waits for so many seconds; raises a noted signal at once."""
    look()
    _noted.came.wait(seconds)
    look()
