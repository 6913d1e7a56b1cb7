"""Records from files, which no log has taken: their arrival is the time that stands in them.

Of the topic `acts` a file holds releases, as the rules read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
from pydantic import TypeAdapter

from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.ground.times import span
from schemas.record import Coordinates, Record

ALWAYS = 0
"""The arrival of a record that was always there."""
OWN_FORMS: Mapping[str, TypeAdapter[Any]] = {"acts": TypeAdapter(HeldRelease)}
"""The topics of which a file holds another form than the log, and that form."""


def filed(place: Coordinates, key: bytes | None, value: bytes | None, *, at: int, zone: str) -> Record:
    """The record of a fact in a file: it arrived when it was recorded (`recorded_at`), else at `at`.

    `at`: milliseconds since the epoch, the instant of the decision. `zone`: for a time without offset; a day counts
    from its end. An unreadable value arrived at `at`; a purpose, controller or phrase of audiences without
    `recorded_at` was always there.
    """
    arrived = at
    with suppress(ValueError, LookupError, TypeError, OverflowError):
        fact = orjson.loads(value or b"")
        if place[0] == "reference" and fact["kind"] in ("purpose", "controller", "audience_phrase"):
            arrived = ALWAYS
        arrived = span(fact["recorded_at"], zone).last // 1000
    return Record(*place, arrived, key, value)
