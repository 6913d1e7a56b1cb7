"""Conditions of a fork: the parent has one thread, and the child ends with it.

A forked process has copies of all locks, and only the thread that forked. A lock that another thread held is never
released there. So nobody forks while a connection's thread runs: it may be inside OpenSSL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time

THREADS = 1
"""Threads of a process that may fork. A runner of tests that has one of its own says so here."""
ENDING_SECONDS = 5.0
"""Seconds for threads that were joined to leave the process; the kernel counts them a little longer."""
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_ORPHANED = 70


def demand_one_thread() -> None:
    """Returns if this process has one thread, so that it may fork.

    Raises RuntimeError, a defect of the caller, if others run on. Close each connection and progress bar before.
    """
    end = time.monotonic() + ENDING_SECONDS
    while (count := len(os.listdir("/proc/self/task"))) > THREADS:
        if time.monotonic() > end:
            names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
            raise RuntimeError(f"a process with {count} threads must not fork; those of Python: {names}")
        time.sleep(0.001)


def end_with(parent: int) -> None:
    """Lets the kernel kill this process when its parent ends, even if that is killed. `parent`: its process id."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(_ORPHANED)
