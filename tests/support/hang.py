"""The end of a test that hangs: stacks are printed, its processes are ended, and the run goes on and is red.

pytest-timeout tells when a test begins and ends. Its own way shows no stacks of children, and leaves them running.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import psutil
import pytest

STUCK_SECONDS = 20.0
"""Seconds after which the process itself ends: code that never returns to Python cannot be failed."""
_SPY = shutil.which("py-spy", path=str(Path(sys.executable).parent))
_stuck: list[tuple[float, str, frozenset[int]]] = []
"""Of the test that runs: the instant by which it must have ended (`time.monotonic`), its name, and older children."""


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Fails the test after its limit, in place of pytest-timeout's own timer."""
    older = _children()

    def expired(*_: object) -> None:
        said = ended(older)
        pytest.fail(f"{item.nodeid} took longer than {settings.timeout} s.\n{said}", pytrace=False)

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    _stuck[:] = [(time.monotonic() + settings.timeout + STUCK_SECONDS, item.nodeid, older)]
    return True


def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    """Forgets the limit of a test that has ended."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    _stuck.clear()
    return True


def ended(older: frozenset[int]) -> str:
    """Ends the children of this process that are not among `older` (pids), and theirs; returns the stacks of all."""
    ours = [psutil.Process(pid) for pid in _children() - older if psutil.pid_exists(pid)]
    ours += [grandchild for child in ours for grandchild in child.children(recursive=True)]
    said = [_stack(pid) for pid in (os.getpid(), *(process.pid for process in ours))]
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=5)
    return "\n".join(said)


def _children() -> frozenset[int]:
    """The children of this process, and of multiprocessing's server in place of the server itself."""
    server: Any = forkserver._forkserver
    tracker: Any = resource_tracker._resource_tracker
    kept = {server._forkserver_pid, tracker._pid}
    found: list[str] = []
    for pid in ("self", *filter(None, kept)):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread has ended
                found += path.read_text().split()
    return frozenset(map(int, found)) - kept


def _stack(pid: int) -> str:
    words = [_SPY or "py-spy", "dump", "--nonblocking", "--pid", str(pid)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"-- {pid}: no stack ({error})"
    return f"-- {pid}\n{done.stdout or done.stderr}"


def _watch() -> None:
    never = threading.Event()
    while not never.wait(1.0):
        for end, name, older in [*_stuck]:
            if time.monotonic() > end:
                print(f"{name} cannot be failed, so its process ends.\n{ended(older)}", file=sys.__stderr__, flush=True)
                os._exit(1)


threading.Thread(target=_watch, name="hang", daemon=True).start()  # one for all tests, as some look at threads
