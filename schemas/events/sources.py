"""Events of `sources`: acquisitions of a person's data (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.events.sends import CARRIED, Match
from schemas.values import (
    BirthDate,
    Code,
    Id,
    Line,
    Many,
    Model,
    PointId,
    RecipientId,
    Time,
    Token,
    Version,
)

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
    "indirect.personal_related",
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


class SourceContactPoint(Model):
    """A contact point from a data source; `derived_from`: matching with entrusted data corrected it.

    `readings`: the tokens of its less exact spellings, which a send may print. A score of 1000 is the same value under
    another token key.
    """

    id: PointId
    token: Token
    derived_from: Id | None = None
    readings: Annotated[Many[Match], Field(max_length=CARRIED)] = ()


class ProviderCheck(Model):
    """The checks of a provider before its data were taken (APPI 30)."""

    checked_at: Time | None = None
    name: Line | None = None
    address: Line | None = None
    representative: Line | None = None
    how_obtained: Line | None = None
    basis: Literal["consent", "opt_out_filing", "other"] | None = None
    filing_no: Id | None = None
    chain: Annotated[Many[Code], Field(max_length=16)] = ()


class Succession(Model):
    """The predecessor in a merger or transfer, and the notice that its customers had got (J.8.7 c)."""

    predecessor: Id
    closed_at: Time
    old_purposes: Annotated[Many[Code], Field(max_length=32)] = ()


class Entrustment(Model):
    """The company that entrusted the data to us, and the purpose (J.8.7 b)."""

    entruster: Id
    purposes: Annotated[Many[Code], Field(max_length=32)] = ()


class Source(Model):
    """One acquisition of a person's data: method, time, provider, and the notice that the person saw."""

    v: Version
    source_id: Id
    recipient_id: RecipientId
    method: Method
    acquired_at: Time | None = None
    collected_by: Id
    state: Literal["active", "quarantined", "illicit", "deleted"] = "active"
    contact_points: Annotated[Many[SourceContactPoint], Field(max_length=32)] = ()
    shared_at: Time | None = None
    last_contact_at: Time | None = None
    provided_by: Id | None = None
    notice_id: Id | None = None
    purposes_told: Annotated[Many[Code], Field(max_length=32)] = ()
    route: Code | None = None
    batch_id: Id | None = None
    check: ProviderCheck | None = None
    terms_id: Id | None = None
    succession: Succession | None = None
    entrustment: Entrustment | None = None
    evidence_ref: Id | None = None
    birth_date: BirthDate | None = None
    may_be_minor: bool | None = None
    relationship: Literal["customer", "prospect"] | None = None
