"""Facts that could not be read, for their dead letters: the beginning of each value, its size, its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec
from aiokafka import ConsumerRecord

from gatekeeper.ground.tables import Table
from schemas.codec import KEY_BYTES, VALUE_BYTES
from schemas.record import Coordinates, Refusal
from streams.client.batches import refusal

UNREAD_BYTES = 4 * 1024
"""Bytes kept of an unreadable fact, at most."""
UNREAD_KEPT = 16 * 2**20
"""Bytes kept of all unreadable facts; beyond that the dead letter has key, size and SHA-256 only."""


@dataclass(frozen=True, slots=True)
class Unread:
    """An unreadable fact for its dead letter: the beginning of its value, its size, its SHA-256.

    `size`: None if the size of the value is unknown. `needed`: the managers who must resolve it.
    """

    fault: str
    key: bytes | None
    value: bytes | None
    size: int | None
    sha256: str
    needed: int


class LongValue(bytes):
    """The beginning of a value that exceeds a fact's size. `size`, `sha256`: of the whole value."""

    size: int
    sha256: str


def cut(value: bytes | None) -> bytes | None:
    """The value of a fact, or the beginning of a value that is too long. A fetch may hold thousands.

    Values are inflated one by one, so only one whole value is in memory at a time.
    """
    if value is None or len(value) <= VALUE_BYTES:
        return value
    beginning = LongValue(value[:UNREAD_BYTES])
    beginning.size, beginning.sha256 = len(value), sha256(value).hexdigest()
    return beginning


class UnreadFacts(dict[Coordinates, Unread]):
    """Unreadable facts by place. `journal`: where a restart finds those that were added, without their values."""

    def __init__(self, journal: Table) -> None:
        self._journal, self._kept = journal, 0
        for name, row in journal.items():
            topic, partition, offset = name.split("/")
            self._take((topic, int(partition), int(offset)), msgspec.msgpack.decode(row, type=Unread))

    def add(
        self, place: Coordinates, record: ConsumerRecord, refused: Refusal | None, fault: str, *, needed: int
    ) -> None:
        """Adds the record at this place, with its fault and, if known, the part that could not be read."""
        value = record.value or b""
        size = value.size if isinstance(value, LongValue) else None if refused else len(value)
        kept = bytes(value[:UNREAD_BYTES])
        digest = refused.sha256 if refused else sha256(value).hexdigest()
        key = record.key if len(record.key or b"") <= KEY_BYTES else None
        there = record.value is not None and self._kept + len(kept) <= UNREAD_KEPT
        unread = Unread(fault, key, kept if there else None, size, digest, needed)
        self._take(place, unread)
        if place[0] != "reference":  # a restart reads that topic again
            # without the value, which may hold anything, a name or an address too
            self._journal["/".join(map(str, place))] = msgspec.msgpack.encode(replace(unread, value=None))

    def _take(self, place: Coordinates, unread: Unread) -> None:
        self._kept += len(unread.value or b"")
        self[place] = unread


def unreadable_part(record: ConsumerRecord) -> Refusal | None:
    """The unreadable part of a record, or that its value is too long; None if it can be taken."""
    refused, value = refusal(record.headers), record.value
    if isinstance(value, LongValue) and (refused is None or refused.what == "headers"):
        return Refusal("value_too_long", value.sha256)
    return refused
