"""Decides recorded sends again under another policy, and counts old against new verdicts."""

from __future__ import annotations

import dataclasses

import orjson

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.checks.recorded_case import RecordedCase, Unjudged, decided, read
from gatekeeper.audit.records.masking import word
from gatekeeper.audit.records.releases import RULES
from gatekeeper.ground.times import LONG_AGO
from gatekeeper.policy.changes import NONE, Changes, Result
from gatekeeper.policy.packs import STRICTEST, Packs
from gatekeeper.policy.policy import Policy
from schemas.audit import AuditRecord


class WhatIf:
    """A new policy's verdicts on recorded sends; the policy replaces the home pack, or the strictest one.

    Only decisions at intake count, with the facts of that time. Consequences are not followed up: another piece as the
    first one, or a person not asked. `left_out` counts sends whose verdict no policy text decides: unreadable sends,
    defects, and times without a policy in force. `other_rules` counts sends that another version of the rules decided.
    Our rules may need facts that such a record does not hold. `unknown` counts values that are no record, and records
    whose named bytes are missing.
    """

    def __init__(self, new: Policy, by_hash: ByHash) -> None:
        self.new = new
        self.changes = Changes()
        self.left_out = 0
        self.other_rules = 0
        self.unknown = 0
        self._by_hash = by_hash
        self._forever = dataclasses.replace(new, since=LONG_AGO.first)

    def add(self, value: bytes) -> None:
        """Counts one audit record. Never raises."""
        try:
            record = AuditRecord.model_validate_json(value)
            if record.stage != "intake" or record.verdict is None:
                return
            if record.engine.rules != RULES:
                self.other_rules += 1
                return
            content = orjson.loads(value)
            case = read(record, content, self._by_hash)
            if case.told:
                self.left_out += 1
                return
            new = decided(case, self._by_hash, self._packs(case))
        except (ValueError, Missing, Unjudged):
            self.unknown += 1
            return
        old = Result(record.verdict, record.reasons[0].code if record.reasons else None)
        method = next((word(source.method) for source in case.facts.sources if source.source_id == new.basis), NONE)  # type: ignore[union-attr]
        self.changes.add(
            old,
            Result(new.verdict, new.primary),
            method=method,
            campaign=record.campaign or NONE,
            person=content.get("subj"),
        )

    def _packs(self, case: RecordedCase) -> Packs:
        """Packs with the new version in its place, beside the version that decided."""
        own = self._by_hash.policy(case.policy.sha256).max_lag_ms
        over = case.record.max_lag_ms if case.record.max_lag_ms != own else None  # a setting overrides every version
        old = dataclasses.replace(case.policy, since=LONG_AGO.first)
        strictest = self.new.id == STRICTEST
        packs = Packs((old,), (self._forever,)) if strictest else Packs((self._forever,), (old,))
        return packs.with_max_lag(over)
