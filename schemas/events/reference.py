"""Records of `reference`, to which sends and facts refer (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag

from schemas.events.sources import ProviderCheck
from schemas.events.staff import Signature, Staff
from schemas.values import (
    Channel,
    Code,
    Id,
    Line,
    Many,
    MessageClass,
    Model,
    Offset,
    Time,
    Version,
    ZonedTime,
)

TwoManagers = Annotated[tuple[Id, Id], Field(strict=False)]
"""The ids of the two managers who stand for a record. Equal ids after casefold are one manager."""


class Purpose(Model):
    """A purpose for which the company uses people's data, in its own words (利用目的, APPI 17; domain rule 7.5.22).

    `marketing`: mail for this purpose is marketing. `controllers`: the entities that have it; None = all of them.
    """

    v: Version
    kind: Literal["purpose"]
    id: Code
    name_ja: Line
    name_en: Line
    marketing: bool
    controllers: Annotated[Many[Id], Field(max_length=64)] | None = None
    by: TwoManagers | None = None
    recorded_at: Time | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the record."""
        return two_managers(self.by)


def two_managers(by: tuple[str, ...] | None) -> bool:
    """True if two different people are named; equal ids after casefold are one person."""
    return by is not None and len({one.casefold() for one in by}) > 1


class Provision(Model):
    """A planned provision of the data to third parties, as a notice must state it (J.8.5 d)."""

    purpose: Line
    items: Line
    means: Line
    recipients: Line
    contract: Line


class NoticeItems(Model):
    """Items b to f of a controller's notice, in the words to be printed (J.8.7).

    `purposes` puts a purpose's code into words, `reply` says by channel how to answer. `provision` and `outsourcing`
    state the plans; "none" and False are plans, too. If a field is absent, nobody is asked.
    """

    manager: Line | None = None
    department: Line | None = None
    contact: Line | None = None
    purposes: dict[Code, Line] = Field(default_factory=dict, max_length=64)
    provision: Provision | Literal["none"] | None = None
    outsourcing: bool | None = None
    window: Line | None = None
    reply: dict[Channel, Line] = Field(default_factory=dict)


class Controller(Model):
    """A legal entity that sends mail, with its notice items and its suspension (J.4.4.2, J.8.7)."""

    v: Version
    kind: Literal["controller"]
    id: Id
    name: Line | None = None
    group: Id | None = None
    notice_items: NoticeItems | None = None
    suspended_since: Time | None = None
    suspended_until: Time | None = None
    by: TwoManagers | None = None
    recorded_at: Time | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the record."""
        return two_managers(self.by)


class Notice(Model):
    """A version of a form or notice; `complete`: the lint found items a to f in it (J.8.5).

    `names`: further controllers whose items a to f stand in it. `valid_from`: the first day of the form. An older
    consent on it lacks evidence.
    """

    v: Version
    kind: Literal["notice"]
    id: Id
    controller_id: Id
    purposes: Annotated[Many[Code], Field(max_length=32)]
    complete: bool
    name: Line | None = None
    states_route: Code | None = None
    invalidated_at: Time | None = None
    accepted_legacy: bool | None = None
    names: Annotated[Many[Id], Field(max_length=64)] = ()
    valid_from: Time | None = None
    recorded_at: Time | None = None


class JointUseTerms(Model):
    """A version of the published terms of joint use: parties, purposes and first day (APPI 27(5)(iii))."""

    v: Version
    kind: Literal["joint_use_terms"]
    terms_id: Id
    version: Annotated[int, Field(ge=0, lt=2**31)] | Id
    published_at: Time
    parties: Annotated[Many[Id], Field(max_length=256)]
    purposes: Annotated[Many[Code], Field(max_length=64)]
    complete: bool
    name: Line | None = None
    recorded_at: Time | None = None

    @property
    def id(self) -> str:
        """The id of the terms, shared by their versions."""
        return self.terms_id


class Batch(Model):
    """A list that came as one, with the checks of its provider, and its state: in use, frozen or illicit."""

    v: Version
    kind: Literal["batch"]
    id: Id
    check: ProviderCheck | None = None
    state: Literal["active", "quarantined"] = "active"
    flags: Annotated[Many[Code], Field(max_length=16)] = ()
    name: Line | None = None
    recorded_at: Time | None = None


class ShownPerson(Model):
    """An identifiable person on a piece, with the release on file if it was not withdrawn."""

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
    return shown


class Template(Model):
    """A piece as it is printed or mailed, with the result of its lint.

    `display_ok`: by class, the channels for which it shows sender, contact and the way to stop mail. `ask_complete`: it
    shows items a to f and leaves room for the route, so it may ask a person (J.8.7). `notice_id`: a yes to it agrees to
    this notice.
    """

    v: Version
    kind: Literal["template"]
    id: Id
    display_ok: Annotated[dict[MessageClass, Many[Channel]], BeforeValidator(_by_class)]
    ask_complete: bool
    notice_id: Id | None = None
    persons: Annotated[Many[ShownPerson], Field(max_length=64)] = ()
    name: Line | None = None
    recorded_at: Time | None = None


class PolicyVersion(Model):
    """A version of a policy, put in force by the privacy manager.

    `toml` is its whole text and `sha256` the hash of that text's bytes. Without a text it is the shipped version.
    """

    v: Version
    kind: Literal["policy"]
    id: Id
    version: Annotated[int, Field(ge=1)]
    jurisdictions: Annotated[Many[Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]], Field(max_length=64)]
    effective_from: Time
    toml: Annotated[str, StringConstraints(max_length=60 * 1024)] | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    by: Id | TwoManagers | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers put it in force."""
        return isinstance(self.by, tuple) and two_managers(self.by)


class Register(Model):
    """A register of people who refuse mail, as fetched last."""

    v: Version
    kind: Literal["register"]
    id: Id
    file_date: Time


class Copy(Model):
    """A manager's word that the beginning of a partition is a copy, with the first arrivals that its headers state.

    It counts only if it is signed, even where no people are registered. `count`: the number of copied records.
    `sha256`: the hash over their keys, values and headers. `origin`: the prefix of the topics that were copied.
    """

    v: Version
    kind: Literal["copy"]
    id: Id
    topic: Literal["sources", "consents", "suppressions", "reference"]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    count: Annotated[int, Field(ge=1, lt=2**53)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    origin: Line | None = None


class Resolution(Model):
    """The privacy manager's statement that an unreadable record was dealt with. It withholds nobody any more."""

    v: Version
    kind: Literal["resolution"]
    id: Id
    topic: Id
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset
    by: Id
    reason: Line
    at: ZonedTime


class VersionResolution(Model):
    """The statement of two managers that a version of a reference record was always right (rule 7.5.23).

    `of`: kind/id of the record. `version`: its place in the order of arrival, 1 = the first.
    """

    v: Version
    kind: Literal["resolution"]
    id: Id
    of: Annotated[str, StringConstraints(pattern=r"^(notice|template|joint_use_terms|batch)/[A-Za-z0-9][^/]{0,63}$")]
    version: Annotated[int, Field(ge=1, lt=2**31)]
    by: TwoManagers
    evidence_ref: Id
    at: ZonedTime

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the resolution."""
        return two_managers(self.by)


def _subject(value: Any) -> str:
    """The form of a resolution: `of` names a version, and any other one an unreadable record."""
    named = "of" in value if isinstance(value, dict) else isinstance(value, VersionResolution)
    return "version" if named else "record"


AnyResolution = Annotated[
    Annotated[Resolution, Tag("record")] | Annotated[VersionResolution, Tag("version")], Discriminator(_subject)
]
Reference = Annotated[
    Purpose
    | Controller
    | Notice
    | JointUseTerms
    | Batch
    | Template
    | PolicyVersion
    | Register
    | AnyResolution
    | Copy
    | Staff
    | Signature,
    Field(discriminator="kind"),
]
