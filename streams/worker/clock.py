"""The worker's clock, held against the broker's: a decision's instant must be one that others would agree to."""

from __future__ import annotations

import time

TICK_MS = 10
"""Below this a difference of the two clocks is rounding, and no jump."""


class Clock:
    """Milliseconds since the epoch, and how far the broker's LogAppendTime is known to be from them."""

    def __init__(self) -> None:
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
        """Milliseconds that the clock was off when last observed, or has jumped since against monotonic time."""
        if self._started is None:
            return self._off_by
        jump = abs(self.start() - self._started)
        return max(self._off_by, jump if jump > TICK_MS else 0)

    def start(self) -> int:
        """Returns what the clock said when monotonic time began; it changes only where the clock jumps."""
        return self.now() - time.monotonic_ns() // 1_000_000

    def observe(self, *, start: int, sent: int, acknowledged: int, appended: int) -> None:
        """Learns from one write: the broker's time stamp should lie between its sending and its acknowledgement.

        `start`: that of the clock at the sending. Where it has jumped since, the write tells nothing of where it is.
        """
        self._started = start
        self._off_by = sent - appended if appended < sent else max(0, appended - acknowledged)
