"""Counts releases by person, campaign and hour, from the acts of all partitions.

The limit on large releases counts what the worker sees. What a person says about it can only raise the number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

from gatekeeper.engine.act import ActRecord
from gatekeeper.staff.roles import person
from schemas.events import Release
from schemas.record import Record

HOUR_MS = 3_600_000
Key = tuple[str, str]
"""A person and a campaign."""


class ReleaseCount:
    """The releases of each person for each campaign, from the records of `acts` taken so far."""

    def __init__(self) -> None:
        self.size = 0
        """Number of releases kept."""
        self._new: dict[Key, list[tuple[ActRecord, str]]] = defaultdict(list)  # not weighed yet, each with its item
        self._items: dict[Key, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))

    def take(self, record: Record) -> None:
        """Takes a record of `acts`, in any order; only releases count."""
        asked = ActRecord.of(record)
        if isinstance(asked.act, Release):
            self.size += 1
            self._new[_key(asked.act)].append((asked, asked.act.decision_id))

    def around(self, asked: ActRecord, counts: Callable[[ActRecord], bool]) -> int:
        """The number of items that the person of this release released for its campaign, itself among them.

        It counts what arrived within an hour of this release, before or after it. Of two releases, the one judged later
        always sees the other. So however they are spread, no hour has more releases that each thought itself within
        the limit. `counts`: tells whether an act has a signer, or needs none; only such acts are counted.
        """
        act = asked.act
        if not isinstance(act, Release):
            return 0
        key = _key(act)
        for record, item in self._new.pop(key, ()):
            with suppress(Exception):  # an act that cannot be weighed does nothing, so it does not count
                if counts(record):
                    self._items[key][item].append(record.timestamp)
        arrived = asked.timestamp
        near = {item for item, times in self._items[key].items() if any(abs(at - arrived) < HOUR_MS for at in times)}
        return len(near | {act.decision_id})


def _key(act: Release) -> Key:
    return person(act.by), act.campaign_id
