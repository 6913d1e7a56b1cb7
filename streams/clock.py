"""The worker's clock, held against the broker's: a decision's instant must be one that others would agree to."""

from __future__ import annotations

import time


class Clock:
    """Milliseconds since the epoch, and how far the broker's LogAppendTime is known to be from them."""

    def __init__(self) -> None:
        self.off_by = 0

    def now(self) -> int:
        """Returns the worker's time."""
        return time.time_ns() // 1_000_000

    def observe(self, *, sent: int, acknowledged: int, appended: int) -> None:
        """Learns from one write: the broker's time stamp should lie between its sending and its acknowledgement."""
        if appended < sent:
            self.off_by = sent - appended
        else:
            self.off_by = max(0, appended - acknowledged)
