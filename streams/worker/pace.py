"""The pace: how many records this machine judges in a moment, so that a chunk never holds up what else must go on."""

from __future__ import annotations

from streams.worker.chunks import CHUNK_RECORDS

STEP_SECONDS = 0.05
"""Processor time that judging one chunk may take."""
FIRST = 100
WEIGHT = 0.2
"""Of the newest chunk in the mean: caches are cold at first, and a policy may change."""


class Pace:
    """Learns what a record costs; `records` is how many the next chunk may have."""

    def __init__(self) -> None:
        self.records = FIRST
        self._cost = STEP_SECONDS / FIRST

    def observe(self, records: int, seconds: float) -> None:
        """Learns that judging so many records took so much of the processor."""
        if records:
            self._cost += WEIGHT * (seconds / records - self._cost)
            self.records = max(1, min(CHUNK_RECORDS, int(STEP_SECONDS / max(self._cost, 1e-9))))
