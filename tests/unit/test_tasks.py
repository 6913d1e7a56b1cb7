"""Background tasks of the console: none of one kind waits for those of another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from gatekeeper.console.session import Denied
from gatekeeper.console.tasks import AT_ONCE, Kind, Tasks


def test_as_many_reports_as_may_run_then_a_managers_act_begins_at_once() -> None:
    tasks, over, begun = Tasks(), threading.Event(), threading.Event()
    filled(tasks, "report", lambda: over.wait(30))
    try:
        tasks.start("erase-1", "manager", "act", lambda _: begun.set())
        assert begun.wait(30)
    finally:
        over.set()


@pytest.mark.parametrize("kind", AT_ONCE)
def test_as_many_of_a_kind_as_may_run_then_one_more_is_refused(kind: Kind) -> None:
    tasks, over = Tasks(), threading.Event()
    try:
        assert filled(tasks, kind, lambda: over.wait(30)) == AT_ONCE[kind]
    finally:
        over.set()


def filled(tasks: Tasks, kind: Kind, work: Callable[[], object]) -> int:
    """Starts tasks until one is refused; returns how many run."""
    started = 0
    with suppress(Denied):
        for number in range(100):
            tasks.start(f"{kind}-{number}", "auditor", kind, lambda _: work())
            started += 1
    return started
