"""Models of the audit record: a decision or an act with all that it was made from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.decision import DecisionId, FoundReason, PolicyRef, Verdict
from schemas.events.resolutions import NoName
from schemas.events.staff import TablePlace, TreePlace
from schemas.values import Code, Count, Day, Digest, Id, Instant, Many, Model, PerMille, PrintedText, Version

Stage = Literal["intake", "release", "handoff", "recall", "act"]
Mode = Literal["live", "shadow"]
"""`live`: cleared sends go out. `shadow`: sends are only judged, beside another process."""
Acts = Literal["signed", "unsigned"]
"""`signed`: an act needs the signature of a person. `unsigned` ends with the first person on `reference`."""
Pseudonym = Annotated[str, StringConstraints(pattern=r"^s1_[A-Za-z0-9_-]{43}$")]
"""A person's name in audit records, made with a key that erasure destroys."""
ErrorKey = Annotated[str, StringConstraints(pattern=r"^error\.[a-z_]{1,60}$")]
"""Reason for refusing a partition, as a key of the catalogue of sentences."""
Age = Annotated[int, Field(ge=0, le=25)]
"""Completed years; 25 stands for every higher age, as no rule asks for more."""
Printing = Literal[
    "tokenised",
    "unaccounted",
    "not_an_address",
    "no_key",
    "not_checked",
    "missing",
    "incomplete",
    "several",
    "token_differs",
]
"""Result of comparing a send's delivery with its contact point (`gatekeeper.identity.send_address` explains each).

`unaccounted`: tokenised, but more is printed than one name and one address.
"""

NORMALISED: tuple[Printing, ...] = ("tokenised", "unaccounted")
"""The results for which text was normalised."""


class Origin(Model):
    """Place of a decision's input: topic, partition, offset, and the broker's timestamp in milliseconds.

    `era`: how often the offsets had begun anew, because the log was replaced by another. Absent for the first one.
    """

    topic: str
    partition: Count
    offset: Count
    timestamp: Count
    era: Count = 0


class Stop(Model):
    """A suppression of the person, with the certainty of the match: 1000 per mille unless found by a weaker match.

    `elsewhere`: the suppression names only another contact point that a source of the person gives. `named`: it names
    another than the first of the names printed; its place among them.
    """

    event: dict[str, Any]
    elsewhere: bool = False
    named: Count | None = None
    score: PerMille


class Address(Model):
    """An address that a source gave for a contact point, without saying which address it is.

    `id`: the contact point. `n`: the number of the address among those of the person; equal addresses have one number.
    `acquired_at`: when the source was acquired. `here`: how surely it is the address of the send (per mille).
    `unknown`: nobody can tell, because its token and the send's were made with different keys.
    """

    id: Id
    n: Count
    acquired_at: str | None = None
    here: PerMille = 0
    unknown: bool = False


class Snapshot(Model):
    """The facts about a person that decide() saw, without ids of the person, contact values or tokens.

    `contact_point_from`: the sources whose contact point has exactly the token of the printed value.
    `addresses`: the addresses behind the contact points of sources, deleted ones too. None if each contact point is one
    address, and the send's is the one on file.
    `asked`: questions under other ids that have a postal token of the send.
    `late`: companies registered after a refusal that names them, with the arrival of the record in milliseconds.
    `confirmed`: the nos for whose date two managers stand, as suppression/ID and event/ID.
    `left`: by company the groups that refusals name and that it left by one manager's record, with its arrival.
    `contact_point_near`: the sources with a less exact spelling of it, with the score. `printed`: the result of
    comparing the delivery; None if the send had none and the token in it was taken. `printed_text`: the
    keyed hash of what is printed, if it is unaccounted for. `further`: for each line of further text its keyed hashes;
    none if some of it never counts. `unreadable`: the records that could not be read.
    `erased`: the time of the person's erasure in the ledger, in milliseconds. `refs`: the SHA-256 of the reference data
    that was read (None: named but unknown). `age`: completed years at the decision, at most 25, None without a birth
    date. `age_from`: the sources that state it. `age_on`: the same by the days of the consents.
    """

    sources: Many[dict[str, Any]]
    consents: Many[dict[str, Any]]
    suppressions: Many[Stop]
    contact_point_from: Many[Id]
    unreadable: Many[str]
    refs: dict[str, Digest | None]
    events: Many[dict[str, Any]] = ()
    asks: Many[dict[str, Any]] = ()
    asked: Many[dict[str, Any]] = ()
    releases: Many[dict[str, Any]] = ()
    contact_point_near: dict[str, PerMille] = Field(default_factory=dict)
    addresses: Many[Address] = ()
    late: dict[Id, int] = Field(default_factory=dict)
    left: dict[Id, dict[Id, int]] = Field(default_factory=dict)
    confirmed: Many[NoName] = ()
    printed: Printing | None = None
    printed_text: PrintedText | None = None
    further: Many[Many[PrintedText]] = ()
    erased: Count | None = None
    age: Age | None = None
    age_from: Many[Id] = ()
    age_on: dict[Day, Age] = Field(default_factory=dict)


class Engine(Model):
    """The rules that decided: their version, hash of the schema, and Unicode version if text was normalised."""

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
"""Outcome of an act, or of a clearance under it. `waiting`: for the second person. `done`: the whole campaign act."""


class Resumed(Model):
    """An act's request to a refused partition: the error and the head (SHA-256) it names, and the next offsets.

    This is only the request. The manifest that names the act states the skipped offsets.
    """

    refused: ErrorKey
    head: Digest | None
    sends: Count
    acts: Count


class SignedBy(Model):
    """The signature of an act, with which anybody can check it. The signed text holds these fields and the log's name.

    `method`: `key` or `passkey` of the person, `vouched` if it is the word of the console. The console then names
    itself and how the person signed in. `sha256`: of 16 random bytes that are not kept, and the act's bytes. `subject`:
    kind and item, subject, or `person`. `table`: the place of the act among those that one touch of a passkey signed.
    `tree`: the same up to release 0.3.0.
    """

    by: Id
    key: Id
    method: Literal["key", "passkey", "vouched"]
    at: str
    sha256: Digest
    sig: str
    subject: str
    console: Id | None = None
    signin: Code | None = None
    authenticator: str | None = None
    client: str | None = None
    table: TablePlace | None = None
    tree: TreePlace | None = None


class Acted(Model):
    """An act on an item: actor, kind, item and outcome. `code`: why the act was refused.

    `code` is `again` for a piece that was handed off before. It is `called_off` for a hand-off that ended at
    a cancellation. `item`: a decision id, of a record of `review`, or of the clearance that was handed off or recalled.
    The reason in words stays on `acts`; the signature covers it. `why`: only in records of rules before 7; SHA-256 of
    `gate/why/1`, the act's id and the words. `bulk`: the number of items that a release is one of; None if not stated.
    `counted`: the items that the person released for the campaign within an hour, as the worker counted. A larger
    number in the signed table counts instead. 0 if it could not count; None for other acts, and before 0.4.0.
    `resumed`: only of an act about a refused partition. `signed`: who signed the act, and how; None = nobody.
    """

    act_id: Id | None
    kind: Code | None
    by: Annotated[Many[Id], Field(max_length=4)] | Id | None
    at: str | None
    evidence_ref: Id | None
    item: str | None
    outcome: Outcome
    code: Code | None
    why: Digest | None = None
    bulk: Count | None = None
    counted: Count | None = None
    resumed: Resumed | None = None
    signed: Many[SignedBy] | None = None


class AuditRecord(Model):
    """One decision, self-contained: replay derives the verdict again from `send`, `facts` and `policy` alone.

    `subj`: the person; None if nobody is named, or the person was erased. `in_mac`: HMAC-SHA256 of the bytes at `src`,
    under the person's key. None also if the bytes were not read again, as for a recall. `asof`, `max_lag_ms`: for late
    facts, the instant up to which all facts were known, and the longest allowed lag. `clearance`: the earlier decision
    that cleared the same piece, as given to decide(), or that an undo recalled. `clearance_event`: the event id of its
    send, as given to decide(). `act`: a person's act, if the input was one; `verdict` is None if it decided nothing.
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
    reasons: Many[FoundReason]
    notes: Many[Code]
    obligations: Many[Code]
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
    clearance_event: Id | None = None
    act: Acted | None = None
