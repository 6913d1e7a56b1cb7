"""What another policy would have made of what was decided: each decision on a send by itself, old against new."""

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
    """One row: the verdicts, and by what they are told apart: primary reasons, acquisition method or campaign."""

    by: By
    name: str
    old: Verdict
    new: Verdict


@dataclass(slots=True)
class SendCount:
    """How many sends, and the pseudonyms of their people, as far as records name them."""

    sends: int = 0
    people: set[str] = field(default_factory=set)

    def add(self, person: str | None) -> None:
        """Counts one send of a person."""
        self.sends += 1
        if person is not None:
            self.people.add(person)


class WhatIf:
    """Counts what a policy would have said of sends; it takes the place of the home pack, or of the strictest one.

    Only decisions at intake count, with the facts of then: that another piece would have been the first, or somebody
    would not have been asked, is not followed up. `left_out` counts what does not depend on a policy's text: sends
    that could not be read, defects, and that no policy was in force. `unknown` counts what cannot be told: no such
    record, or bytes missing that it names.
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
        """Takes one audit record in. Never raises."""
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
        """Yields the rows of one kind, most sends first; `changed`: only where the verdict is another."""
        rows = [(change, cell) for change, cell in self.cells.items() if change.by == by]
        for change, cell in sorted(rows, key=lambda row: (-row[1].sends, row[0])):
            if not changed or change.old != change.new:
                yield change, cell

    @property
    def widened(self) -> SendCount:
        """What the new policy clears and the old one withheld."""
        found = SendCount()
        for change, cell in self.rows("verdict"):
            if change.new == "clear":
                found.sends += cell.sends
                found.people |= cell.people
        return found

    def _packs(self, case: RecordedCase) -> Packs:
        """Packs with the new version in its place, and beside it the one that decided."""
        own = self._library.policy(case.policy.sha256).max_lag_ms
        over = case.record.max_lag_ms if case.record.max_lag_ms != own else None  # a setting goes over every version
        old = dataclasses.replace(case.policy, since=LONG_AGO.first)
        strictest = self.new.id == STRICTEST
        packs = Packs((old,), (self._forever,)) if strictest else Packs((self._forever,), (old,))
        return packs.with_max_lag(over)
