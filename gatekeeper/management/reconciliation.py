"""Comparison of a print house's report of delivered pieces with the cleared, handed-off and recalled ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gatekeeper.ground import times
from schemas.values import ID_PATTERN

DiscrepancyKind = Literal["unreadable", "unknown", "differs", "withheld", "recalled", "not_handed", "twice"]
KEY = ("recipient_id", "campaign_id", "channel")
"""Columns that identify a piece without its decision id."""
Key = tuple[str, str, str]


class Delivered(NamedTuple):
    """A row of the print house's file: the ids of a piece and its sending date; "" = not given."""

    line: int
    decision_id: str = ""
    recipient_id: str = ""
    campaign_id: str = ""
    channel: str = ""
    date: str = ""

    @property
    def key(self) -> Key:
        """The key of the piece."""
        return self.recipient_id, self.campaign_id, self.channel


class Discrepancy(NamedTuple):
    """A discrepancy in a row; `decision` is the id found for it, "" without one."""

    row: Delivered
    kind: DiscrepancyKind
    decision: str


@dataclass(slots=True)
class Books:
    """Pieces in the gate's records, by decision id.

    `recalled`: the times of the recalls, in milliseconds since the epoch. `zone`: the time zone of days.
    """

    zone: str
    cleared: dict[str, Key] = field(default_factory=dict)
    withheld: dict[str, Key] = field(default_factory=dict)
    recalled: dict[str, int] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)

    def compare(self, rows: Iterable[Delivered]) -> Iterator[tuple[Delivered, str, DiscrepancyKind | None]]:
        """Yields each row once, with its decision id ("" without) and its discrepancy, None if it is right.

        If a row has several discrepancies, the first of this order is given: unreadable, unknown, differs, withheld,
        recalled, not_handed, twice.
        """
        dids: dict[Key, str] = {}
        for decisions in (self.withheld, self.recalled, self.cleared):
            for did in decisions:
                key = self.cleared.get(did) or self.withheld.get(did)
                if key and not (decisions is self.cleared and did in self.recalled):
                    dids[key] = did  # a live clearance overrides a recalled one, which overrides a refusal
        seen: set[str] = set()
        for row in rows:
            if not _readable(row, self.zone):
                yield row, "", "unreadable"
                continue
            did = row.decision_id or dids.get(row.key, "")
            yield row, did, self._wrong(row, did, seen)
            seen.add(did)

    def _wrong(self, row: Delivered, did: str, seen: set[str]) -> DiscrepancyKind | None:
        key = self.cleared.get(did) or self.withheld.get(did)
        if key is None:
            return "unknown"
        if any(stated and stated != held for stated, held in zip(row.key, key, strict=True)):
            return "differs"
        if did not in self.cleared:
            return "withheld"
        if did in self.recalled and not self._before(row.date, self.recalled[did]):
            return "recalled"
        if did not in self.handed:
            return "not_handed"
        return "twice" if did in seen else None

    def _before(self, date: str, recalled: int) -> bool:
        """Tells whether a piece went out on a day before its recall; False without a date."""
        return (
            bool(date)
            and times.span(date, self.zone).last < times.span(times.day(recalled * 1000, self.zone), self.zone).first
        )


def counted(findings: Iterable[Discrepancy]) -> Mapping[str, int]:
    """The number of discrepancies of each kind, the most frequent first."""
    return dict(Counter(finding.kind for finding in findings).most_common())


def _readable(row: Delivered, zone: str) -> bool:
    if not (row.decision_id or all(row.key)):
        return False
    if any(id_ and not re.fullmatch(ID_PATTERN, id_) for id_ in (row.decision_id, *row.key)):
        return False
    try:
        return not row.date or bool(times.span(row.date, zone))
    except ValueError:
        return False
