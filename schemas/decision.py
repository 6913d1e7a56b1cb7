"""Models of a decision: with sentences for people and programs, and in codes and values as it travels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.values import Code, Digest, Id, Instant, Many, Model, Version

Verdict = Literal["clear", "confirm", "review", "block"]
Severity = Literal["HARD", "SOFT"]
DID_PATTERN = r"^[A-Z2-7]{26}$"
DecisionId = Annotated[str, StringConstraints(pattern=DID_PATTERN)]


class PolicyRef(Model):
    """The policy that decided: id, version, and SHA-256 of its bytes."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    sha256: Digest


class FoundReason(Model):
    """A recorded reason: its code, the ids of its facts, and the values of its sentence."""

    code: Code
    facts: Many[str]
    says: dict[str, str]


class CodedReason(FoundReason):
    """A recorded reason, with the clause that the deciding policy cites for it."""

    clause: str


class Reason(Model):
    """A reason for people and programs, with clause, remedy, and its sentence in both languages."""

    code: Code
    clause: str
    severity: Severity
    remedy: Many[Literal["R", "C", "F", "N", "W", "-"]]
    facts: Many[str]
    ja: str
    en: str


class DecisionBase(Model):
    """The fields of a decision beside its reasons."""

    verdict: Verdict
    primary: Code | None
    notes: Many[Code]
    obligations: Many[Code]
    basis: Id | None
    policy: PolicyRef | None
    at: Instant


class Decision(DecisionBase):
    """The answer to one send, with sentences, as `gatekeeper decide` prints it."""

    v: Version
    reasons: Many[Reason]
    id: DecisionId | None = None


class CodedDecision(DecisionBase):
    """The answer to one send in codes and values, as the header `gate-decision` carries it on `review`."""

    v: Annotated[int, Field(ge=2, le=2)]
    reasons: Many[CodedReason]
    id: DecisionId
