"""Background tasks for work that takes longer than a request; pages poll a task until it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from gatekeeper.console.session import Denied
from gatekeeper.engine.failures import fingerprint
from gatekeeper.ground.errors import GatekeeperError

Kind = Literal["report", "preview", "act"]
AT_ONCE: Mapping[Kind, int] = {"report": 4, "preview": 4, "act": 20}
"""Tasks of each kind that run at once, at most. No erasure, suspension or resumption waits behind a report."""
MAX_TASKS = 100
"""The largest number of tasks kept; beyond it the oldest finished ones are forgotten."""
log = structlog.get_logger("console")


@dataclass(slots=True)
class Task:
    """Background task of a user: the number of records read, and once `over`, its result or its error.

    `total`: the number of records to read, 0 = not known.
    """

    name: str
    by: str
    kind: Kind
    taken: int = 0
    total: int = 0
    over: bool = False
    result: Any = None
    error: GatekeeperError | Denied | None = None

    def advance(self) -> None:
        """Counts one record."""
        self.taken += 1

    def passed(self, taken: int, total: int) -> None:
        """Sets the number of records read and the total."""
        self.taken, self.total = taken, total


@dataclass(slots=True)
class Tasks:
    """Tasks of a console, lost when the console ends."""

    _tasks: dict[str, Task] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, name: str) -> Task | None:
        """A task, None for one that is unknown or already forgotten."""
        with self._lock:
            return self._tasks.get(name)

    def drop(self, name: str) -> None:
        """Forgets a finished task, so that it can start anew."""
        with self._lock:
            if (task := self._tasks.get(name)) and task.over:
                del self._tasks[name]

    def start(self, name: str, by: str, kind: Kind, work: Callable[[Task], Any]) -> Task:
        """The task of this name; a missing task is started.

        Raises Denied (429) when AT_ONCE tasks of its kind are already running.
        """
        with self._lock:
            if task := self._tasks.get(name):
                return task
            if sum(task.kind == kind and not task.over for task in self._tasks.values()) >= AT_ONCE[kind]:
                raise Denied("page.too_many", 429)
            for old in [task.name for task in self._tasks.values() if task.over][
                : max(0, len(self._tasks) - MAX_TASKS)
            ]:
                del self._tasks[old]
            task = self._tasks[name] = Task(name, by, kind)
        threading.Thread(target=_run, args=(task, work), name=f"console-task-{name[:8]}", daemon=True).start()
        return task


def _run(task: Task, work: Callable[[Task], Any]) -> None:
    try:
        task.result = work(task)
    except (GatekeeperError, Denied) as error:
        task.error = error
    except Exception as error:
        log.error("page_failed", error=type(error).__name__, code=fingerprint(error))
        task.error = Denied("page.defect", 500)
    task.over = True
