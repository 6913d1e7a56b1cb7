"""The mark that a restore leaves on every topic, until a person opens the gate.

It is a setting of Kafka's that nobody sets to these values, and that changes nothing else. A topic has it from its
first moment on, because the topic is made with it. `topics create --repair` does not touch it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

SETTING = "segment.jitter.ms"
"""Kafka ends a segment so many milliseconds earlier, at most."""
RESTORING, SHUT, OPEN = "1001", "1002", "0"
"""Values: records are being written back; all are back and later facts may be missing; Kafka's own default."""

Mark = Literal["restoring", "shut"]


def mark_of(topics: Mapping[str, Mapping[str, str]]) -> Mark | None:
    """The mark of these topics, by their settings; None for an open gate. The least finished topic counts."""
    marks = {values.get(SETTING) for values in topics.values()}
    return "restoring" if RESTORING in marks else "shut" if SHUT in marks else None
