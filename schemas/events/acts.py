"""Records of `acts`: acts of people on withheld sends, or together with a fact (domain rules 6.1, 6.8)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from schemas.values import (
    Channel,
    Code,
    Id,
    Line,
    Many,
    Model,
    Offset,
    PrintedText,
    RecipientId,
    Surrogate,
    Time,
    Version,
    ZonedTime,
    absent,
    given,
)

FactDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | PrintedText
"""Digest of a fact as it stood: a part of its SHA-256, or the keyed hash of what was printed."""
Seen = dict[Code, Annotated[Many[FactDigest], Field(max_length=256)]]
"""The digests of the facts that each reason pointed to."""


class ReviewPlace(Model):
    """The place of an item on `review`.

    `partition`, `offset`: of its record. The act stands on the partition with that number.
    """

    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset


class Release(Model):
    """A reviewer releases one decision from some of its reasons; an undo takes that back.

    It holds for the send key: recipient, campaign and channel. `act_id`: of the act. `at`: when. `by`: who releases.
    `decision_id`: the decision. `review`: the place of the item. `reason`: in words. `evidence_ref`: where the proof is
    kept. `reasons`: the reasons that no longer withhold the piece. `had`: all reasons of the decision. `seen`: by named
    reason the digests of its facts, as in the header `gate-seen` of the item. A fact that is not among them withholds
    the piece on. `bulk`: the number of items that the person confirmed together, 1 for
    one alone. If the policy has a limit, a release without `bulk` is over it.
    """

    v: Version
    kind: Literal["release"]
    act_id: Id
    at: Time
    by: Surrogate
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    review: ReviewPlace
    reason: Line
    reasons: Annotated[Many[Code], Field(max_length=64)] = ()
    had: Annotated[Many[Code], Field(max_length=64)]
    seen: Seen | None = None
    evidence_ref: Surrogate | None = None
    bulk: Annotated[int, Field(ge=1, lt=2**31)] | None = None


class ItemAct(Model):
    """An act other than a release on one item of the review queue.

    `act_id`: of the act. `at`: when. `by`: who acts. `decision_id`: the decision of the item. `review`: its place.
    `reason`: in words. `evidence_ref`: where the proof is kept.

    `approve`: the second person's approval of a release. `undoes`: the act that an undo takes back, None = the current
    one. `note`, `reveal` and `claim` are only recorded; the others are judged.
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
    """An act on all cleared pieces of one campaign: hand-off to a print house, or cancellation.

    There is one record for each partition of `sends`, all with the same `act_id`. `at`: when. `by`: who acts. `reason`:
    in words. `evidence_ref`: where the proof is kept. `subject`: campaign/ID. `channel`: None = any. `again`: also
    hands off pieces that were handed off before.
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
    """Place of the cleared bytes: on `sends`, or on `review` if an act cleared them.

    `topic`, `partition`, `offset`: of the record.
    """

    topic: Literal["sends", "review"]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset


class Reemission(Model):
    """Request to write a cleared piece that is gone from `cleared` there again, with the same key, id and bytes.

    `act_id`: of the act. `at`: when. `by`: who acts. `source`: the place of the cleared bytes. `reason`: in words.
    `evidence_ref`: where the proof is kept. `decision_id`: its clearance. `after`: the last act that wrote the piece
    again, None = none. If another act has done so since, this one does nothing.
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
    """Actor and reason of a fact written in the same transaction; the fact itself decides.

    `act_id`: of the act. `at`: when. `by`: who acts. `recipient_id`: the person it is about. `subject`: else the record
    of `reference`, as kind/id. `reason`: in words. `evidence_ref`: where the proof is kept.

    `erase` and `readmit` are about a
    person, and stand on every partition. On each, they destroy the person's salt in its ledger, or allow a new one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": given("recipient_id"),
            "then": absent("subject"),
            "else": {**given("subject"), "not": {"properties": {"kind": {"enum": ["erase", "readmit"]}}}},
        }
    )

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
    """An act on a whole topic, which is only recorded.

    `reveal_topic`: shows the topic's records with their personal data.

    `act_id`: of the act. `at`: when. `by`: who looks. `reason`: in words. `evidence_ref`: where the proof is kept.
    `subject`: topic/NAME, as in the registry.
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
    """An act that lets a refused partition go on. It stands on the partition of `acts` that it names.

    `act_id`: of the act. `at`: when. `by`: who acts. `reason`: in words. `evidence_ref`: where the proof is kept.
    `subject`: partition/N. `refused`: the key of the error for which the partition was refused. `head`: SHA-256 (hex)
    of the entry `head` of the ledger that the person looked at, None without one. `sends`, `acts`: the next offsets. A
    worker that refuses for that error at that head goes on from these offsets, once. The act is recorded in any case.

    To pass one record at which a partition stands, two people write the same. `head` is then the SHA-256 of
    `[sends,acts,resumed]` of that entry, as JSON.
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
"""One record of `acts`, distinguished by its `kind`."""
