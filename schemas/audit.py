"""What the gate says of its own work: decisions, audit records and manifests, as models for whoever reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.values import Code, Id, Model, PerMille

Verdict = Literal["clear", "confirm", "review", "block"]
Severity = Literal["HARD", "SOFT"]
Stage = Literal["intake", "release", "handoff", "recall", "act"]
Mode = Literal["live", "shadow"]
"""Whether what is cleared goes out, or all is only judged beside another process."""
Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DID_PATTERN = r"^[A-Z2-7]{26}$"
DecisionId = Annotated[str, StringConstraints(pattern=DID_PATTERN)]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^s1_[A-Za-z0-9_-]{43}$")]
"""A person, as audit records name them: of a key that erasure destroys."""
Count = Annotated[int, Field(ge=0, lt=2**53)]
ErrorKey = Annotated[str, StringConstraints(pattern=r"^error\.[a-z_]{1,60}$")]
"""Why a partition was refused, as the catalogue of sentences names it."""
Version = Annotated[int, Field(ge=1, le=1)]
Printing = Literal["tokenised", "not_an_address", "no_key"]
"""What became of a send's delivery: compared, of no use on its channel, or there was no key to compare it with."""


class PolicyRef(Model):
    """Which policy decided: id, version, and SHA-256 of its bytes."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    sha256: Digest


class FoundReason(Model):
    """A reason as recorded: its code, the ids of the facts it stands on, and what fills its sentence."""

    code: Code
    facts: tuple[str, ...]
    says: dict[str, str]


class Reason(Model):
    """A reason as people and programs read it: with clause, remedy and its sentence in both languages."""

    code: Code
    clause: str
    severity: Severity
    remedy: tuple[Literal["R", "C", "F", "N", "W", "-"], ...]
    facts: tuple[str, ...]
    ja: str
    en: str


class Decision(Model):
    """The answer to one send, as `gatekeeper decide` prints it and the header `gate-decision` carries it."""

    v: Version
    verdict: Verdict
    primary: Code | None
    reasons: tuple[Reason, ...]
    notes: tuple[Code, ...]
    obligations: tuple[Code, ...]
    basis: Id | None
    policy: PolicyRef | None
    at: Instant
    id: DecisionId | None = None


class Origin(Model):
    """Where the input of a decision stands: topic, partition, offset, and the broker's time stamp in milliseconds."""

    topic: str
    partition: Count
    offset: Count
    timestamp: Count


class Stop(Model):
    """A suppression that names the person, with how surely it does: 1000 per mille unless found by a weaker match.

    `elsewhere`: it names only another contact point that a source of the person gives.
    """

    event: dict[str, Any]
    elsewhere: bool = False
    score: PerMille


class Snapshot(Model):
    """All that decide() saw of a person, without ids of the person, contact values or tokens.

    `contact_point_from` names the sources that give the send's contact point with the very token of what is printed,
    `contact_point_near` those that give it in a more or less exact spelling, with the score.
    `printed` tells what became of the delivery; None: the send carried none, and the token it names was taken.
    `unreadable` names the records that could not be read.
    `erased`: since when the ledger has had the person as erased, in milliseconds.
    `refs` names the reference data looked at by the SHA-256 of their bytes (None: named but unknown).
    """

    sources: tuple[dict[str, Any], ...]
    consents: tuple[dict[str, Any], ...]
    suppressions: tuple[Stop, ...]
    contact_point_from: tuple[Id, ...]
    unreadable: tuple[str, ...]
    refs: dict[str, Digest | None]
    events: tuple[dict[str, Any], ...] = ()
    asks: tuple[dict[str, Any], ...] = ()
    releases: tuple[dict[str, Any], ...] = ()
    contact_point_near: dict[str, PerMille] = Field(default_factory=dict)
    printed: Printing | None = None
    erased: Count | None = None


class Engine(Model):
    """Which rules decided: version of the rules and hash of the schema, and of Unicode where text was normalised."""

    rules: Annotated[int, Field(ge=1)]
    schema_: Annotated[Digest, Field(alias="schema")]
    unicode: Code | None = None


Outcome = Literal[
    "recorded",
    "cleared",
    "withheld",
    "waiting",
    "upheld",
    "asked",
    "reopened",
    "recalled",
    "undone",
    "refused",
    "unreadable",
    "failed",
    "handed",
    "done",
    "reemitted",
]
"""What became of an act, or of a clearance by it; `waiting` is one of two people, `done` all of a campaign."""


class Resumed(Model):
    """What an act asks of a refused partition: the error and the head (SHA-256) it is about, and the next offsets.

    It says what was asked. What was skipped by it is in the manifest that names the act.
    """

    refused: ErrorKey
    head: Digest | None
    sends: Count
    acts: Count


class Acted(Model):
    """Who did what to which item, and what became of it; `code` says why it was refused.

    Of what was handed off before, `code` is `again`; of a hand-off that ended at a cancellation, `called_off`.
    `item`: a decision id, of a record of `review`, or of the clearance that was handed off or fell.
    `why`: SHA-256 of `gate/why/1`, the act's id and its reason in words, joined by 0x00; None without one. The words
    themselves stay on `acts`. `bulk`: of a release, of how many items it is one; None where it did not say.
    `resumed`: of an act about a refused partition.
    """

    act_id: Id | None
    kind: Code | None
    by: Annotated[tuple[Id, ...], Field(max_length=4)] | Id | None
    at: str | None
    evidence_ref: Id | None
    item: str | None
    outcome: Outcome
    code: Code | None
    why: Digest | None = None
    bulk: Count | None = None
    resumed: Resumed | None = None


class AuditRecord(Model):
    """One decision, self-contained: replay derives the verdict again from `send`, `facts` and `policy` alone.

    `subj`: the person; None where nobody is named, or they were erased. `in_mac`: HMAC-SHA256 of the bytes that stand
    at `src`, under the person's key; None also where those were not read again, as for a recall.
    `asof`, `max_lag_ms`: the instant up to which all facts were known, where they were late, and the longest lag.
    `clearance`: the decision that had cleared the same piece before, as decide() was told.
    `act`: of a person, where the input was one; `verdict` is None where it decided nothing.
    """

    v: Version
    did: DecisionId
    src: Origin
    subj: Pseudonym | None
    in_mac: Digest | None
    campaign: Id | None
    controller: Id | None
    channel: Code | None
    purpose: Code | None
    message_class: Code | None
    verdict: Verdict | None
    reasons: tuple[FoundReason, ...]
    notes: tuple[Code, ...]
    obligations: tuple[Code, ...]
    basis: Id | None
    send: dict[str, Any] | None
    facts: Snapshot | None
    policy: PolicyRef
    at: Instant
    engine: Engine
    stage: Stage
    asof: Instant | None = None
    max_lag_ms: Count | None = None
    mode: Mode = "live"
    clearance: DecisionId | None = None
    act: Acted | None = None


class Gap(Model):
    """Offsets that hold no readable record (markers, aborted transactions): `first` and how many."""

    first: Count
    n: Count


class ManifestInput(Model):
    """What a transaction took from one input topic: offsets `first` up to `to`, `n` records and the gaps."""

    topic: str
    first: Annotated[Count, Field(alias="from")]
    to: Count
    n: Count
    gaps: tuple[Gap, ...]


class Skipped(Model):
    """Offsets of an input that go undecided by a person's word: `first` up to `to`, and who did it.

    `topic`: the broker's name. `act`, `offset`: the act's id and where it stands on `acts`; its audit record is that
    of this input. `refused`: the error that the partition was refused for. Where `to` lies before `first`, the
    partition went back, because its log ends before the position.
    """

    topic: str
    first: Annotated[Count, Field(alias="from")]
    to: Count
    act: Id
    offset: Count
    by: Id
    refused: ErrorKey


class ManifestOutputs(Model):
    """How many records a transaction put out, by what became of the sends."""

    cleared: Count = 0
    review: Count = 0
    confirm: Count = 0
    recall: Count = 0
    dead: Count = 0


class ManifestAudit(Model):
    """The audit records of a transaction: the first one's decision id, and how many."""

    from_id: DecisionId | None
    n: Count


class Manifest(Model):
    """What one transaction did, chained to the partition's previous one by `prev` and to its records by `root`.

    `skipped`: what the partition passed over behind this transaction, after it had been refused.
    """

    v: Version
    writer: str
    kid: str
    partition: Count
    in_: Annotated[tuple[ManifestInput, ...], Field(alias="in")]
    asof: dict[str, tuple[Count, ...]]
    out: ManifestOutputs
    audit: ManifestAudit
    verdicts: dict[Verdict, Count]
    misplaced: Count = 0
    root: Digest
    prev: Digest | None
    policy: PolicyRef
    t0: Instant
    t1: Instant
    mode: Mode = "live"
    skipped: tuple[Skipped, ...] = ()
