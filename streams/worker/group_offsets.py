"""The group's offsets, for lag tools. They go with a transaction once a second, and once more when traffic ends.

The engine owns its position and never reads these offsets. In each transaction they would cost two of five requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

EVERY_SECONDS = 1.0


class GroupOffsets:
    """Decides with which transactions the group's offsets are written. `time`: seconds by a clock that never jumps."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._due_at = 0.0
        self._left: dict[TopicPartition, int] = {}

    def riding(self, position: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The offsets to write with the transaction that moves to `position`; none if a second is not over yet."""
        self._left |= position
        return self.left()

    def left(self) -> dict[TopicPartition, int]:
        """The offsets to write now, since the last ones were written a second ago or more."""
        if self._time() < self._due_at:
            return {}
        offsets, self._left = self._left, {}
        if offsets:
            self._due_at = self._time() + EVERY_SECONDS
        return offsets

    @property
    def seconds(self) -> float | None:
        """Seconds until offsets are to be written without a transaction to ride with; None if none are left."""
        return max(0.0, self._due_at - self._time()) if self._left else None
