"""What was asked for in one go: the items of each run, with those that were refused before anything was written.

Kept here for the page that shows how far it is; the acts themselves stand on `acts`, also when this is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.review.actions import ActResult

MAX_RUNS = 200


@dataclass(frozen=True, slots=True)
class BulkRun:
    """One call about items: its kind, whose it is, a row for each item, and the filter that it came from."""

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
        """Keeps a run; the oldest is forgotten where there are too many."""
        with self._lock:
            self._runs[run.name] = run
            for name in [*self._runs][:-MAX_RUNS]:
                del self._runs[name]

    def get(self, name: str) -> BulkRun | None:
        """A run, None where it is not known (any more)."""
        with self._lock:
            return self._runs.get(name)
