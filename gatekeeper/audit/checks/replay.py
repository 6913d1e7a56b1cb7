"""Derives one audit record again: the verdict from its facts by decide(), then the whole record, byte for byte.

Some causes stand in the record alone: an unreadable send, a defect of ours, no policy in force. Replay takes them from
the record and reports them as `told`. All of them withhold, so none can hide a clearance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import orjson

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.checks.record_difference import ABSENT, first_difference, shown
from gatekeeper.audit.checks.recorded_case import RecordedCase, Unjudged, decided, milliseconds, read, whole
from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.record import read_record
from gatekeeper.audit.records.releases import RELEASES, RULES, rules_of
from gatekeeper.audit.tlog.canonical_json import read_canonical
from gatekeeper.deciding.decide import Decision
from gatekeeper.engine.item import number
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.reasons import Found
from schemas.audit import NORMALISED, AuditRecord, Stage
from schemas.codec import canonical
from schemas.topics import logical_name

ReplayFinding = Literal["same", "told", "silent", "drift", "unknown", "unverified"]
"""Results of a replay.

`same`: derived. `told`: the same, but its cause stands in the record alone. `silent`: the record has no verdict.
`drift`: the record differs from the derived one. `unknown`: the record cannot be derived. `unverified`: a release with
other rules decided it, and our rules lead to another decision. This release cannot check such a decision.
"""

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
_NUMBER = re.compile(rb'(?:":|[\[,])-?(?:[0-9]{16}|[0-9]+[.eE])')
"""Possible numbers outside canonical JSON; a match may also lie within a string."""


class Replayed(NamedTuple):
    """Result for one record. `place`: the first field that differs. `why`: the obstacle to a replay."""

    finding: ReplayFinding
    did: str
    stage: str = ABSENT
    place: str = ""
    recorded: str = ""
    derived: str = ""
    why: str = ""


def replay(
    value: bytes, by_hash: ByHash, *, under: Packs | None = None, releases: Mapping[int, str] = RELEASES
) -> Replayed:
    """The result of replaying one record. `value`: its bytes as stored. Never raises.

    `under`: the packs that were in force, if known. Without them, the policy named by the record counts as in force.
    `releases`: the released versions of the rules.
    """
    rules = other_rules(value, releases)
    try:
        record = AuditRecord.model_validate_json(value)
        content: dict[str, Any] = orjson.loads(value)
        for at in filter(None, (record.at, record.asof)):
            milliseconds(at)  # the pattern also allows instants that do not exist
    except ValueError:
        return _unread(value, rules)
    ran = False
    try:
        if record.verdict is None:
            derived, finding = _silent(record, content, by_hash, under), "silent"
        else:
            case = read(record, content, by_hash)
            decision, ran = decided(case, by_hash, under), not case.unjudged
            derived, finding = _rebuilt(case, decision), "told" if case.told else "same"
    except Missing as missing:
        return Replayed("unknown", record.did, record.stage, why=f"{missing.kind} {missing.digest}")
    except Unjudged as unjudged:
        return Replayed("drift", record.did, record.stage, str(unjudged), shown(content, str(unjudged)), ABSENT)
    differs = None if canonical(derived) == value else first_difference(content, derived)
    if differs and rules and ran:
        derived = _rebuilt(case, _as_recorded(decision, record))
    if differs and canonical(derived) != value:  # not only the decision differs, or our own rules made it
        return Replayed("drift", record.did, record.stage, *first_difference(content, derived))
    if not _from_its_input(record):
        return Replayed("drift", record.did, record.stage, "src", shown(content, "src"), ABSENT)
    if not _well_numbered(content):
        return Replayed("drift", record.did, record.stage, "act.counted", shown(content, "act.counted"), ABSENT)
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
            content = read_record(value)
            return Replayed("unverified", content["did"], content["stage"], why=f"rules {rules}")
    return Replayed("unknown", ABSENT, why="record")


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


def _rebuilt(case: RecordedCase, decision: Decision) -> dict[str, Any]:
    record, content = case.record, case.said
    act = content.get("act")
    if act is not None:
        act = {**act, "outcome": _outcome(record.stage, act["kind"], act["outcome"], decision)}
    proof = audit.record(
        decision,
        id_=_did(record, record.clearance if record.stage == "handoff" else None),
        origin=content["src"],
        send=audit.judged_send(whole(content["send"])) if content["send"] is not None else None,
        snapshot=case.facts.snapshot if case.facts else None,
        stage=record.stage,
        as_of=milliseconds(record.asof) if record.asof else None,
        mode=record.mode,
        normalised=case.facts is not None and case.facts.printed in NORMALISED,
        clearance=record.clearance,
        clearance_event=record.clearance_event,
        act=act,
    )
    return _copied(orjson.loads(proof), content)


def _outcome(stage: Stage, kind: str | None, outcome: str, decision: Decision) -> str:
    """The outcome of an act by its decision. An act that is refused, or asks the person, clears nothing."""
    if stage == "handoff" and kind == "reemit":
        return "reemitted" if decision.verdict == "clear" else "refused"
    if stage == "handoff":
        return "handed" if decision.verdict == "clear" else "recalled"
    if outcome in ("refused", "asked"):
        return outcome
    return "cleared" if decision.verdict == "clear" else "withheld"


def _silent(record: AuditRecord, content: dict[str, Any], by_hash: ByHash, under: Packs | None) -> dict[str, Any]:
    """The record that an act without a decision must have."""
    if record.stage == "intake":
        raise Unjudged("verdict")  # a send is always judged
    act, at = content.get("act") or {}, milliseconds(record.at)
    proof = audit.record_of_act(
        under.at(at) if under else by_hash.policy(record.policy.sha256),
        at,
        id_=_did(record, record.act.item if record.act and record.stage == "recall" else None),
        origin=content["src"],
        stage=record.stage,
        act={**act, "outcome": "failed" if act.get("outcome") in RESULTS else act.get("outcome")},
        clearance=record.clearance if act.get("kind") == "undo" else None,
        mode=record.mode,
    )
    scope = ("campaign", "controller", "channel", "purpose", "message_class")
    return _copied(orjson.loads(proof), content) | {name: content[name] for name in scope}


def _well_numbered(content: dict[str, Any]) -> bool:
    """Tells whether the release of an act was judged with the number that the worker counted, or a larger one."""
    act = content.get("act") or {}
    if act.get("counted") is None or not content["facts"]:
        return True
    releases = [release for release in content["facts"].get("releases", ()) if release["decision_id"] == act["item"]]
    return all(release.get("bulk") == number(act.get("bulk"), act["counted"]) for release in releases)


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
    return audit.did(src.topic, src.partition, src.offset, record.stage, clearance or "", src.era)


def _copied(derived: dict[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the fields that follow from no decision: made with keys, or describing the deciding engine."""
    for name in COPIED:
        derived.pop(name, None)
        if name in content:
            derived[name] = content[name]
    engine = derived["engine"]
    engine.update({name: content["engine"][name] for name in ("rules", "schema")})
    if "unicode" in engine and content["engine"].get("unicode"):
        engine["unicode"] = content["engine"]["unicode"]
    return derived
