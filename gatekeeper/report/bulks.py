"""Releases by run: the stated number of items, the actual number, and the second persons who approved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.engine.item import after
from gatekeeper.ground.times import instant
from gatekeeper.review.review_item import ActOnItem

HOUR_MS = 3_600_000
OUTCOMES = ("waiting", "cleared", "withheld")
"""Outcomes of a release that is not refused."""


@dataclass(slots=True)
class _Run:
    """One run: its first release (milliseconds), the largest `bulk` of its acts, and the outcomes of its releases."""

    since: int
    said: int = 0
    acts: int = 0
    by: set[str] = field(default_factory=set)
    approved_by: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)


class Bulks:
    """Releases grouped by run, from the acts of each partition in order.

    Two people who use the same run name share its row.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._waiting: dict[str, str] = {}
        self._hours: Counter[tuple[str, int]] = Counter()

    def take(self, doing: ActOnItem, bulk: int | None, at: int) -> None:
        """Adds an act about an item at an instant (milliseconds); `bulk` is the number stated in the act."""
        if after(doing.kind, doing.outcome) is None:
            return
        outcome = doing.outcome or ""
        if name := self._waiting.pop(doing.item, None):
            run = self._runs[name]
            run.outcomes["waiting"] -= 1
            if doing.kind == "approve":
                run.approved_by.update(doing.by)
                run.outcomes[outcome] += 1
        if doing.kind == "release":
            name = doing.run or doing.act_id
            run = self._runs.setdefault(name, _Run(at))
            run.since, run.said = min(run.since, at), max(run.said, bulk or 0)
            run.by.update(doing.by)
            run.acts += 1
            run.outcomes[outcome] += 1
            self._hours.update((by, at // HOUR_MS) for by in doing.by)
            if outcome == "waiting":
                self._waiting[doing.item] = name

    def busiest(self) -> dict[str, int]:
        """The number of items that each person released in their busiest clock hour."""
        busiest: dict[str, int] = {}
        for (by, _), n in self._hours.items():
            busiest[by] = max(n, busiest.get(by, 0))
        return busiest

    def told(self) -> list[dict[str, Any]]:
        """The runs of more than one item, the largest first.

        `said` is less than `acts` where a run stated fewer items than it released.
        """
        runs = [(name, run) for name, run in self._runs.items() if max(run.said, run.acts) > 1]
        return [
            {
                "run": name,
                "from": instant(run.since),
                "by": sorted(run.by),
                "approved_by": sorted(run.approved_by),
                "said": run.said,
                "acts": run.acts,
                **{outcome: run.outcomes[outcome] for outcome in OUTCOMES},
            }
            for name, run in sorted(runs, key=lambda pair: (-pair[1].acts, pair[1].since, pair[0]))
        ]
