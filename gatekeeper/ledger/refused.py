"""The note of a refused partition: the reason why its worker does not go on, readable from outside.

The note is the metadata of the partition's committed offset in the workers' group. The next transaction of the
partition commits an offset without metadata, so the note ends when the partition goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from gatekeeper.ground.errors import GatekeeperError, IntegrityError
from gatekeeper.ground.texts import catalogue, text
from schemas.codec import canonical

NOTE_BYTES = 4_000
"""Kafka keeps 4,096 bytes of metadata with an offset (`offset.metadata.max.bytes`)."""
VALUE_CHARS = 300
_KEY = re.compile(r"error\.[a-z_]{1,60}")
_NAME = re.compile(r"[a-z_]{1,40}")

RESUMABLE = frozenset(
    {
        "error.clock_before_head",
        "error.decisions_gone",
        "error.facts_made_again",
        "error.head_missing",
        "error.head_unreadable",
        "error.input_replaced",
        "error.outputs_made_again",
        "error.sends_expired",
        "error.torn",
    }
)
"""Refusals that an act of a person ends; the others end by themselves once their cause is gone."""
SKIPPABLE = frozenset({"error.partition_defect", "error.partition_failing"})
"""Refusals that show at work. If they are about one record, the acts of two people pass that record."""

BY_TWO = SKIPPABLE | {
    "error.decisions_gone",
    "error.facts_made_again",
    "error.input_replaced",
    "error.outputs_made_again",
}
"""Refusals that the same act of two people ends, and no act of one."""

Value = int | str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Refusal of a partition: the error's key in the catalogue, the values of its sentence, its beginning (ms).

    `lost`: the last time (ms) at which a worker of the group found facts gone, 0 if never. Any refusal tells it, so
    that a worker without files learns of it.
    """

    key: str
    values: Mapping[str, Value]
    since: int
    lost: int = 0

    @classmethod
    def of(cls, error: GatekeeperError, *, since: int, lost: int = 0) -> Self:
        """The note of an error; its values never hold personal data. `since`, `lost`: milliseconds."""
        return cls(error.key, {name: _value(value) for name, value in error.values.items()}, since, lost)

    @property
    def resumable(self) -> bool:
        """Tells whether `gatekeeper partition resume` ends the refusal."""
        return self.key in RESUMABLE

    @property
    def by_two(self) -> bool:
        """Tells whether it takes the same act of two people to end the refusal."""
        return self.key in BY_TWO

    @property
    def record(self) -> tuple[str, int] | None:
        """Topic (the broker's name) and offset of the record at which the partition stands, None for no single one."""
        topic, offset = self.values.get("topic"), self.values.get("offset")
        known = self.key in SKIPPABLE and isinstance(topic, str) and type(offset) is int
        return (topic, offset) if known else None  # type: ignore[return-value]

    @property
    def sentence(self) -> str:
        """The reason in words, in the reader's language."""
        try:
            return str(IntegrityError(self.key, **self.values))
        except (KeyError, IndexError, ValueError):  # a newer version knows more reasons
            return text("partition.reason_unknown", key=self.key)

    @property
    def advice(self) -> str:
        """The meaning of the refusal and the next step, in the reader's language."""
        key = f"partition.do_{self.key.removeprefix('error.')}"
        return text(key if key in catalogue() else "partition.do_other")

    def encode(self) -> str:
        """The metadata, NOTE_BYTES at most; values that do not fit are cut short."""
        note = {"v": 1, "refused": self.key, "since": self.since} | ({"lost": self.lost} if self.lost else {})
        for most in (VALUE_CHARS, 60, 0):
            values = {name: value[:most] if isinstance(value, str) else value for name, value in self.values.items()}
            encoded = canonical(note | {"values": values})
            if len(encoded) <= NOTE_BYTES:
                return encoded.decode()
        return canonical(note | {"values": {}}).decode()

    @classmethod
    def decode(cls, metadata: str) -> Self | None:
        """Decodes the metadata; None if it is no such note, because others may commit offsets, too."""
        try:
            note = orjson.loads(metadata)
            key, values, since = note["refused"], note["values"], note["since"]
            lost = note.get("lost", 0)
            known = note["v"] == 1 and _KEY.fullmatch(key) and type(since) is type(lost) is int
            if known and all(_NAME.fullmatch(name) and _fits(value) for name, value in values.items()):
                return cls(key, values, since, lost)
        except (ValueError, LookupError, TypeError, AttributeError):
            pass
        return None


def _value(value: Any) -> Value:
    return value if value is None or type(value) is int else str(value)


def _fits(value: Any) -> bool:
    """Tells whether a value can be shown: a number, or a short text without control characters for a terminal."""
    return (
        value is None
        or type(value) is int
        or (isinstance(value, str) and len(value) <= VALUE_CHARS and value.isprintable())
    )
