"""What the world tells the gate: sends, and the facts and reference data that decide them (domain rule 6.1).

Every value has `"v": 1`; a `?` of the specification is a field with the default None or ().
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.values import Any_, Channel, Code, Id, Line, MessageClass, Model, RecipientId, Time, Token, ZonedTime

Version = Annotated[int, Field(ge=1, le=1)]
PerMille = Annotated[int, Field(ge=0, le=1000)]
Offset = Annotated[int, Field(ge=0, lt=2**53)]
Channels = Annotated[tuple[Channel | Any_, ...], Field(max_length=9)] | Any_

Method = Literal[
    "direct.point_card",
    "direct.ec_signup",
    "direct.contract",
    "direct.support_call",
    "direct.store_survey",
    "direct.sweepstake",
    "direct.business_card",
    "direct.observed",
    "indirect.purchased_list",
    "indirect.partner",
    "indirect.joint_use",
    "indirect.entrusted",
    "indirect.succession",
    "indirect.referral",
    "indirect.gift_recipient",
    "public.directory",
    "public.gazette",
    "public.register",
    "public.web",
    "unknown.legacy",
]


# -- sends ------------------------------------------------------------------------------------------


class SendContactPoint(Model):
    """The contact point a send is addressed to; the country is the address's, never guessed."""

    id: Id
    token: Token
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None


class Match(Model):
    """A further token that identity resolution found for the recipient, with its score in per mille."""

    token: Token
    score: PerMille


class Delivery(Model):
    """Name and address as printed. Personal data: it never leaves `sends`, `cleared`, `review` and `deadletter`."""

    name: Line
    postcode: Line | None = None
    lines: Annotated[tuple[Line, ...], Field(max_length=8)] = ()
    email: Line | None = None
    phone: Line | None = None


class Send(Model):
    """One piece to one recipient of one campaign."""

    v: Version
    event_id: Id
    recipient_id: RecipientId
    campaign_id: Id
    controller_id: Id
    purpose: Code
    channel: Channel
    message_class: MessageClass
    contact_point: SendContactPoint
    template_id: Id
    match: Annotated[tuple[Match, ...], Field(max_length=16)] = ()
    audience: Annotated[tuple[Code, ...], Field(max_length=32)] = ()
    flags: Annotated[tuple[Code, ...], Field(max_length=16)] = ()
    li_ref: Id | None = None
    source_id: Id | None = None
    request_id: Id | None = None
    ground: Code | None = None
    mail_date: ZonedTime | None = None
    delivery: Delivery | None = None


# -- facts of a person ------------------------------------------------------------------------------


class SourceContactPoint(Model):
    """A contact point that a data source gave; `derived_from` = corrected by matching with entrusted data."""

    id: Id
    token: Token
    derived_from: Id | None = None


class ProviderCheck(Model):
    """What was checked of a provider before its data were taken (APPI 30)."""

    checked_at: Time | None = None
    name: Line | None = None
    address: Line | None = None
    representative: Line | None = None
    how_obtained: Line | None = None
    basis: Literal["consent", "opt_out_filing", "other"] | None = None
    filing_no: Id | None = None
    chain: Annotated[tuple[Code, ...], Field(max_length=16)] = ()


class Succession(Model):
    """The predecessor of a merger or transfer, and what its customers had been told (J.8.7 c)."""

    predecessor: Id
    closed_at: Time
    old_purposes: Annotated[tuple[Code, ...], Field(max_length=32)] = ()


class Entrustment(Model):
    """Who entrusted the data to us, and for what (J.8.7 b)."""

    entruster: Id
    purposes: Annotated[tuple[Code, ...], Field(max_length=32)] = ()


class Source(Model):
    """One acquisition of a person's data: how, when, from whom, and what the person was shown."""

    v: Version
    source_id: Id
    recipient_id: RecipientId
    method: Method
    acquired_at: Time | None = None
    collected_by: Id
    state: Literal["active", "quarantined", "illicit", "deleted"] = "active"
    contact_points: Annotated[tuple[SourceContactPoint, ...], Field(max_length=32)] = ()
    shared_at: Time | None = None
    last_contact_at: Time | None = None
    provided_by: Id | None = None
    notice_id: Id | None = None
    purposes_told: Annotated[tuple[Code, ...], Field(max_length=32)] = ()
    route: Code | None = None
    batch_id: Id | None = None
    check: ProviderCheck | None = None
    terms_id: Id | None = None
    succession: Succession | None = None
    entrustment: Entrustment | None = None
    evidence_ref: Id | None = None
    birth_date: Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}(-[01][0-9](-[0-3][0-9])?)?$")] | None = None
    may_be_minor: bool | None = None
    relationship: Literal["customer", "prospect"] | None = None


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
    """A consent event: a yes names exactly what it covers; a no may say `*` or nothing, and then covers all."""

    v: Version
    kind: Literal["consent"]
    record_id: Id
    recipient_id: RecipientId
    controller_id: Id | Any_
    state: ConsentState
    recorded_at: Time
    expressed_by: Literal["subject", "guardian", "agent", "family", "staff", "import"]
    method: Code
    purpose: Code | Any_ | None = None
    channels: Channels = ()
    contact_point_id: Id | Any_ | None = None
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

    @model_validator(mode="after")
    def _a_yes_is_exact_and_a_no_is_dated(self) -> Consent:
        if self.state in GIVEN_STATES:
            wide = "*" in (self.controller_id, self.purpose, self.contact_point_id) or "*" in self.channels
            if wide or self.purpose is None or not self.channels:
                raise ValueError("a Given names its controller, purpose and channels; '*' and nothing are for a no")
        return self


class Scope(Model):
    """What a suppression stops; what is not named is covered."""

    controller: Id | Any_ | None = None
    group: Id | Any_ | None = None
    purpose: Code | Any_ | None = None
    channels: Channels = ()
    contact_point: Id | Any_ | None = None


SuppressionKind = Literal[
    "objection", "cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external"
]


class Suppression(Model):
    """A stop: of a person, or of a token (a normalised name, address or number under the project's key)."""

    v: Version
    kind: SuppressionKind
    suppression_id: Id
    received_at: Time
    token: Token | None = None
    recipient_id: RecipientId | None = None
    scope: Scope = Scope()
    effective_at: Time | None = None
    state: Literal["active", "corrected", "open", "upheld", "rejected"] | None = None
    register_id: Id | None = None

    @model_validator(mode="after")
    def _names_someone(self) -> Suppression:
        if (self.token is None) == (self.recipient_id is None):
            raise ValueError("a suppression names exactly one of token and recipient_id")
        return self


# -- reference --------------------------------------------------------------------------------------


class Controller(Model):
    """A legal entity in whose name mail is sent, and whether its sending is frozen (J.4.2)."""

    v: Version
    kind: Literal["controller"]
    id: Id
    name: Line | None = None
    group: Id | None = None
    suspended_since: Time | None = None
    suspended_until: Time | None = None


class Notice(Model):
    """A version of a form or notice; `complete` is the word of the lint that items a to f stand in it (J.8.5)."""

    v: Version
    kind: Literal["notice"]
    id: Id
    controller_id: Id
    purposes: Annotated[tuple[Code, ...], Field(max_length=32)]
    complete: bool
    name: Line | None = None
    states_route: Code | None = None
    invalidated_at: Time | None = None
    accepted_legacy: bool | None = None


class Resolution(Model):
    """The privacy manager's word that an unreadable record has been dealt with, so that its person is free again."""

    v: Version
    kind: Literal["resolution"]
    id: Id
    topic: Id
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset
    by: Id
    reason: Line
    at: ZonedTime


Reference = Annotated[Controller | Notice | Resolution, Field(discriminator="kind")]
Fact = Source | Consent | Suppression
