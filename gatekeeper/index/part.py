"""A part of the read model: the tables of one subject, and the takers that fill them from records.

Takers see records in the form of `Incoming`, and write through `Writing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import orjson

from gatekeeper.index import recipients
from schemas.codec import Unreadable, decode
from schemas.events import Act, Suppression
from schemas.record import Record


class Writing:
    """Transaction of one batch: `db` writes, and `tick` numbers each change, so that pages can ask for newer ones.

    `zone`: the time zone of days.
    """

    def __init__(self, db: sqlite3.Connection, zone: str, changes: int) -> None:
        self.db = db
        self.zone = zone
        self.changes = changes

    def tick(self) -> int:
        """The next number of a change."""
        self.changes += 1
        return self.changes

    def recipient(self, id_: str, at: int) -> int | None:
        """The number of a recipient whom a record of that instant (milliseconds) names; None if erased since."""
        return recipients.number(self.db, id_, at)


@dataclass(frozen=True)
class Incoming(Record):
    """Record for the model, decoded once for all parts."""

    @classmethod
    def of(cls, record: Record) -> Incoming:
        """The record in the form that the parts take."""
        return cls(*(getattr(record, field.name) for field in fields(Record)))

    @cached_property
    def json(self) -> dict[str, Any]:
        """The value's JSON object, {} for a value that is no JSON object."""
        try:
            value = orjson.loads(self.value or b"")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def act(self) -> Act | None:
        """The act in a record of `acts`, None for an unreadable record."""
        try:
            act: Act = decode("acts", self.key, self.value)
        except Unreadable:
            return None
        return act

    @cached_property
    def stop(self) -> Suppression | None:
        """The suppression in a record of `suppressions`, None for an unreadable record."""
        try:
            stop: Suppression = decode("suppressions", self.key, self.value)
        except Unreadable:
            return None
        return stop


Taker = Callable[[Writing, Incoming], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Part of the read model for one subject: tables, a taker for each topic, and the removal of old rows.

    Takers see topics in any order, and may see a record twice.
    `forget`: deletes old rows; called about once an hour with the instant in milliseconds.
    `naming`: its tables whose column `recipient` holds a number of gatekeeper.index.recipients.
    `erase`: removes what records up to an instant (milliseconds) say about the recipient of a number.
    """

    schema: str
    takers: Mapping[str, Taker]
    forget: Callable[[sqlite3.Connection, int], None] | None = None
    naming: tuple[str, ...] = ()
    erase: Callable[[sqlite3.Connection, int, int], None] | None = None
