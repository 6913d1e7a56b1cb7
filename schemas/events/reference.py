"""Records of `reference`, to which sends and facts refer (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from schemas.events.resolutions import AnyResolution
from schemas.events.sources import ProviderCheck
from schemas.events.staff import Sha256, Signature, Staff, TwoManagers, two_managers
from schemas.values import (
    CHANNELS,
    AudienceWord,
    Channel,
    Code,
    Id,
    Line,
    Many,
    MessageClass,
    Model,
    Period,
    PrintedLine,
    Stoppable,
    Surrogate,
    Time,
    Version,
    ZonedTime,
)


class Purpose(Model):
    """A purpose for which the company uses people's data, in its own words (利用目的, APPI 17; domain rule 7.5.22).

    `id`: its code, as sends and consents name it. `name_ja`, `name_en`: in the company's words. `marketing`: mail for
    this purpose is marketing. `controllers`: the entities that have it; None = all of them. `by`: the two managers that
    a purpose needs which is no marketing. `recorded_at`: when it was entered.
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


class Provision(Model):
    """A planned provision of the data to third parties, as a notice must state it (J.8.5 d)."""

    purpose: Line
    items: Line
    means: Line
    recipients: Line
    contract: Line


class NoticeItems(Model):
    """Items b to f of a controller's notice, in the words to be printed (J.8.7). Without one, nobody is asked.

    `manager`, `department`, `contact`: of who answers for the data. `purposes`: each purpose's code in words.
    `provision`: plans to hand data on; "none" is a plan, too. `outsourcing`: plans to entrust data; False is a plan,
    too. `window`: where people ask for their rights. `reply`: by channel how to answer.
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
    """A legal entity that sends mail, with its notice items and its suspension (J.4.4.2, J.8.7).

    `id`: its code. `name`: as printed. `group`: the group to which it belongs. `notice_items`: for letters that ask.
    `suspended_since`, `suspended_until`: no mail of the classes in `suspends` goes out in between; absent = none but
    mail about safety and rights. `by`: two managers, needed where the entity leaves a group. `mail_order`: it sells by
    mail order; absent = it does. `recorded_at`: when it was entered.
    """

    v: Version
    kind: Literal["controller"]
    id: Id
    name: Line | None = None
    group: Id | None = None
    notice_items: NoticeItems | None = None
    suspended_since: Time | None = None
    suspended_until: Time | None = None
    suspends: Annotated[Many[Stoppable], Field(min_length=1, max_length=3)] | None = None
    mail_order: bool | None = None
    by: TwoManagers | None = None
    recorded_at: Time | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the record."""
        return two_managers(self.by)


class Notice(Model):
    """A version of a form or notice (J.8.5).

    `id`: its code. `controller_id`: the entity whose form it is. `purposes`: those that it states. `complete`: the lint
    found items a to f in it. `name`: in words. `states_route`: the route that it states. `invalidated_at`: consents on
    it are void from then on. `accepted_legacy`: an old form that counts as complete. `recorded_at`: when it was
    entered. `names`: further controllers whose items a to f stand in it. `valid_from`: the first day of the form. An
    older consent on it lacks evidence. `image_sha256`: the hash of its picture's bytes; the picture is kept elsewhere.
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
    image_sha256: Sha256 | None = None
    recorded_at: Time | None = None


class JointUseTerms(Model):
    """A version of the published terms of joint use: parties, purposes and first day (APPI 27(5)(iii)).

    `terms_id`: the code of the terms, shared by their versions. `version`: of the terms. `published_at`: the first day.
    `parties`: the companies. `purposes`: those of the joint use. `complete`: all that must be published is in it.
    `name`: in words. `recorded_at`: when it was entered.
    """

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
    """A list that came as one, with the checks of its provider, and its state (APPI 30).

    `id`: its code. `check`: of its provider. `state`: a quarantined list withholds. `flags`: `leak`, `confidential` and
    `card` make it illicit. So does another one, which is an objection of its people, too. `name`: in words.
    `recorded_at`: when it was entered. `retention_until`: until when its data may be used.
    """

    v: Version
    kind: Literal["batch"]
    id: Id
    check: ProviderCheck | None = None
    state: Literal["active", "quarantined"] = "active"
    flags: Annotated[Many[Code], Field(max_length=16)] = ()
    name: Line | None = None
    recorded_at: Time | None = None
    retention_until: Time | None = None


class Campaign(Model):
    """A campaign by its name, for people who read its code. It has no weight in any decision.

    `id`: its code, as sends name it in `campaign_id`. `name`: in words. `recorded_at`: when it was entered.
    """

    v: Version
    kind: Literal["campaign"]
    id: Id
    name: Annotated[PrintedLine, StringConstraints(pattern=r"^\S"), Field(json_schema_extra={"pattern": r"^\S"})]
    recorded_at: Time | None = None


class ShownPerson(Model):
    """An identifiable person on a piece.

    `release`: the release on file. `withdrawn`: it no longer counts, or since when.
    """

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


_Shown = Annotated[
    dict[str, bool],
    Field(
        json_schema_extra={
            "properties": {channel: {"type": "boolean"} for channel in CHANNELS},
            "additionalProperties": {"const": False},
        }
    ),
]
"""The other form of a template's channels: `{"postal": true, "email": false}`."""


class Template(Model):
    """A piece as it is printed or mailed, with the result of its lint (J.8.7).

    `id`: its code. `persons`: identifiable people on it. `name`: in words. `recorded_at`: when it was entered.
    `display_ok`: by class, the channels for which it shows sender, contact and the way to stop mail. `ask_complete`: it
    shows items a to f and leaves room for the route, so it may ask a person (J.8.7). `notice_id`: a yes to it agrees to
    this notice.
    """

    v: Version
    kind: Literal["template"]
    id: Id
    display_ok: Annotated[
        dict[MessageClass, Many[Channel]],
        BeforeValidator(_by_class, json_schema_input_type=dict[MessageClass, Many[Channel] | _Shown]),
    ]
    ask_complete: bool
    notice_id: Id | None = None
    persons: Annotated[Many[ShownPerson], Field(max_length=64)] = ()
    name: Line | None = None
    recorded_at: Time | None = None


class PolicyVersion(Model):
    """A version of a policy, put in force by the privacy manager.

    `id`: of the policy. `version`: its number. `jurisdictions`: the countries for which it decides, `*` = all others.
    `effective_from`: from when it decides. `toml`: its whole text; absent = the shipped version. `sha256`: the hash of
    that text's bytes. `by`: the manager, or two.
    """

    v: Version
    kind: Literal["policy"]
    id: Id
    version: Annotated[int, Field(ge=1)]
    jurisdictions: Annotated[Many[Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]], Field(max_length=64)]
    effective_from: Time
    toml: Annotated[str, StringConstraints(max_length=60 * 1024)] | None = None
    sha256: Sha256 | None = None
    by: Id | TwoManagers | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers put it in force."""
        return isinstance(self.by, tuple) and two_managers(self.by)


class AudiencePhrase(Model):
    """A phrase of audiences that only looks sensitive, by the word of two managers (domain rule 8.3.53).

    `id`: of the record. `phrase`: whole, and longer than the sensitive word in it. `reason`: why it is none; the report
    prints it. `by`: the two managers. `recorded_at`: when it was entered.
    """

    v: Version
    kind: Literal["audience_phrase"]
    id: Id
    phrase: AudienceWord
    reason: Line
    by: TwoManagers
    recorded_at: Time | None = None

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the phrase."""
        return two_managers(self.by)


class Register(Model):
    """A register of people who refuse mail.

    `id`: its code. `file_date`: the day of the file that was fetched last.
    """

    v: Version
    kind: Literal["register"]
    id: Id
    file_date: Time


class Feed(Model):
    """A sender of facts, and how long it may be silent (domain rule 8.3.59).

    Past that the mail of its people waits. A wider record counts with two managers and their evidence. It allows a
    longer silence, covers fewer companies or lists, or ends the feed. It frees nothing that is due already.

    `id`: its code. `topic`: to which its facts go. `controllers`: whose people it speaks of. `lists`: those alone who
    came with these lists; empty = all of them. `rhythm`: how often it delivers. `limit`: its longest silence. `owner`:
    who answers for it. `counted`: its sender states count and hash of each delivery. `caller`: of the service, by whom
    alone it delivers; absent: straight to Kafka. `ended`: it delivers no more. `replaced_by`: the feed in its place.
    `by`: the managers. `evidence_ref`: where the proof is kept. `recorded_at`:
    when it was entered.
    """

    v: Version
    kind: Literal["feed"]
    id: Id
    topic: Literal["sources", "consents", "suppressions"]
    controllers: Annotated[Many[Id], Field(min_length=1, max_length=64)]
    lists: Annotated[Many[Id], Field(max_length=64)] = ()
    rhythm: Period
    limit: Period
    owner: Surrogate
    counted: bool
    caller: Id | None = None
    ended: bool = False
    replaced_by: Id | None = None
    by: TwoManagers | None = None
    evidence_ref: Surrogate | None = None
    recorded_at: Time | None = None

    @property
    def proven(self) -> bool:
        """True if two different managers stand for it, with evidence."""
        return two_managers(self.by) and self.evidence_ref is not None


class Copy(Model):
    """A manager's word that the beginning of a partition is a copy, with the first arrivals that its headers state.

    It counts only if it is signed, even where no people are registered. `id`: of the copy. `topic`, `partition`: that
    begins with it. `count`: the number of copied records.
    `sha256`: the hash over their keys, values and headers. `origin`: the prefix of the topics that were copied.
    """

    v: Version
    kind: Literal["copy"]
    id: Id
    topic: Literal["sources", "consents", "suppressions", "reference"]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    count: Annotated[int, Field(ge=1, lt=2**53)]
    sha256: Sha256
    origin: Line | None = None


class Provider(Model):
    """A company that had data before we did, as the `chain` of a check names it (domain rule 8.3.52).

    It counts with two managers. `id`: its code. `name`: in words. `opt_out`: it got the data by opt-out. `by`: the two
    managers.
    """

    v: Version
    kind: Literal["provider"]
    id: Code
    name: Line
    opt_out: bool
    by: TwoManagers

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the record."""
        return two_managers(self.by)


class Ground(Model):
    """One manager's word that mail about safety or law is owed: a recall, a breach, a duty (domain rule 8.3.50).

    A second manager signs it within seven days; no mail waits for that.

    `id`: the ground that sends name. It is `recall`, `safety`, `breach`, `statutory` or `tax`, or begins with one of
    these and a dot. `by`: the manager. `evidence_ref`: where the proof is kept. `at`: when.
    """

    v: Version
    kind: Literal["ground"]
    id: Annotated[
        str, StringConstraints(pattern=r"^(recall|safety|breach|statutory|tax)(\.[A-Za-z0-9][A-Za-z0-9._:\-]{0,53})?$")
    ]
    by: Surrogate
    evidence_ref: Surrogate
    at: ZonedTime


Reference = Annotated[
    Purpose
    | Controller
    | Notice
    | JointUseTerms
    | Batch
    | Campaign
    | Template
    | PolicyVersion
    | Register
    | AudiencePhrase
    | Ground
    | Provider
    | AnyResolution
    | Feed
    | Copy
    | Staff
    | Signature,
    Field(discriminator="kind"),
]
