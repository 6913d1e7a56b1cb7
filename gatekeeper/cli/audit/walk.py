"""Walks through a trail link by link: within a period, at a pace, and with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.progress import Progress

from gatekeeper.audit.checks.trail import Link, Trail
from gatekeeper.cli.audit.reading import Pace
from gatekeeper.cli.output import progress_bar
from gatekeeper.texts import text
from gatekeeper.times import instant


@dataclass
class TrailWalk:
    """Walk through the links of a trail whose `t1` is at or after `since` and before `to` (milliseconds).

    `passed`: called with each record before `since` that the trail holds.
    """

    trail: Trail
    since: int | None
    to: int | None
    pace: Pace
    passed: Callable[[bytes], None] = lambda _: None
    bar: Progress = field(default_factory=progress_bar)

    def __post_init__(self) -> None:
        self._task = self.bar.add_task(text("replay.replaying"), total=None)

    def links(self, partition: int) -> Iterator[Link]:
        """Yields the links of a partition at the pace; raises as the trail does."""
        first, last = ("" if self.since is None else instant(self.since), "~" if self.to is None else instant(self.to))
        for link in self.trail.links(partition):
            t1 = link.manifest["t1"]
            if first <= t1 < last:
                yield link
            elif t1 < first:
                for value in link.records:
                    self.passed(value)
            self.bar.advance(self._task, len(link.records))
            self.pace.done(len(link.records))
