"""Events of `consents`: a person's consents and refusals, and later events about them (domain rules 6.1, 6.3).

A gap says that such events may be missing, and a delivery that none is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.events.staff import Sha256
from schemas.values import (
    CHANNELS,
    Any_,
    Authors,
    Channels,
    Code,
    Id,
    Many,
    Model,
    PointId,
    PrintedLines,
    RecipientId,
    Speaker,
    Surrogate,
    Time,
    Version,
    ZonedTime,
    given,
)

ConsentState = Literal[
    "Unknown",
    "Requested",
    "RequestDeferred",
    "Refused",
    "Given",
    "RenewedGiven",
    "Expired",
    "Invalidated",
    "Revoked",
    "Withdrawn",
]
GIVEN_STATES = frozenset({"Given", "RenewedGiven"})
NO_STATES = frozenset({"Withdrawn", "Refused"})


class Consent(Model):
    """A consent event (J.8.7). A yes names exactly what it covers. A no may say `*` or nothing, and then covers all.

    `record_id`: the CRM's id of the event. `recipient_id`: the person. `controller_id`: the entity that may write.
    `state`: `Given` and `RenewedGiven` are a yes, `Withdrawn` and `Refused` a no. `Invalidated` and `Revoked` make
    earlier consents void. `recorded_at`: when it was entered. `event_time`: when the person said it; without it, a no
    counts from `recorded_at`. `expressed_by`: the speaker; an agent has proven authority. `method`: how it was said.
    `purpose`: a no also covers the purposes below its own. `channels`: a no without any covers all. `contact_point_id`:
    absent = all. `event_type`: an implied consent is not read. `notice_id`: the form on which it was given.
    `evidence_ref`: where the proof is kept. `double_opt_in`: a confirmation was asked for by e-mail. `confirms`: the
    record that this one completes. `answers`: the question that it answers. `voids`: the record that it makes void;
    absent = all earlier ones in its scope. `effective_from`, `effective_to`: its validity.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"state": {"enum": [*sorted(GIVEN_STATES)]}}},
            "then": {
                "required": ["purpose", "channels"],
                "properties": {
                    "controller_id": {"not": {"const": "*"}},
                    "purpose": {"type": "string", "not": {"const": "*"}},
                    "channels": {"type": "array", "minItems": 1, "items": {"enum": [*CHANNELS]}},
                    "contact_point_id": {"not": {"const": "*"}},
                },
            },
        }
    )

    v: Version
    kind: Literal["consent"]
    record_id: Id
    recipient_id: RecipientId
    controller_id: Id | Any_
    state: ConsentState
    recorded_at: Time
    expressed_by: Speaker
    method: Code
    purpose: Code | Any_ | None = None
    channels: Channels = ()
    contact_point_id: PointId | Any_ | None = None
    event_time: Time | None = None
    event_type: Literal["expressed", "explicit", "implied"] | None = None
    notice_id: Id | None = None
    evidence_ref: Id | None = None
    double_opt_in: bool | None = None
    confirms: Id | None = None
    answers: Id | None = None
    voids: Id | None = None
    effective_from: Time | None = None
    effective_to: Time | None = None

    @field_validator("channels")
    @classmethod
    def _a_yes_names_channels_that_exist(cls, channels: Channels, info: ValidationInfo) -> Channels:
        if info.data.get("state") in GIVEN_STATES and not {*channels}.issubset((*CHANNELS, "*")):
            raise PydanticCustomError("literal_error", "is {expected}", {"expected": ", ".join(CHANNELS)})
        return channels

    @model_validator(mode="after")
    def _a_yes_is_exact_and_a_no_is_dated(self) -> Consent:
        if self.state in GIVEN_STATES:
            wide = "*" in (self.controller_id, self.purpose, self.contact_point_id) or "*" in self.channels
            if wide or self.purpose is None or not self.channels:
                raise ValueError("a Given names its controller, purpose and channels; '*' and nothing are for a no")
        return self


class PersonEvent(Model):
    """Another event about a person, on the topic of the consents (J.8.7).

    `request_received`: the person asked for a right, as for disclosure. One of the staff in `by` signs it. For a year
    a reply of class `rights_reply` may name it, as `dsr.` and `request_id`.

    `ask_undelivered`: the ask `request_id` came back. `notice_given`: the person got the notice about `source_id`.
    `undeliverable_resolved`: the contact point takes mail again; without one, every contact point does. It needs `by`,
    which a program may be, and `evidence_ref`.
    `identity_resolved`: the stops `of` are of somebody else, as they stood then. Those in `by` sign it: one of the
    staff for a weak match, two managers for a certain one.
    `print_accepted`: one of the staff found that further text at the contact point is the person's. The event names it
    by `further`. One of those in `by` signs it.

    `recipient_id`: the person. `record_id`: the CRM's id of the event. `at`: when it happened. `recorded_at`: when it
    was entered. `request_id`: the question, of `ask_undelivered`, or the request, of `request_received`. `asked`: the
    right that the person asked for; without it, the request counts for nothing. `source_id`: the source, of
    `notice_given`.
    `contact_point_id`: of `undeliverable_resolved` and `print_accepted`. `by`: who says so. `evidence_ref`: where the
    proof is kept. `of`: stops by their ids. `further`: keyed hashes of the text that was accepted.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"kind": {"enum": ["ask_undelivered", "notice_given"]}}},
            "then": {
                "if": {"properties": {"kind": {"const": "ask_undelivered"}}},
                "then": given("request_id"),
                "else": given("source_id"),
            },
            "else": {"if": given("at"), "else": given("recorded_at")},
            "allOf": [{"if": given("asked"), "then": given("record_id", "request_id", "by", "at")}],
        }
    )

    v: Version
    kind: Literal[
        "ask_undelivered",
        "notice_given",
        "undeliverable_resolved",
        "identity_resolved",
        "request_received",
        "print_accepted",
    ]
    recipient_id: RecipientId
    record_id: Id | None = None
    at: Time | None = None
    recorded_at: Time | None = None
    request_id: Id | None = None
    asked: Code | None = None
    source_id: Id | None = None
    contact_point_id: PointId | None = None
    by: Authors | None = None
    evidence_ref: Id | None = None
    of: Annotated[Many[Id], Field(max_length=256)] = ()
    further: PrintedLines = ()

    @model_validator(mode="after")
    def _says_which_and_when(self) -> PersonEvent:
        needed = {"ask_undelivered": self.request_id, "notice_given": self.source_id}.get(self.kind, self.said)
        if needed is None:
            raise ValueError("names its ask, its source, or its time")
        if self.asked is not None and None in (self.record_id, self.request_id, self.by, self.at):
            raise ValueError("a request names itself, its event, who received it, and when")
        return self

    @property
    def said(self) -> str | None:
        """The time of the event, else the time of its recording."""
        return self.at or self.recorded_at


class FeedGap(Model):
    """A statement that withdrawals and stops of one feed may be missing, because records were lost (J.10).

    It withholds the mail of its controllers until two managers resolve it. They do so once that feed has given its list
    of those since then, and it was entered.

    `gap_id`: of the statement. `feed`: who stated consents and stops, as their records name it. These are a `caller`,
    a `register`, the `method` of a consent, or the kind of a `suppression`. A `controller` stands for itself where no
    record names one for it. `since`: from then on records may be missing. `recorded_at`: when it was entered.
    `controllers`: whose mail it withholds; without any, everybody's. `evidence_ref`: where the list is kept that was
    entered already. With it the gap withholds nobody.
    """

    v: Version
    kind: Literal["gap"]
    gap_id: Id
    feed: Annotated[
        str,
        StringConstraints(
            pattern=r"^(caller|register|method|suppression|controller)/[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$"
        ),
    ]
    since: ZonedTime
    recorded_at: ZonedTime
    controllers: Annotated[Many[Id], Field(max_length=256)] = ()
    evidence_ref: Surrogate | None = None


class FeedDelivery(Model):
    """The word of a feed's sender that it told everything up to an instant (APPI 22; domain rule 8.3.59).

    `delivery_id`: of the delivery. `feed`: by its id. `at`: up to when the sender has told everything. `count`,
    `sha256`: the sender's own number of rows, and hash of the file. `position`: of a stream, up to where its source was
    read. `recorded_at`: when it was entered.
    """

    v: Version
    kind: Literal["delivery"]
    delivery_id: Id
    feed: Id
    at: ZonedTime
    count: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    sha256: Sha256 | None = None
    position: Surrogate | None = None
    recorded_at: Time | None = None

    @property
    def counted(self) -> bool:
        """True if its sender says how much there was: a count with a hash, a position, or nothing."""
        return self.position is not None or self.count == 0 or (self.count is not None and self.sha256 is not None)


OnConsents = Annotated[Consent | PersonEvent | FeedGap | FeedDelivery, Field(discriminator="kind")]
"""One record of `consents`, distinguished by its `kind`."""
