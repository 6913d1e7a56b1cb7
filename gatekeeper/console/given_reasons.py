"""The written reasons of acts: they may name a person, so the console stores them in no file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from schemas.codec import Unreadable, decode
from streams.client.reader import Reader

KEPT = 2_000
"""The number of written reasons kept in memory."""
PartitionOffset = tuple[int, int]
"""Partition and offset on `acts`."""


def places(db: sqlite3.Connection, act_ids: Collection[str]) -> dict[str, PartitionOffset]:
    """The places on `acts` of those acts that have a written reason, by act id; none about an erased person."""
    marks = ", ".join("?" * len(act_ids))
    conditions = {"asked": "AND item IN (SELECT id FROM item)", "paired": ""}
    tables = " UNION ALL ".join(
        f"SELECT act_id, part, place FROM {table} WHERE part IS NOT NULL AND act_id IN ({marks}) {among}"
        for table, among in conditions.items()
    )
    return {id_: (part, place) for id_, part, place in db.execute(tables, (*act_ids, *act_ids))}


@dataclass(slots=True)
class GivenReasons:
    """Cache of written reasons read from `acts`; that topic keeps them for 90 days."""

    _words: dict[PartitionOffset, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, settings: Settings, wanted: Mapping[str, PartitionOffset]) -> dict[str, str]:
        """The written reasons by act id, without those that are gone or cannot be read now."""
        with self._lock:
            missing = [place for place in wanted.values() if place not in self._words]
        if missing:
            reasons = _read(settings, missing)
            with self._lock:
                self._words |= reasons
                for place in list(self._words)[: max(0, len(self._words) - KEPT)]:
                    del self._words[place]
        with self._lock:
            return {id_: self._words[place] for id_, place in wanted.items() if place in self._words}


def _read(settings: Settings, wanted: Collection[PartitionOffset]) -> dict[PartitionOffset, str]:
    reasons = {}
    try:
        with Reader(settings) as reader:
            for record in reader.some("acts", wanted):
                try:
                    reasons[record.partition, record.offset] = decode("acts", record.key, record.value).reason
                except (Unreadable, AttributeError):
                    continue
    except UnavailableError:  # the page reports this and shows the acts without their reasons
        pass
    return reasons
