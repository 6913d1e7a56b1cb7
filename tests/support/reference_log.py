"""The topic `reference` without Kafka: what is written to it, and which of its records count."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import count

import orjson

from gatekeeper.staff.endorsements import Endorsements, Referred
from tests.support import staff

T0 = 1_790_000_000_000
"""The instant, in milliseconds, at which the log takes what no test says another instant of."""


class ReferenceLog:
    """A log of `reference` with its fold; `names` are the records that count, in that order."""

    def __init__(self, *, origin: str = staff.ORIGIN, founder: str = "") -> None:
        self.fold = Endorsements(origin, founder)
        self.records: list[Referred] = []
        self.names: list[str] = []
        self._offsets = count()

    def write(self, lines: Iterable[staff.Line], *, at: int = T0) -> ReferenceLog:
        """Writes these records, and takes each; `at`: milliseconds."""
        for name, value in lines:
            said = orjson.loads(value)
            self.records.append(Referred((0, next(self._offsets)), at, name, sha256(value).hexdigest(), said, None))
            self._take(self.records[-1])
        return self

    def _take(self, record: Referred) -> None:
        if standing := self.fold.take(record):
            self.names.append((standing.record.name, standing.arrived))

    def counts(self, name: str) -> bool:
        """Tells whether a record of that name counts."""
        return name in [one for one, _ in self.names]
