"""The coverage checks of the sealer: one at a time, in a thread, each as soon as it is due."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from gatekeeper.audit.checks.coverage_report import Covered

AGAIN_MS = 3_600_000
"""Least milliseconds between a failed coverage check and the next attempt."""

Check = Callable[[], list[Covered]]
"""A check of all topics against the manifests, as `coverage.check` does. It may take long; sealing goes on."""


class CoverageRounds:
    """The check in progress, and the time of the next one. All times are in milliseconds."""

    def __init__(self, check: Check | None, *, every_ms: int, reported: int) -> None:
        """`check`: made every `every_ms`, None for never. `reported`: the time of the last report."""
        self._check, self._every_ms, self.reported = check, every_ms, reported
        self._due = reported + every_ms
        self._checking: Future[list[Covered]] | None = None

    def step(self, now: Callable[[], int], *, wait: bool = False) -> list[Covered] | None:
        """Starts a check when it is due; the result of one that is done, else None.

        `wait`: waits for a check in progress. Raises the error of a check that failed; it is tried again later.
        """
        if self._checking is None and self._check is not None and now() >= self._due:
            self._checking = _threaded(self._check)
        if self._checking is None or not (wait or self._checking.done()):
            return None
        checking, self._checking = self._checking, None
        try:
            results = checking.result()
        except BaseException:
            self._due = now() + min(self._every_ms, AGAIN_MS)
            raise
        self.reported = now()
        self._due = self.reported + self._every_ms
        return results


def _threaded(check: Check) -> Future[list[Covered]]:
    """Makes a check in a thread for which the end of the process does not wait."""
    future: Future[list[Covered]] = Future()

    def work() -> None:
        try:
            future.set_result(check())
        except Exception as error:
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future
