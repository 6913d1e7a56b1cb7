"""Derives one audit record again: the verdict from its facts by decide(), then the whole record, byte for byte.

Some causes stand in the record alone: an unreadable send, a defect of ours, no policy in force. Replay takes them from
the record and reports them as `told`. All of them withhold, so none can hide a clearance.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.records import masking
from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.record import read_record
from gatekeeper.audit.records.releases import RELEASES, RULES, rules_of
from gatekeeper.audit.tlog.canonical_json import read_canonical
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.engine.failures import defect
from gatekeeper.policy.packs import NEVER, Packs, PolicyOutage
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from gatekeeper.times import LONG_AGO
from schemas.audit import NORMALISED, AuditRecord, Stage
from schemas.codec import canonical
from schemas.events import Send
from schemas.topics import logical_name

Finding = Literal["same", "told", "silent", "drift", "unknown", "unverified"]
"""Results of a replay.

`same`: derived. `told`: the same, but its cause stands in the record alone. `silent`: the record has no verdict.
`drift`: the record differs from the derived one. `unknown`: the record cannot be derived. `unverified`: a release with
other rules decided it, and our rules lead to another decision. This release cannot check such a decision.
"""

NOBODY, NO_TOKEN = "nobody", "t1_" + "0" * 43
"""Placeholders for fields that records do not hold and decide() does not read."""
COPIED = ("subj", "in_mac")
"""Fields made with keys that replay does not have."""
INPUTS: dict[Stage, tuple[str, ...]] = {
    "intake": ("sends",),
    "release": ("acts",),
    "handoff": ("acts",),
    "act": ("acts", "review"),
    "recall": ("sends", "acts", "review"),
}
"""Topics that may hold the input of each stage. A release, for example, needs an act."""
RESULTS = frozenset(("cleared", "withheld", "asked", "handed", "reemitted"))
"""Outcomes that an act reaches only by a decision."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
_ABSENT = "-"
_NUMBER = re.compile(rb'(?:":|[\[,])-?(?:[0-9]{16}|[0-9]+[.eE])')
"""Possible numbers outside canonical JSON; a match may also lie within a string."""
_TELLING = ("verdict", "reasons")


class Replayed(NamedTuple):
    """Result for one record. `place`: the first field that differs. `why`: the obstacle to a replay."""

    finding: Finding
    did: str
    stage: str = _ABSENT
    place: str = ""
    recorded: str = ""
    derived: str = ""
    why: str = ""


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


def replay(
    value: bytes, library: ByHash, *, under: Packs | None = None, releases: Mapping[int, str] = RELEASES
) -> Replayed:
    """The result of replaying one record. `value`: its bytes as stored. Never raises.

    `under`: the packs that were in force, if known. Without them, the policy named by the record counts as in force.
    `releases`: the released versions of the rules.
    """
    rules = other_rules(value, releases)
    try:
        record = AuditRecord.model_validate_json(value)
        said: dict[str, Any] = orjson.loads(value)
        for at in filter(None, (record.at, record.asof)):
            milliseconds(at)  # the pattern also allows instants that do not exist
    except ValueError:
        return _unread(value, rules)
    ran = False
    try:
        if record.verdict is None:
            derived, finding = _silent(record, said, library, under), "silent"
        else:
            case = read(record, said, library)
            decision, ran = decided(case, library, under), not case.unjudged
            derived, finding = _rebuilt(case, decision), "told" if case.told else "same"
    except Missing as missing:
        return Replayed("unknown", record.did, record.stage, why=f"{missing.kind} {missing.digest}")
    except Unjudged as unjudged:
        return Replayed("drift", record.did, record.stage, str(unjudged), _shown(said, str(unjudged)), _ABSENT)
    differs = None if canonical(derived) == value else _first(said, derived)
    if differs and rules and ran:
        derived = _rebuilt(case, _as_recorded(decision, record))
    if differs and canonical(derived) != value:  # not only the decision differs, or our own rules made it
        return Replayed("drift", record.did, record.stage, *_first(said, derived))
    if not _from_its_input(record):
        return Replayed("drift", record.did, record.stage, "src", _shown(said, "src"), _ABSENT)
    if not _numbers_are_whole(value):
        return Replayed("unknown", record.did, record.stage, why="record")
    if differs:
        return Replayed("unverified", record.did, record.stage, *differs, why=f"rules {rules}")
    return Replayed(finding, record.did, record.stage)  # type: ignore[arg-type]


def other_rules(value: bytes, releases: Mapping[int, str] = RELEASES) -> int | None:
    """The version of the rules named by a record, if another release has it; else None.

    An earlier version that was never released excuses nothing, as anybody can write a number.
    """
    rules = rules_of(value)
    return rules if rules is not None and (rules > RULES or (rules < RULES and rules in releases)) else None


def _unread(value: bytes, rules: int | None) -> Replayed:
    """`unknown`, or `unverified` for a record of later rules with fields unknown to this release."""
    if rules is not None and rules > RULES:
        with suppress(ValueError):
            said = read_record(value)
            return Replayed("unverified", said["did"], said["stage"], why=f"rules {rules}")
    return Replayed("unknown", _ABSENT, why="record")


def _as_recorded(decision: Decision, record: AuditRecord) -> Decision:
    """The decision, with every field that rules may decide taken from the record."""
    reasons = tuple(Found(reason.code, reason.facts, reason.says) for reason in record.reasons)
    assert record.verdict is not None
    return decision._replace(
        verdict=record.verdict,
        reasons=reasons,
        notes=record.notes,
        obligations=record.obligations,
        basis=record.basis,
    )


def read(record: AuditRecord, said: dict[str, Any], library: ByHash) -> RecordedCase:
    """The inputs of decide() for a record; raises Missing, or Unjudged if a recorded field cannot be an input."""
    policy = library.policy(record.policy.sha256)
    if record.max_lag_ms is not None:
        policy = dataclasses.replace(policy, max_lag_ms=record.max_lag_ms)
    try:
        send = Send.model_validate_json(canonical(_whole(record.send))) if record.send is not None else None
    except (ValueError, LookupError, TypeError):
        raise Unjudged("send") from None
    try:
        facts = read_snapshot(canonical(said["facts"])) if record.facts is not None else None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Unjudged("facts") from None
    return RecordedCase(record, said, policy, send, facts)


def decided(case: RecordedCase, library: ByHash, under: Packs | None = None) -> Decision:
    """The decision that follows. `under`: packs that replace the recorded policy. Raises as `read` does."""
    record, at = case.record, milliseconds(case.record.at)
    policy = under.at(at) if under else case.policy
    reasons = [Found(reason.code, reason.facts, reason.says) for reason in record.reasons]
    if case.unjudged:
        return only(policy, at, reasons)
    if case.send is None or case.facts is None or record.facts is None:
        raise Unjudged("send" if case.send is None else "facts")
    reference = library.reference(record.facts.refs)
    try:
        return decide(
            case.send,
            case.facts,
            reference,
            under or _packs(case.policy, reasons, record.notes),
            at,
            as_of=milliseconds(record.asof) if record.asof else None,
            checkpoint="handoff" if record.stage in ("handoff", "recall") else "intake",
            clearance=Cleared(record.clearance, record.clearance_event) if record.clearance else None,
        )
    except Exception as error:  # facts that no worker of ours could have judged
        return only(policy, at, [defect(error)])


def milliseconds(written: str) -> int:
    """An instant as records write it, in milliseconds since the epoch."""
    return (datetime.fromisoformat(written) - _EPOCH) // timedelta(milliseconds=1)


def difference(recorded: Any, derived: Any, place: str = "") -> tuple[str, str, str] | None:
    """The first differing field with both values as JSON, `-` for a missing one; None if equal.

    Possible personal data is masked in the path and in the values, as the record may be forged.
    """
    if isinstance(recorded, dict) and isinstance(derived, dict):
        for name in sorted(recorded.keys() | derived.keys()):
            known = name if name in derived else masking.named(name)
            below = f"{place}.{known}" if place else known
            if name not in derived and not masking.tellable(name):
                return below, masking.told(masking.MASK), _ABSENT
            if name not in recorded or name not in derived:
                return below, _shown(recorded, name), _shown(derived, name)
            if found := difference(recorded[name], derived[name], below):
                return found
        return None
    if isinstance(recorded, list) and isinstance(derived, list):
        for number, (one, other) in enumerate(zip(recorded, derived, strict=False)):
            if found := difference(one, other, f"{place}[{number}]"):
                return found
        if len(recorded) != len(derived):
            below = f"{place}[{min(len(recorded), len(derived))}]"
            longer = recorded if len(recorded) > len(derived) else derived
            more = masking.told(longer[min(len(recorded), len(derived))])
            return (below, more, _ABSENT) if longer is recorded else (below, _ABSENT, more)
        return None
    same = canonical(recorded) == canonical(derived)
    return None if same else (place, masking.told(recorded), masking.told(derived))


def _first(said: Mapping[str, Any], derived: Mapping[str, Any]) -> tuple[str, str, str]:
    """The first difference of two records, the verdict's first; '' and `-` if only the bytes differ."""
    for name in (*_TELLING, *sorted({*said, *derived} - {*_TELLING})):
        one, other = ({name: of[name]} if name in of else {} for of in (said, derived))
        if found := difference(one, other):
            return found
    return "", _ABSENT, _ABSENT


def _shown(of: Mapping[str, Any], name: str) -> str:
    return masking.told(of[name]) if name in of else _ABSENT


def _whole(send: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**send, "recipient_id": NOBODY, "contact_point": {**send["contact_point"], "token": NO_TOKEN}}
    if "match" in send:
        whole["match"] = [{**match, "token": NO_TOKEN} for match in send["match"]]
    return whole


def _packs(policy: Policy, reasons: list[Found], notes: Collection[str]) -> Packs:
    """Packs with this version in force, or with none if the record says so."""
    since, bars = NEVER if "POLICY_UNKNOWN" in notes else LONG_AGO.first, []
    if [reason.code for reason in reasons] == ["POLICY_UNKNOWN"]:
        says = reasons[0].says
        if (case := says.get("case")) in ("unreadable", "looser"):
            bars.append(PolicyOutage(says.get("policy", ""), LONG_AGO.first, NEVER, case, says.get("what", "")))  # type: ignore[arg-type]
        else:
            since = NEVER
    held = (dataclasses.replace(policy, since=since),)
    return Packs(held, held, tuple(bars))


def _rebuilt(case: RecordedCase, decision: Decision) -> dict[str, Any]:
    record, said = case.record, case.said
    act = said.get("act")
    if act is not None:
        act = {**act, "outcome": _outcome(record.stage, act["kind"], act["outcome"], decision)}
    proof = audit.record(
        decision,
        id_=_did(record, record.clearance if record.stage == "handoff" else None),
        origin=said["src"],
        send=audit.judged_send(_whole(said["send"])) if said["send"] is not None else None,
        snapshot=case.facts.snapshot if case.facts else None,
        stage=record.stage,
        as_of=milliseconds(record.asof) if record.asof else None,
        mode=record.mode,
        normalised=case.facts is not None and case.facts.printed in NORMALISED,
        clearance=record.clearance,
        clearance_event=record.clearance_event,
        act=act,
    )
    return _copied(orjson.loads(proof), said)


def _outcome(stage: Stage, kind: str | None, outcome: str, decision: Decision) -> str:
    """The outcome of an act by its decision. An act that is refused, or asks the person, clears nothing."""
    if stage == "handoff" and kind == "reemit":
        return "reemitted" if decision.verdict == "clear" else "refused"
    if stage == "handoff":
        return "handed" if decision.verdict == "clear" else "recalled"
    if outcome in ("refused", "asked"):
        return outcome
    return "cleared" if decision.verdict == "clear" else "withheld"


def _silent(record: AuditRecord, said: dict[str, Any], library: ByHash, under: Packs | None) -> dict[str, Any]:
    """The record that an act without a decision must have."""
    if record.stage == "intake":
        raise Unjudged("verdict")  # a send is always judged
    act, at = said.get("act") or {}, milliseconds(record.at)
    proof = audit.record_of_act(
        under.at(at) if under else library.policy(record.policy.sha256),
        at,
        id_=_did(record, record.act.item if record.act and record.stage == "recall" else None),
        origin=said["src"],
        stage=record.stage,
        act={**act, "outcome": "failed" if act.get("outcome") in RESULTS else act.get("outcome")},
        mode=record.mode,
    )
    scope = ("campaign", "controller", "channel", "purpose", "message_class")
    return _copied(orjson.loads(proof), said) | {name: said[name] for name in scope}


def _numbers_are_whole(value: bytes) -> bool:
    """Tells whether a record holds no number but integers below 2^53, as canonical JSON does."""
    try:
        return _NUMBER.search(value) is None or bool(read_canonical(value))
    except ValueError:
        return False


def _from_its_input(record: AuditRecord) -> bool:
    topic = logical_name(record.src.topic)
    asked = record.act is not None and record.act.outcome == "asked"  # which the gate never does by itself
    return topic in INPUTS[record.stage] and not (topic == "review" and asked)


def _did(record: AuditRecord, clearance: str | None) -> str:
    src = record.src
    if logical_name(src.topic) == "review":
        return record.did  # an act of the gate itself on an item; the id also depends on the act that asked
    return audit.did(src.topic, src.partition, src.offset, record.stage, clearance or "")


def _copied(derived: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the fields that follow from no decision: made with keys, or describing the deciding engine."""
    for name in COPIED:
        derived.pop(name, None)
        if name in said:
            derived[name] = said[name]
    engine = derived["engine"]
    engine.update({name: said["engine"][name] for name in ("rules", "schema")})
    if "unicode" in engine and said["engine"].get("unicode"):
        engine["unicode"] = said["engine"]["unicode"]
    return derived
