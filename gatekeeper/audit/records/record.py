"""The audit record of a decision: self-contained canonical JSON, whose stored bytes are hashed (audit.md §1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

import orjson
from pydantic import TypeAdapter

from gatekeeper.audit.records.pseudonym import Subject
from gatekeeper.audit.records.releases import RULES, rules_of
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.ground.times import instant
from gatekeeper.identity import characters
from gatekeeper.policy.policy import Policy
from schemas.audit import AuditRecord, Mode, Stage
from schemas.codec import canonical
from schemas.events import Ask, OnConsents, Reference, Send, Source, Suppression

FOREIGN = (ValueError, LookupError, TypeError, AttributeError)
"""Errors of reading a record on the worker's topics that somebody else wrote."""

READ: tuple[Any, ...] = (Send, Source, OnConsents, Suppression, Reference, Ask, HeldRelease)
"""The events that decide() reads."""

_WITHHELD = ("recipient_id", "delivery")
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


def did(topic: str, partition: int, offset: int, stage: Stage, clearance: str = "", era: int = 0) -> str:
    """The decision id, the same at every retry: base32 of SHA-256 over the input's place and the stage, 26 letters.

    `clearance`: the clearance that was judged again, if one input leads to several decisions. `era`: as in the record.
    """
    more = (clearance, f"era/{era}" if era else "")
    text = "\0".join(("gate/did/1", topic, str(partition), str(offset), stage, *filter(None, more)))
    # 26 letters are 130 bits, taken as 13 pairs; base64.b32encode alone would take longer than the hash
    bits = int.from_bytes(sha256(text.encode()).digest()[:17], "big") >> 6
    return "".join([_PAIRS[bits >> shift & 1023] for shift in range(120, -1, -10)])


@cache
def schema_hash() -> str:
    """The SHA-256 of the JSON schemas of the events that decide() reads.

    The schemas hold the docstrings of these models, so a changed docstring changes this hash in every later record.
    """
    return sha256(canonical([TypeAdapter(model).json_schema() for model in READ])).hexdigest()


def read_record(value: bytes) -> dict[str, Any]:
    """The fields of an audit record of any version of the rules; raises ValueError for any other value.

    Records of later rules may have fields that this release does not know.
    """
    later = (rules_of(value) or 0) > RULES
    AuditRecord.model_validate_json(value, extra="ignore" if later else None)
    fields: dict[str, Any] = orjson.loads(value)
    return fields


def judged_send(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a send's JSON that decide() reads, without `delivery`, recipient id and tokens."""
    part = dict(sent)
    for name in _WITHHELD:
        part.pop(name, None)
    part["contact_point"] = _without_token(sent["contact_point"])
    if "match" in sent:
        part["match"] = [_without_token(match) for match in sent["match"]]
    return part


def _without_token(named: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(named)
    kept.pop("token", None)
    return kept


def record(
    decision: Decision,
    *,
    id_: str,
    origin: Mapping[str, Any],
    send: Mapping[str, Any] | None,
    snapshot: bytes | None,
    stage: Stage = "intake",
    as_of: int | None = None,
    mode: Mode = "live",
    normalised: bool = False,
    clearance: str | None = None,
    clearance_event: str | None = None,
    act: Mapping[str, Any] | None = None,
    subject: Subject | None = None,
    raw: bytes | None = None,
) -> bytes:
    """The bytes of `schemas.audit.AuditRecord`. `snapshot` goes in unchanged, not encoded again.

    `origin`: the place of the input, as of `schemas.audit.Origin`. `send`: of `judged_send`, None = unreadable.
    `normalised`: the printed value was normalised and compared, by the Unicode version that it names. `clearance`,
    `clearance_event`: as decide() was given them. `act`: the fields of `schemas.audit.Acted`, if an act was judged.
    `subject`: the person, None if nobody may be named. `raw`: the input's bytes, None = not available.
    """
    fields = _record(
        decision.policy,
        decision.at,
        id_=id_,
        origin=origin,
        stage=stage,
        send=send,
        act=act,
        mode=mode,
        subject=subject,
        raw=raw,
    )
    fields["verdict"] = decision.verdict
    fields["reasons"] = [
        {"code": reason.code, "facts": reason.facts, "says": dict(reason.says)} for reason in decision.reasons
    ]
    fields["notes"], fields["obligations"], fields["basis"] = decision.notes, decision.obligations, decision.basis
    fields["facts"] = orjson.Fragment(snapshot) if snapshot is not None else None
    if as_of is not None:
        # a setting may override the policy's longest lag, so the policy's bytes alone do not tell the limit
        fields["asof"], fields["max_lag_ms"] = instant(as_of), decision.policy.max_lag_ms
    if clearance is not None:
        fields["clearance"] = clearance
    if clearance_event is not None:
        fields["clearance_event"] = clearance_event
    if normalised:
        fields["engine"]["unicode"] = characters.VERSION
    return canonical(fields)


def record_of_act(
    policy: Policy,
    at: int,
    *,
    id_: str,
    origin: Mapping[str, Any],
    stage: Stage,
    act: Mapping[str, Any],
    scope: Mapping[str, Any] | None = None,
    clearance: str | None = None,
    mode: Mode = "live",
    subject: Subject | None = None,
    raw: bytes | None = None,
) -> bytes:
    """The bytes of `schemas.audit.AuditRecord` for an act without a decision. `scope`: the item's send.

    `clearance`: the decision id of the piece that an undo recalled. `subject`, `raw`: as `record` takes them.
    """
    fields = _record(
        policy,
        at,
        id_=id_,
        origin=origin,
        stage=stage,
        send=None,
        act=act,
        mode=mode,
        subject=subject,
        raw=raw,
    )
    fields.update(_scope(scope or {}))
    if clearance is not None:
        fields["clearance"] = clearance
    return canonical(fields)


def _record(
    policy: Policy,
    at: int,
    *,
    id_: str,
    origin: Mapping[str, Any],
    stage: Stage,
    send: Mapping[str, Any] | None,
    act: Mapping[str, Any] | None,
    mode: Mode,
    subject: Subject | None,
    raw: bytes | None,
) -> dict[str, Any]:
    subj, in_mac = subject.names(raw) if subject else (None, None)
    fields: dict[str, Any] = {
        "v": 1,
        "did": id_,
        "src": origin,
        "subj": subj,
        "in_mac": in_mac,
        **_scope(send or {}),
        "verdict": None,
        "reasons": (),
        "notes": (),
        "obligations": (),
        "basis": None,
        "send": send,
        "facts": None,
        "policy": policy.ref,
        "at": instant(at),
        "engine": {"rules": RULES, "schema": schema_hash()},
        "stage": stage,
    }
    if act is not None:
        fields["act"] = act
    if mode != "live":
        fields["mode"] = mode
    return fields


def _scope(send: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "campaign": send.get("campaign_id"),
        "controller": send.get("controller_id"),
        "channel": send.get("channel"),
        "purpose": send.get("purpose"),
        "message_class": send.get("message_class"),
    }
