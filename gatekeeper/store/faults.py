"""A word that a process leaves if a fault ends it. A bad sector below a mapped file is no error, but a signal.

A killed process leaves no word. So its files are used again, and those of a process that met a fault are made anew.
"""

from __future__ import annotations

import faulthandler
import os
from contextlib import suppress
from pathlib import Path

_NAME = "fault"
TRACE_LINES = 60


class Faults:
    """One file of this process, in each folder that it is put into. The trace of a fault shows in all of them.

    The first folder must be held as long as the process lives. A process has one such object: Python's `faulthandler`
    writes to one file.
    """

    def __init__(self) -> None:
        self._first: Path | None = None

    def put(self, folder: Path) -> None:
        """Shows in this folder what happens to the process from now on."""
        path = folder / _NAME
        if path == self._first:
            return
        clear(folder)
        if self._first is None:
            self._first = path
            faulthandler.enable(path.open("xb"))
        else:
            with suppress(OSError):  # a file system without links; this folder then shows nothing
                os.link(self._first, path)


def met(folder: Path) -> list[str]:
    """The trace of the fault that ended the last process that had the folder, at most TRACE_LINES; empty without one.

    It names functions and lines of code, never a value.
    """
    try:
        return (folder / _NAME).read_text("utf-8", "replace").splitlines()[:TRACE_LINES]
    except OSError:
        return []


def clear(folder: Path) -> None:
    """Takes the word out of a folder."""
    (folder / _NAME).unlink(missing_ok=True)
