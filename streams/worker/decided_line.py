"""The log's line about what a worker decided: one each LINE_SECONDS while it decides, else one an hour.

It has the numbers by verdict, the lag, and the time from a send's publication to its decision.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Any

import structlog

from gatekeeper.policy.reasons import VERDICTS

LINE_SECONDS = 10.0
IDLE_SECONDS = 3_600.0
MOST_TIMES = 100_000
"""Times of which the line gives the percentiles, at most: the last ones."""
log = structlog.get_logger(__name__)


class DecidedLine:
    """The numbers of the next line. `clock`: seconds of a clock that is never set."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._verdicts = Counter[str]()
        self._seconds = deque[float](maxlen=MOST_TIMES)
        self._told_at = clock()

    @property
    def decided(self) -> bool:
        """True if anything was decided since the last line."""
        return bool(self._verdicts)

    @property
    def due(self) -> bool:
        """True if anything was decided since the last line, or that is an hour old."""
        return self.decided or self._clock() - self._told_at >= IDLE_SECONDS

    def add(self, decided: Mapping[tuple[str, str, str, str], int], seconds: Iterable[float]) -> None:
        """Counts decided sends, by labels that begin with the verdict. `seconds`: from publication to decision."""
        for (verdict, *_), n in decided.items():
            self._verdicts[verdict] += n
        self._seconds.extend(seconds)

    def take(self) -> dict[str, Any]:
        """The fields of the line; the next one begins anew."""
        verdicts, times = self._verdicts, sorted(self._seconds)
        self._verdicts, self._told_at = Counter(), self._clock()
        self._seconds.clear()
        fields: dict[str, Any] = {"n": verdicts.total(), **{verdict: verdicts[verdict] for verdict in VERDICTS}}
        if times:
            fields["p50_seconds"], fields["p99_seconds"] = (round(times[len(times) * of // 100], 3) for of in (50, 99))
        return fields


async def tell(line: DecidedLine, lag: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
    """Writes the lines until it is cancelled, and then the last one if anything was decided since.

    `lag`: asks for the lag, as fields of the line.
    """
    try:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            if line.due:
                behind = await lag()  # before the numbers are taken: a stop may cancel it
                log.info("decided", **line.take(), **behind)
    finally:
        if line.decided:
            log.info("decided", **line.take())
