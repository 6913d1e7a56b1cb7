"""A record read back into the inputs of decide(), and the decision that follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.rules.system import Checkpoint, Cleared
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.engine.failures import defect
from gatekeeper.ground.times import LONG_AGO
from gatekeeper.policy.packs import NEVER, Packs, PolicyOutage
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from schemas.audit import AuditRecord
from schemas.codec import canonical
from schemas.events import Send

NOBODY = "nobody"
NO_TOKEN = "t1_" + "0" * 43
"""Placeholders for fields that records do not hold and decide() does not read."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


class Unjudged(Exception):
    """The recorded value of this field cannot have been an input of decide()."""


class RecordedCase(NamedTuple):
    """A record with a verdict, read back into the inputs of decide()."""

    record: AuditRecord
    said: dict[str, Any]
    policy: Policy
    send: Send | None
    facts: Facts | None

    @property
    def told(self) -> bool:
        """True if the cause stands in the record alone: an unreadable send, a defect, no policy in force."""
        codes = [reason.code for reason in self.record.reasons]
        if codes == ["POLICY_UNKNOWN"] and self.send is not None:
            country = self.send.contact_point.country
            return "case" in self.record.reasons[0].says or country is None or country in self.policy.jurisdictions
        return self.unjudged

    @property
    def unread(self) -> bool:
        """True if there was no readable send to judge."""
        return self.send is None and [reason.code for reason in self.record.reasons] == ["EVENT_INVALID"]

    @property
    def unjudged(self) -> bool:
        """True if decide() was not called, or failed, so that no rules took part."""
        return self.unread or [reason.code for reason in self.record.reasons] == ["DECISION_FAILED"]


def read(record: AuditRecord, said: dict[str, Any], by_hash: ByHash) -> RecordedCase:
    """The inputs of decide() for a record; raises Missing, or Unjudged if a recorded field cannot be an input."""
    policy = by_hash.policy(record.policy.sha256)
    if record.max_lag_ms is not None:
        policy = dataclasses.replace(policy, max_lag_ms=record.max_lag_ms)
    try:
        send = Send.model_validate_json(canonical(whole(record.send))) if record.send is not None else None
    except (ValueError, LookupError, TypeError):
        raise Unjudged("send") from None
    try:
        facts = read_snapshot(canonical(said["facts"])) if record.facts is not None else None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Unjudged("facts") from None
    return RecordedCase(record, said, policy, send, facts)


def decided(case: RecordedCase, by_hash: ByHash, under: Packs | None = None) -> Decision:
    """The decision that follows. `under`: packs that replace the recorded policy. Raises as `read` does."""
    record, at = case.record, milliseconds(case.record.at)
    policy = under.at(at) if under else case.policy
    reasons = [Found(reason.code, reason.facts, reason.says) for reason in record.reasons]
    if case.unjudged:
        return only(policy, at, reasons)
    if case.send is None or case.facts is None or record.facts is None:
        raise Unjudged("send" if case.send is None else "facts")
    reference = by_hash.reference(record.facts.refs)
    try:
        packs = under or _packs(case.policy, reasons, record.notes)
        checkpoint: Checkpoint = "handoff" if record.stage in ("handoff", "recall") else "intake"
        return decide(
            Plans(reference, packs, at).of(case.send, checkpoint),
            case.send,
            case.facts,
            as_of=milliseconds(record.asof) if record.asof else None,
            clearance=Cleared(record.clearance, record.clearance_event) if record.clearance else None,
        )
    except Exception as error:  # facts that no worker of ours could have judged
        return only(policy, at, [defect(error)])


def consent_used(said: Mapping[str, Any], by_hash: ByHash) -> str | None:
    """The id of the consent on which a recorded decision stands, by the functions that decided.

    `said`: an audit record. None if it stands on none, or if data named by the record is missing. None also if the
    rules of this release lead to another verdict.
    """
    try:
        record = AuditRecord.model_validate_json(canonical(said))
        decision = decided(read(record, dict(said), by_hash), by_hash)
    except (Missing, Unjudged, ValueError):
        return None
    return decision.consent if decision.verdict == record.verdict else None


def milliseconds(written: str) -> int:
    """An instant as records write it, in milliseconds since the epoch."""
    return (datetime.fromisoformat(written) - _EPOCH) // timedelta(milliseconds=1)


def whole(send: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded send with placeholders for the fields that records do not hold."""
    filled = {**send, "recipient_id": NOBODY, "contact_point": {**send["contact_point"], "token": NO_TOKEN}}
    if "match" in send:
        filled["match"] = [{**match, "token": NO_TOKEN} for match in send["match"]]
    return filled


def _packs(policy: Policy, reasons: list[Found], notes: Collection[str]) -> Packs:
    """Packs with this version in force, or with none if the record says so."""
    since, bars = NEVER if "POLICY_UNKNOWN" in notes else LONG_AGO.first, []
    if [reason.code for reason in reasons] == ["POLICY_UNKNOWN"]:
        says = reasons[0].says
        if (case := says.get("case")) in ("unreadable", "looser"):
            bars.append(PolicyOutage(says.get("policy", ""), LONG_AGO.first, NEVER, case, says.get("what", "")))  # type: ignore[arg-type]
        else:
            since = NEVER
    versions = (dataclasses.replace(policy, since=since),)
    return Packs(versions, versions, tuple(bars))
