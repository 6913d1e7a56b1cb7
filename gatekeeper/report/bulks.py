"""Releases by run: of how many items each said to be one, how many there were, and who approved what took two."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.review.queue import Doing, after
from gatekeeper.times import instant

HOUR_MS = 3_600_000
OUTCOMES = ("waiting", "cleared", "withheld")
"""What becomes of a release that is not refused."""


@dataclass(slots=True)
class _Run:
    """One run: since when (milliseconds), the largest number that an act of it told, and what came of its releases."""

    since: int
    said: int = 0
    acts: int = 0
    by: set[str] = field(default_factory=set)
    approved_by: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)


class Bulks:
    """Takes the acts of each partition in order. Two people with one name of a run share its row."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._waiting: dict[str, str] = {}
        self._hours: Counter[tuple[str, int]] = Counter()

    def take(self, doing: Doing, bulk: int | None, at: int) -> None:
        """Takes in what was done to an item at that instant (milliseconds); `bulk`: as the act told it."""
        if after(doing) is None:
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
        """By person how many items they released within the hour of the clock in which it was most."""
        found: dict[str, int] = {}
        for (by, _), n in self._hours.items():
            found[by] = max(n, found.get(by, 0))
        return found

    def told(self) -> list[dict[str, Any]]:
        """Each run of more than one item, the largest first; `said` is less than `acts` where it told less."""
        found = [(name, run) for name, run in self._runs.items() if max(run.said, run.acts) > 1]
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
            for name, run in sorted(found, key=lambda one: (-one[1].acts, one[1].since, one[0]))
        ]
