"""A desk whose people sign as a test says, and the acts that they do there."""

from __future__ import annotations

from typing import Any

from schemas.record import Record
from tests.support import invented, staff
from tests.support.desk import Desk

SIGNED_AT = staff.instant(invented.T)
"""The instant of the acts, and of their signatures."""


class Office(Desk):
    """A desk whose people sign as a test says. `by`: whose key signs; `word`: the console signs for the person.

    `by` is empty for the person of the act, and None for nobody.
    """

    def __init__(self, *facts: invented.Event) -> None:
        super().__init__(*facts)
        self.by: str | None = ""
        self.word = False
        self.sign = self._sign

    def _sign(self, record: Record) -> list[tuple[str, bytes]]:
        if self.by is None:
            return []
        value = record.value or b""
        return [worded(value)] if self.word else [staff.over(value, self.by or None, at=SIGNED_AT)]


def worded(value: bytes) -> tuple[str, bytes]:
    """The header by which the console signs an act for the person in its `by`."""
    return staff.over(value, at=SIGNED_AT, word="password")


def acted_by(person: str, act_id: str = "a-1", **more: Any) -> dict[str, Any]:
    """Returns the fields of an act that say who did it, and when."""
    return {"by": person, "act_id": act_id, "at": SIGNED_AT, **more}
