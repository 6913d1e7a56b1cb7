"""The worker's clock, compared with the broker's, so that others agree to the instant of a decision."""

from __future__ import annotations

import time

TICK_MS = 10
"""Milliseconds; a smaller difference of the two clocks is rounding, and no jump."""


class Clock:
    """Milliseconds since the epoch, and their known difference from the broker's LogAppendTime."""

    def __init__(self) -> None:
        self.appended: int | None = None
        """The broker's time of the last write, in milliseconds since the epoch; None before the first."""
        self._off_by = 0
        self._started: int | None = None

    def now(self) -> int:
        """The worker's time."""
        return time.time_ns() // 1_000_000

    def processor(self) -> float:
        """The processor's time that this thread has used, in seconds."""
        return time.thread_time()

    @property
    def off_by(self) -> int:
        """Milliseconds that the clock was off when last observed, or has since jumped against monotonic time."""
        if self._started is None:
            return self._off_by
        jump = abs(self.start() - self._started)
        return max(self._off_by, jump if jump > TICK_MS else 0)

    def start(self) -> int:
        """The clock's time when monotonic time began; it changes only if the clock jumps."""
        return self.now() - time.monotonic_ns() // 1_000_000

    def observe(self, *, start: int, sent: int, acknowledged: int, appended: int) -> None:
        """Learns from one write: the broker's time stamp should lie between sending and acknowledgement.

        `start`: that of the clock at the sending. If the clock has jumped since, the write says nothing about its
        error.
        """
        self._started, self.appended = start, appended
        self._off_by = sent - appended if appended < sent else max(0, appended - acknowledged)
