"""What people do about withheld sends, or beside a fact: the records of `acts` (domain rules 6.1, 6.8)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.values import (
    Channel,
    Code,
    Id,
    Line,
    Model,
    Offset,
    RecipientId,
    Surrogate,
    Time,
    Version,
    ZonedTime,
)


class ReviewPlace(Model):
    """Where the item stands on `review`."""

    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset


class Release(Model):
    """A reviewer's word on one decision: that its reasons need not withhold the piece, or that word taken back.

    It holds for the send key: recipient, campaign and channel. On `acts` it needs `act_id` and `review`, is one
    person's, and is taken back by an undo; `release_revoked` and several people are for case files.
    `bulk`: of how many items it is one, as the person confirmed them; 1 of one alone. Where a policy limits that, a
    release which does not say so is one of too many.
    """

    v: Version
    kind: Literal["release", "release_revoked"]
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    by: Annotated[tuple[Surrogate, ...], Field(min_length=1, max_length=4)] | Surrogate
    reason: Line
    at: Time
    reasons: Annotated[tuple[Code, ...], Field(max_length=64)] = ()
    evidence_ref: Surrogate | None = None
    bulk: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    act_id: Id | None = None
    review: ReviewPlace | None = None

    @property
    def people(self) -> frozenset[str]:
        """Who stands for it."""
        return frozenset((self.by,) if isinstance(self.by, str) else self.by)


class ItemAct(Model):
    """What else a person does about one item of the review queue.

    `approve`: the second person's word on a release. `undoes`: the act that an undo takes back, None = the one that
    stands. `note`, `reveal` and `claim` are only recorded; the others are judged.
    """

    v: Version
    kind: Literal["approve", "uphold", "ask", "redecide", "undo", "note", "reveal", "claim"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    review: ReviewPlace
    reason: Line = ""
    evidence_ref: Surrogate | None = None
    undoes: Id | None = None


class CampaignAct(Model):
    """What a person does about all that is cleared of one campaign: handed to a print house, or called back.

    One record a partition of `sends`, each with the same `act_id`. `subject`: campaign/ID. `channel`: None = any.
    `again`: what was handed off before is handed off once more.
    """

    v: Version
    kind: Literal["handoff", "cancel"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    subject: Annotated[str, StringConstraints(pattern=r"^campaign/[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
    channel: Channel | None = None
    again: bool = False
    reason: Line = ""
    evidence_ref: Surrogate | None = None

    @property
    def campaign(self) -> str:
        """The campaign's id."""
        return self.subject.partition("/")[2]


class SourcePlace(Model):
    """Where the bytes stand that were cleared: on `sends`, or on `review` where an act had let them go."""

    topic: Literal["sends", "review"]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset


class Reemission(Model):
    """A cleared piece that is gone from `cleared`, to be written there again: same key, id and bytes.

    `decision_id`: its clearance. `after`: the act that wrote it again last, None = none did; where another has since,
    this one does nothing.
    """

    v: Version
    kind: Literal["reemit"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    source: SourcePlace
    after: Id | None = None
    reason: Line = ""
    evidence_ref: Surrogate | None = None


class PairedAct(Model):
    """Who did it and why, for a fact that was written in the same transaction; the fact itself decides.

    It is about one person, or about a `subject`: a reference record as kind/id. `erase` and `readmit` are about a
    person, and stand on every partition: each destroys the person's salt in its own ledger, or lets a new one be made.
    """

    v: Version
    kind: Literal["withdraw", "suspend", "resume", "quarantine", "activate", "erase", "readmit"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    recipient_id: RecipientId | None = None
    subject: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}/[A-Za-z0-9._:\-]{1,64}$")] | None = None
    reason: Line = ""
    evidence_ref: Surrogate | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.recipient_id is None) == (self.subject is None):
            raise ValueError("names either a recipient or a subject")
        if self.recipient_id is None and self.kind in ("erase", "readmit"):
            raise ValueError("is about a person")
        return self


class TopicAct(Model):
    """What a person does with a whole topic. It is only recorded.

    `reveal_topic`: its records are shown with the personal data in them. `subject`: topic/NAME, as the registry has it.
    """

    v: Version
    kind: Literal["reveal_topic"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    subject: Annotated[str, StringConstraints(pattern=r"^topic/[a-z]{1,32}$")]
    reason: Line = ""
    evidence_ref: Surrogate | None = None


class PartitionAct(Model):
    """A person's word that a refused partition goes on. It stands on the partition of `acts` that it names.

    `subject`: partition/N. `refused`: the key of the error that the partition was refused for. `head`: SHA-256 (hex)
    of the entry `head` of the ledger that the person looked at, None without one. `sends`, `acts`: the next offsets.
    A worker that refuses for that error at that head goes on from there, once; the act is recorded in any case.
    """

    v: Version
    kind: Literal["resume_partition"]
    act_id: Id
    at: ZonedTime
    by: Surrogate
    subject: Annotated[str, StringConstraints(pattern=r"^partition/(0|[1-9][0-9]{0,8})$")]
    refused: Annotated[str, StringConstraints(pattern=r"^error\.[a-z_]{1,60}$")]
    head: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    sends: Offset
    acts: Offset
    reason: Line = ""
    evidence_ref: Surrogate | None = None

    @property
    def partition(self) -> int:
        """The number of the partition."""
        return int(self.subject.partition("/")[2])


Act = Annotated[
    Release | ItemAct | PairedAct | CampaignAct | Reemission | TopicAct | PartitionAct, Field(discriminator="kind")
]
"""One record of `acts`, told by its `kind`."""
