"""What a print house says it sent, held against what was cleared, handed off and called back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gatekeeper import times
from schemas.values import ID_PATTERN

Kind = Literal["unreadable", "unknown", "differs", "withheld", "recalled", "not_handed", "twice"]
KEY = ("recipient_id", "campaign_id", "channel")
"""The columns that name a piece where its decision is not named."""
Key = tuple[str, str, str]


class Delivered(NamedTuple):
    """A row of the print house's file: what it names of a piece, and when it was sent. '' = not said."""

    line: int
    decision_id: str = ""
    recipient_id: str = ""
    campaign_id: str = ""
    channel: str = ""
    date: str = ""

    @property
    def key(self) -> Key:
        """The piece by its key."""
        return self.recipient_id, self.campaign_id, self.channel


class Discrepancy(NamedTuple):
    """What is wrong with a row; `decision` is the one found for it, '' without one."""

    row: Delivered
    kind: Kind
    decision: str


@dataclass(slots=True)
class Books:
    """What the gate's records say of pieces, each by the id of its decision.

    `recalled`: when, in milliseconds since the epoch. `zone`: in which days are read.
    """

    zone: str
    cleared: dict[str, Key] = field(default_factory=dict)
    withheld: dict[str, Key] = field(default_factory=dict)
    recalled: dict[str, int] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)

    def compare(self, rows: Iterable[Delivered]) -> Iterator[tuple[Delivered, str, Kind | None]]:
        """Yields each row once, with the decision found for it ('' without) and what is wrong, None where it is right.

        Of several things that are wrong the first is told: unreadable, unknown, differs, withheld, recalled,
        not_handed, twice.
        """
        known: dict[Key, str] = {}
        for decisions in (self.withheld, self.recalled, self.cleared):
            for did in decisions:
                key = self.cleared.get(did) or self.withheld.get(did)
                if key and not (decisions is self.cleared and did in self.recalled):
                    known[key] = did  # a clearance that stands goes before one called back, and that before a refusal
        seen: set[str] = set()
        for row in rows:
            if not _readable(row, self.zone):
                yield row, "", "unreadable"
                continue
            did = row.decision_id or known.get(row.key, "")
            yield row, did, self._wrong(row, did, seen)
            seen.add(did)

    def _wrong(self, row: Delivered, did: str, seen: set[str]) -> Kind | None:
        key = self.cleared.get(did) or self.withheld.get(did)
        if key is None:
            return "unknown"
        if any(said and said != held for said, held in zip(row.key, key, strict=True)):
            return "differs"
        if did not in self.cleared:
            return "withheld"
        if did in self.recalled and not self._before(row.date, self.recalled[did]):
            return "recalled"
        if did not in self.handed:
            return "not_handed"
        return "twice" if did in seen else None

    def _before(self, date: str, recalled: int) -> bool:
        """Whether a piece went out on a day before the one of its recall; without a date nobody can say so."""
        return (
            bool(date)
            and times.span(date, self.zone).last < times.span(times.day(recalled * 1000, self.zone), self.zone).first
        )


def counted(findings: Iterable[Discrepancy]) -> Mapping[str, int]:
    """How often each kind was found, the most frequent first."""
    return dict(Counter(one.kind for one in findings).most_common())


def _readable(row: Delivered, zone: str) -> bool:
    if not (row.decision_id or all(row.key)):
        return False
    if any(said and not re.fullmatch(ID_PATTERN, said) for said in (row.decision_id, *row.key)):
        return False
    try:
        return not row.date or bool(times.span(row.date, zone))
    except ValueError:
        return False
