"""What the world tells the gate: sends, and the facts and reference data that decide them (domain rule 6.1).

Every value has `"v": 1`; a `?` of the specification is a field with the default None or ().
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

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


class PersonEvent(Model):
    """What else became known of a person, on the topic of the consents.

    `ask_undelivered`: the ask `request_id` came back. `notice_given`: the person got the notice about `source_id`.
    `undeliverable_resolved`: the contact point (nothing named: every one) takes mail again. `identity_resolved`:
    somebody looked at the weak matches known by then and they are not this person.
    """

    v: Version
    kind: Literal["ask_undelivered", "notice_given", "undeliverable_resolved", "identity_resolved"]
    recipient_id: RecipientId
    record_id: Id | None = None
    at: Time | None = None
    recorded_at: Time | None = None
    request_id: Id | None = None
    source_id: Id | None = None
    contact_point_id: Id | None = None
    by: Id | None = None
    evidence_ref: Id | None = None

    @model_validator(mode="after")
    def _says_which_and_when(self) -> PersonEvent:
        needed = {"ask_undelivered": self.request_id, "notice_given": self.source_id}.get(self.kind, self.said)
        if needed is None:
            raise ValueError("names its ask, its source, or its time")
        return self

    @property
    def said(self) -> str | None:
        """When it happened, else when it was recorded."""
        return self.at or self.recorded_at


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


class JointUseTerms(Model):
    """A version of the published terms of joint use: who may use the data, for what, from when (APPI 27(5)(iii))."""

    v: Version
    kind: Literal["joint_use_terms"]
    terms_id: Id
    version: Annotated[int, Field(ge=0, lt=2**31)] | Id
    published_at: Time
    parties: Annotated[tuple[Id, ...], Field(max_length=256)]
    purposes: Annotated[tuple[Code, ...], Field(max_length=64)]
    complete: bool
    name: Line | None = None

    @property
    def id(self) -> str:
        """The id of the terms, shared by their versions."""
        return self.terms_id


class Batch(Model):
    """A list that came as one: what was checked of its provider, and whether it was frozen or found illicit."""

    v: Version
    kind: Literal["batch"]
    id: Id
    check: ProviderCheck | None = None
    state: Literal["active", "quarantined"] = "active"
    flags: Annotated[tuple[Code, ...], Field(max_length=16)] = ()
    name: Line | None = None


class ShownPerson(Model):
    """An identifiable person that a piece shows, with the release on file, if one is and was not withdrawn."""

    release: Id | None = None
    withdrawn: Time | bool | None = None


def _by_class(value: Any) -> Any:
    """Reads `{class: {channel: true}}` as `{class: [channel]}`; anything else is left to the type."""
    if not isinstance(value, dict):
        return value
    return {name: _channels(shown) for name, shown in value.items()}


def _channels(shown: Any) -> Any:
    if isinstance(shown, dict) and all(type(ok) is bool for ok in shown.values()):
        return tuple(channel for channel, ok in shown.items() if ok)
    return tuple(shown) if isinstance(shown, list) else shown


class Template(Model):
    """A piece as it is printed or mailed, with the word of its lint.

    `display_ok`: for which class by which channels it shows sender, contact and how to stop. `ask_complete`: it
    shows items a to f and leaves room for the route, so that it may ask a person (J.8.7).
    """

    v: Version
    kind: Literal["template"]
    id: Id
    display_ok: Annotated[dict[MessageClass, tuple[Channel, ...]], BeforeValidator(_by_class)]
    ask_complete: bool
    persons: Annotated[tuple[ShownPerson, ...], Field(max_length=64)] = ()
    name: Line | None = None


class PolicyVersion(Model):
    """A version of a policy put in force by the privacy manager; its rules are those of the pack with that hash."""

    v: Version
    kind: Literal["policy"]
    id: Id
    version: Annotated[int, Field(ge=1)]
    jurisdictions: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...], Field(max_length=64)]
    effective_from: Time
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    by: Id | None = None


class Register(Model):
    """A register of people who want no mail, as it was last fetched."""

    v: Version
    kind: Literal["register"]
    id: Id
    file_date: Time


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


Reference = Annotated[
    Controller | Notice | JointUseTerms | Batch | Template | PolicyVersion | Register | Resolution,
    Field(discriminator="kind"),
]
OnConsents = Annotated[Consent | PersonEvent, Field(discriminator="kind")]
"""What the topic of the consents carries."""


# -- what the worker and the reviewers say ------------------------------------------------------------


class Ask(Model):
    """A confirmation asked of a person: about which source, where, with what template and route stated (J.8.7)."""

    v: Version
    request_id: Id
    recipient_id: RecipientId
    source_id: Id
    channel: Channel
    template_id: Id
    stated_route: Code
    at: Time
    contact_point: SendContactPoint | Id | None = None
    contact_point_id: Id | None = None
    campaign_id: Id | None = None
    controller_id: Id | None = None
    decision_id: Id | None = None
    kind: Literal["ask"] | None = None


class Release(Model):
    """A reviewer's word on one decision: that its reasons need not withhold the piece, or that word taken back.

    It holds for the send key: recipient, campaign and channel.
    """

    v: Version
    kind: Literal["release", "release_revoked"]
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    by: Annotated[tuple[Id, ...], Field(min_length=1, max_length=4)] | Id
    reason: Line
    at: Time
    reasons: Annotated[tuple[Code, ...], Field(max_length=64)] = ()
    evidence_ref: Id | None = None

    @property
    def people(self) -> frozenset[str]:
        """Who stands for it."""
        return frozenset((self.by,) if isinstance(self.by, str) else self.by)


Fact = Source | Consent | PersonEvent | Suppression
