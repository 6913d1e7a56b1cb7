"""Decides recorded sends again under another policy, and counts old against new verdicts."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.checks.replay import RecordedCase, Unjudged, decided, read
from gatekeeper.audit.records.masking import word
from gatekeeper.policy.packs import STRICTEST, Packs
from gatekeeper.policy.policy import Policy
from gatekeeper.times import LONG_AGO
from schemas.audit import AuditRecord, Verdict

By = Literal["verdict", "reason", "source", "campaign"]
NONE = "-"


class Change(NamedTuple):
    """One row: old and new verdict, grouped by primary reasons, acquisition method or campaign."""

    by: By
    name: str
    old: Verdict
    new: Verdict


@dataclass(slots=True)
class SendCount:
    """Number of sends, and the pseudonyms of their people where records name them."""

    sends: int = 0
    people: set[str] = field(default_factory=set)

    def add(self, person: str | None) -> None:
        """Counts one send of a person."""
        self.sends += 1
        if person is not None:
            self.people.add(person)


class WhatIf:
    """Counts of a new policy's verdicts on recorded sends; the policy replaces the home pack, or the strictest one.

    Only decisions at intake count, with the facts of that time. Consequences are not followed up: another piece as the
    first one, or a person not asked. `left_out` counts sends whose verdict no policy text decides: unreadable sends,
    defects, and times without a policy in force. `unknown` counts values that are no record, and records whose named
    bytes are missing.
    """

    def __init__(self, new: Policy, library: ByHash) -> None:
        self.new = new
        self.decisions = 0
        self.left_out = 0
        self.unknown = 0
        self.cells: dict[Change, SendCount] = defaultdict(SendCount)
        self._library = library
        self._forever = dataclasses.replace(new, since=LONG_AGO.first)

    def add(self, value: bytes) -> None:
        """Counts one audit record. Never raises."""
        try:
            record = AuditRecord.model_validate_json(value)
            if record.stage != "intake" or record.verdict is None:
                return
            said = orjson.loads(value)
            case = read(record, said, self._library)
            if case.told:
                self.left_out += 1
                return
            new = decided(case, self._library, self._packs(case))
        except (ValueError, Missing, Unjudged):
            self.unknown += 1
            return
        self.decisions += 1
        before = record.reasons[0].code if record.reasons else NONE
        method = next((word(one.method) for one in case.facts.sources if one.source_id == new.basis), NONE)  # type: ignore[union-attr]
        names: dict[By, str] = {"verdict": "", "reason": f"{before} → {new.primary or NONE}"}
        names |= {"source": method, "campaign": record.campaign or NONE}
        for by, name in names.items():
            self.cells[Change(by, name, record.verdict, new.verdict)].add(said.get("subj"))

    def rows(self, by: By, *, changed: bool = True) -> Iterator[tuple[Change, SendCount]]:
        """Yields the rows of one kind, most sends first. `changed`: only rows with another verdict."""
        rows = [(change, cell) for change, cell in self.cells.items() if change.by == by]
        for change, cell in sorted(rows, key=lambda row: (-row[1].sends, row[0])):
            if not changed or change.old != change.new:
                yield change, cell

    @property
    def widened(self) -> SendCount:
        """The sends that the new policy clears and the old one withheld."""
        found = SendCount()
        for change, cell in self.rows("verdict"):
            if change.new == "clear":
                found.sends += cell.sends
                found.people |= cell.people
        return found

    def _packs(self, case: RecordedCase) -> Packs:
        """Packs with the new version in its place, beside the version that decided."""
        own = self._library.policy(case.policy.sha256).max_lag_ms
        over = case.record.max_lag_ms if case.record.max_lag_ms != own else None  # a setting overrides every version
        old = dataclasses.replace(case.policy, since=LONG_AGO.first)
        strictest = self.new.id == STRICTEST
        packs = Packs((old,), (self._forever,)) if strictest else Packs((self._forever,), (old,))
        return packs.with_max_lag(over)
