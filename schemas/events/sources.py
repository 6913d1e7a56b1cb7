"""Events of `sources`: acquisitions of a person's data (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.events.sends import CARRIED, Match
from schemas.values import (
    BirthDate,
    Channel,
    Code,
    Id,
    Line,
    Many,
    Model,
    PointId,
    PrintedLines,
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
    """A contact point from a data source.

    `id`: a random id. `channel`: for which it is; absent = unknown. A no by `postal` also reaches the person's other
    ids. `token`: of the address or number. `derived_from`: the entrusted data whose matching gave or
    corrected it.

    `readings`: the tokens of its less exact spellings, which a send may print. A score of 1000 is the same value under
    another token key.

    `beside`: the tokens of further text that
    may be printed: a building's name, a host, a former name, a reading.

    `further`: keyed hashes of each line beyond name and address: a department, a title.
    """

    id: PointId
    token: Token
    channel: Channel | None = None
    derived_from: Id | None = None
    readings: Annotated[Many[Match], Field(max_length=CARRIED)] = ()
    beside: Annotated[Many[Token], Field(max_length=CARRIED)] = ()
    further: PrintedLines = ()


class ProviderCheck(Model):
    """The checks of a provider before its data were taken (APPI 30).

    `checked_at`: when. `name`, `address`, `representative`: of the provider. `how_obtained`: how the provider got the
    data. Without one of these five there was no check. `basis`: on which the provider may hand data on. `filing_no`:
    of its opt-out filing. `chain`: the companies before it, each by a word
    for its basis or by the code of a `provider` record.
    """

    checked_at: Time | None = None
    name: Line | None = None
    address: Line | None = None
    representative: Line | None = None
    how_obtained: Line | None = None
    basis: Literal["consent", "opt_out_filing", "other"] | None = None
    filing_no: Id | None = None
    chain: Annotated[Many[Code], Field(max_length=16)] = ()


class Succession(Model):
    """The predecessor in a merger or transfer, and the notice that its customers had got (J.8.7 c).

    `predecessor`: the company before. `closed_at`: when the transfer was done. `old_purposes`: those told by it.
    """

    predecessor: Id
    closed_at: Time
    old_purposes: Annotated[Many[Code], Field(max_length=32)] = ()


class Entrustment(Model):
    """The company that entrusted the data to us, and the purpose (J.8.7 b).

    `entruster`: the company. `purposes`: those for which it entrusted the data.
    """

    entruster: Id
    purposes: Annotated[Many[Code], Field(max_length=32)] = ()


class Source(Model):
    """One acquisition of a person's data: method, time, provider, and the notice that the person saw (J.8.5, J.8.7).

    `source_id`: the CRM's id of the acquisition. `recipient_id`: the person. `method`: how the data came.
    `acquired_at`: when. `collected_by`: the company that asked the person. `state`: a deleted source is not read.
    `contact_points`: those that it gave; none = all. `shared_at`: when the sender got it, if later.
    `last_contact_at`: the last contact with the person. `provided_by`: the company that handed it on. `notice_id`: the
    form or notice that the person saw. `purposes_told`: told or published. `route`: as it must be stated; absent = the
    method. `batch_id`: the list with which it came. `check`: of the provider; absent = that of the list. `terms_id`: of
    joint use. `succession`: after a merger or transfer. `entrustment`: of data that others entrusted. `evidence_ref`:
    where the proof is kept. `birth_date`: of the person. `may_be_minor`: the person may be a child. `relationship`:
    with the person. `retention_until`: until when the data may be used.
    `business`: the address was published for business, without a refusal of advertisements.
    """

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
    retention_until: Time | None = None
    business: bool | None = None
