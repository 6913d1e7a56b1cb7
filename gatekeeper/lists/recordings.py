"""The nos of a list that are dated long ago and do not say when they were entered (rule 8.1.41)."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from gatekeeper.ground.times import span
from schemas.events import NO_STATES

Recorded = Literal["now", "dated"]
"""`now`: such a no was entered as it is imported. `dated`: it was entered on its own date."""
OF_NOS = ("consents", "suppressions")
"""Topics on which somebody can say no."""


class Recordings:
    """Counts such rows, and states the recording of each where the caller says what it was.

    `list_date`: the date that rows have as their recording because they have none. `old`: a no dated before this
    instant counts (microseconds). `zone`: for a written time without offset.
    """

    def __init__(self, topic: str, recorded: Recorded | None, *, list_date: str, old: int, zone: str) -> None:
        self.count = 0
        """Number of old nos that do not say when they were entered."""
        self._topic, self._recorded, self._list_date = topic, recorded, list_date
        self._old, self._zone = old, zone

    def stated(self, value: bytes) -> bytes:
        """The value of a row's event, with its recording."""
        if self._topic not in OF_NOS:
            return value
        said: dict[str, Any] = orjson.loads(value)
        dated = self._undated(said)
        if dated is None:
            return value
        self.count += span(dated, self._zone).first < self._old
        return orjson.dumps({**said, "recorded_at": dated}) if self._recorded == "dated" else value

    def _undated(self, said: dict[str, Any]) -> str | None:
        """The date of a no that does not say when it was entered; None for any other event."""
        if self._topic == "suppressions":
            return None if said.get("recorded_at") else str(said["received_at"])
        if said.get("state") not in NO_STATES or said.get("recorded_at") != self._list_date:
            return None
        dated: str | None = said.get("event_time")
        return dated
