"""The period of a report, and the days or months by which its numbers are plotted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.times import day, span, today
from schemas.topics import DAY_MS

DAYS = 62
"""Longest period that is plotted by day; longer ones are plotted by month."""
YEARS_MS = 10 * 366 * DAY_MS
"""Longest period of a report."""


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open period from `since` to before `to`, in milliseconds since the epoch; days are those of `zone`."""

    since: int
    to: int
    zone: str

    @property
    def step(self) -> str:
        """The unit of the plot: `day` or `month`."""
        return "day" if self.to - self.since <= DAYS * DAY_MS else "month"

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day of the period."""
        return day(self.since * 1000, self.zone), day(self.to * 1000 - 1, self.zone)

    def steps(self) -> list[str]:
        """The name of each step, `2026-11-24` or `2026-11`, including steps without records."""
        first, last = (date.fromisoformat(end) for end in self.days)
        every = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return list(dict.fromkeys(self._named(one.isoformat()) for one in every))

    def step_of(self, at: int) -> str:
        """The step in which an instant (milliseconds) lies.

        An instant outside the period counts in the first or the last step.
        """
        return self._named(day(min(max(at, self.since), self.to - 1) * 1000, self.zone))

    def _named(self, of: str) -> str:
        return of if self.step == "day" else of[:7]


def read(since: str, to: str, zone: str) -> Period:
    """Reads a period as people write it: two days or two instants.

    A day is one of `zone`, and both days are included whole.
    Raises UsageError (2) for a malformed time, an empty or reversed period, or more than ten years.
    """
    ends = []
    for text, name in ((since, "from"), (to, "to")):
        try:
            ends.append(span(text.strip(), zone))
        except (ValueError, OverflowError):
            raise UsageError("error.period_time", name=name) from None
    last = ends[1].last + 1 if ends[1].last > ends[1].first else ends[1].first
    period = Period(ends[0].first // 1000, last // 1000, zone)
    if not 0 < period.to - period.since <= YEARS_MS or period.since < 0:
        raise UsageError("error.period_empty")
    return period


def last_month(at: int, zone: str) -> tuple[str, str]:
    """The first and the last day of the calendar month before an instant (milliseconds)."""
    end = today(at * 1000, zone).replace(day=1) - timedelta(days=1)
    return end.replace(day=1).isoformat(), end.isoformat()


def percentile(numbers: Sequence[int], per_cent: int) -> int | None:
    """The nearest-rank percentile of numbers in ascending order; None if there are none."""
    return numbers[-(-len(numbers) * per_cent // 100) - 1] if numbers else None
