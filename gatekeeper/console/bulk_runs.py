"""Bulk runs: the items of each bulk act, with those refused before anything was written.

The runs live in memory, for the page that shows their progress. The acts stand on `acts` and outlast this memory.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.review.actions import ActResult

MAX_RUNS = 200


@dataclass(frozen=True, slots=True)
class BulkRun:
    """One bulk act: its kind, its user, a row for each item, and the filter that found the items."""

    name: str
    kind: str
    by: str
    rows: Mapping[str, ActResult]
    filter: str = ""


class BulkRuns:
    """The last runs of a console."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, BulkRun] = {}

    def put(self, run: BulkRun) -> None:
        """Keeps a run; drops the oldest runs beyond MAX_RUNS."""
        with self._lock:
            self._runs[run.name] = run
            for name in [*self._runs][:-MAX_RUNS]:
                del self._runs[name]

    def get(self, name: str) -> BulkRun | None:
        """A run, None for one that is unknown or already dropped."""
        with self._lock:
            return self._runs.get(name)
