"""The reports that were asked for: each is read in a thread of its own, one after the other, and kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

import structlog

from gatekeeper.errors import GatekeeperError
from gatekeeper.judge import fingerprint
from gatekeeper.report.period import Period
from gatekeeper.settings import Settings
from streams.reports import Passed, read

MOST = 12
FRESH_MS = 300_000
"""So long a report of a period that was not over is shown again."""
log = structlog.get_logger("console")


class Stopped(Exception):
    """The console ends."""


@dataclass(slots=True)
class Job:
    """One report: how far it is, then the report or why there is none (`error`; a `defect` of ours says nothing)."""

    period: Period
    done: int = 0
    total: int = 0
    made: int = 0
    report: Mapping[str, Any] | None = None
    error: GatekeeperError | None = None
    defect: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.report is not None or self.error is not None or self.defect


class Reports:
    """The last reports of a console; `make` reads one."""

    def __init__(
        self, settings: Settings, make: Callable[[Settings, Period, Passed], Mapping[str, Any]] = read
    ) -> None:
        self._settings, self._make = settings, make
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._jobs: dict[Period, Job] = {}
        self._over = threading.Event()

    def of(self, period: Period) -> Job:
        """Returns the report of a period as far as it is; begins it where there is none, or it has become old.

        One that failed is returned once, and begun anew after that.
        """
        with self._lock:
            job = self._jobs.get(period)
            if job is None or (job.over and self._old(job)):
                job = self._jobs[period] = Job(period)
                for name in [*self._jobs][:-MOST]:
                    del self._jobs[name]
                threading.Thread(target=self._read, args=(job,), name="console-report", daemon=True).start()
            elif job.over and job.report is None:
                del self._jobs[period]
            return job

    def stop(self) -> None:
        """Ends what is being read."""
        self._over.set()

    def _old(self, job: Job) -> bool:
        return job.report is not None and job.made < job.period.to and time() * 1000 - job.made > FRESH_MS

    def _read(self, job: Job) -> None:
        def passed(done: int, total: int) -> None:
            if self._over.is_set():
                raise Stopped
            job.done, job.total = done, total

        with self._reading:
            try:
                job.made = int(time() * 1000)
                job.report = self._make(self._settings, job.period, passed)
            except Stopped:
                pass
            except GatekeeperError as error:
                job.error = error
            except Exception as error:
                log.error("page_failed", error=type(error).__name__, code=fingerprint(error))
                job.defect = True
