"""One policy version as data: jurisdictions, beginning, rules, parameters and clauses (domain rule 6.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, near, text, wrong
from gatekeeper.ground.times import span
from gatekeeper.policy import pack_texts
from gatekeeper.policy.clauses import CODE, Clause, Rows, cited, clauses, lent, listed, uncited, written_for
from gatekeeper.policy.reasons import CATALOGUE, FORMER, NATIONAL
from schemas.topics import CLEARED_DAYS, DAY_MS
from schemas.values import Any_, AudienceWord, Channel, Code, Day, Id, Line, Model, ZonedTime

Setting = Literal["on", "purpose", "off"]
"""Setting of a rule: in force, in force for the purpose only, or not in force."""

DeliveryRule = Literal["printed", "token"]
"""`printed`: marketing and confirmation need a complete delivery. `token`: the token of the contact point will do."""

PURPOSE_ONLY = ("JOINT_USE_NOT_COVERED", "SUCCESSION_NOT_COVERED")
TUNABLE = (
    "NOTICE_ITEMS_MISSING",
    "THIRD_PARTY_UNCONFIRMED",
    "PUBLIC_SOURCE_UNCONFIRMED",
    "REFERRAL_UNCONFIRMED",
    "SOURCE_CHECK_MISSING",
    "PROVIDER_BASIS_MISSING",
    "PROVIDER_OPTOUT_CHAIN",
    "JOINT_USE_TERMS_MISSING",
    "JOINT_USE_PARTY_OUT_OF_RANGE",
    *PURPOSE_ONLY,
    "ENTRUSTED_OWN_USE",
    "ENTRUSTED_COMMINGLED",
)
"""Rules that a policy may switch off, because some laws do not have them.

No other rule can be switched off, such as those on the person's will and those that fail closed.
"""


NoticeItem = Literal["a", "b", "c", "d", "e", "f", "route"]
NOTICE_ITEMS: tuple[NoticeItem, ...] = get_args(NoticeItem)
"""Items that a letter may have to state: J.8.7 a to f, and the route of the data."""
UNLAWFUL = "error.policy_unlawful"
"""Key of the error for a text that would switch off what no policy may switch off (domain rule 7.6.30)."""


@dataclass(frozen=True)
class Policy:
    """One version of a policy. Times in milliseconds, `match_floor` per mille, `sha256` of the bytes of its file.

    `since`: the beginning of its force, in microseconds since the epoch. `off`: rules not in force. `purpose_only`:
    rules in force for the purpose only. `sensitive`: words of attributes that need their own consent (J.8.3).
    `sensitive_alone`: words that are such only as a whole code. `audience_exceptions`: phrases that only look so.
    `written_methods`: the methods by which a consent is in writing, which sensitive data ask for; None = all are.
    `minor_age_from`: by first day, the age below which a consent is a child's; () = `minor_age`, as of the person.
    `rules_version`: of the rules that first decided by it. Those before did not know it.
    `four_eyes_bulk`: the number of items that one person may release at once; None = any number. `rejudge_hours`:
    the time in which the gate itself decides again on sends withheld for late or unreadable facts; 0 = never.
    `ask_again_months`: a person who did not answer may be asked again so long after the window closed; None = never.
    `check_within_days`: a check of a provider counts if it was made at the latest so long after the data came.
    `language`, `notice_items`: of the letters that ask, with the items that those must state.
    `provisional`: nobody knows yet whether text and day of the law stay as they are. `clauses`: empty only in texts of
    before release 0.3.0. `later`: the reasons that came after the text, so that this release cites the law for them.
    `aliases`: other numbers of clauses, for searching alone.
    `delivery`: whether a send must print its address. `statutory_exception`: the evidence for the law's exceptions
    from the opt-in (rule 8.3.55); None = they are not in force.
    """

    id: str
    version: int
    jurisdictions: frozenset[str]
    since: int
    timezone: str
    off: frozenset[str]
    purpose_only: frozenset[str]
    consent_channels: frozenset[str]
    confirm_channels: frozenset[str]
    confirm_days: tuple[tuple[str, int], ...]
    double_opt_in_channels: frozenset[str]
    sensitive: frozenset[str]
    sensitive_alone: frozenset[str]
    audience_exceptions: frozenset[str]
    written_methods: frozenset[str] | None
    skew_ms: int
    max_lag_ms: int
    match_floor: int
    release_ttl_ms: int
    dedupe_ms: int
    rejudge_hours: int
    minor_age: int
    minor_age_from: tuple[tuple[str, int], ...]
    ask_cap: int
    ask_again_months: int | None
    check_within_days: int
    four_eyes_bulk: int | None
    consent_max_age_months: int | None
    source_max_age_months: int | None
    provisional: bool
    language: Language
    notice_items: frozenset[str]
    clauses: tuple[Clause, ...]
    later: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]
    delivery: DeliveryRule
    statutory_exception: str | None
    rules_version: int
    sha256: str

    @property
    def name(self) -> str:
        """The policy's name in headers: id@version."""
        return f"{self.id}@{self.version}"

    @cached_property
    def ref(self) -> dict[str, Any]:
        """The policy's reference in records: id, version and the hash of its bytes."""
        return {"id": self.id, "version": self.version, "sha256": self.sha256}

    @cached_property
    def _on(self) -> frozenset[str]:
        return NATIONAL.union(TUNABLE) - self.off

    def asks_for(self, rule: str) -> bool:
        """Tells whether a tunable rule is in force, fully or for the purpose only."""
        return rule in self._on

    def cites(self, code: str, channel: str | None = None) -> str:
        """The clauses behind a reason for a send by `channel`. Our own rule, or the policy's name, if it cites none."""
        kind = CATALOGUE.get(code)
        return cited(self._clauses.get(code, ()), channel) or (kind.own_rule if kind else "") or f"policy: {self.name}"

    def citing(self, clause: str) -> tuple[Clause, ...]:
        """The rows that cite a clause, by its number or by a former one among the aliases."""
        number = dict(self.aliases).get(clause, clause)
        return tuple(row for row in self.clauses if re.search(rf"(?<![\w.]){re.escape(number)}(?![\w]|\.\d)", row.cite))

    @cached_property
    def _clauses(self) -> dict[str, list[Clause]]:
        rows: dict[str, list[Clause]] = {}
        for clause in self.clauses:
            rows.setdefault(clause.name, []).append(clause)
        return rows

    @property
    def unverified(self) -> tuple[str, ...]:
        """The rows that nobody has compared with the text of the law."""
        return tuple(dict.fromkeys(clause.name for clause in self.clauses if clause.verified is None))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The rows of the text about reasons that this release does not have, as a newer one may."""
        codes = {clause.name for clause in self.clauses if CODE.fullmatch(clause.name)} | self.off
        return tuple(sorted(codes - CATALOGUE.keys() - FORMER.keys()))

    def needs_consent(self, channel: str) -> bool:
        """Tells whether sends by `channel` need consent."""
        return channel in self.consent_channels or "*" in self.consent_channels

    def minor_age_on(self, day: str) -> int:
        """The age below which a consent of a day (YYYY-MM-DD) is a child's; before the first day, as on it."""
        ages = self.minor_age_from or (("", self.minor_age),)
        return next((age for since, age in reversed(ages) if since <= day), ages[0][1])

    @property
    def rejudge_ms(self) -> int:
        """`rejudge_hours` in milliseconds."""
        return self.rejudge_hours * 3_600_000

    def window_ms(self, channel: str) -> int:
        """The time to wait for an answer to a question by `channel`; an unlisted channel gets the longest one."""
        days = dict(self.confirm_days)
        return days.get(channel, max(days.values())) * 86_400_000


def read(content: bytes, *, file: str) -> Policy:
    """Reads a policy from the bytes of its TOML file.

    Raises UsageError (2) with file, key path and a hint for any deviation from the format.
    """
    try:
        table = pack_texts.whole(content)
        if "clauses" in table:
            table["clauses"] = listed(table["clauses"])
        parsed = _File.model_validate_json(orjson.dumps(table))
    except ValidationError as error:
        place, hint = _first(error)
        raise UsageError("error.policy_wrong", file=file, place=place, hint=hint) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError("error.policy_not_toml", file=file, detail=str(error)) from None
    for code, setting in parsed.rules.items():
        if why := _untunable(code, setting):
            fixed = code in CATALOGUE and code not in NATIONAL.union(TUNABLE)
            raise UsageError(UNLAWFUL if fixed else "error.policy_wrong", file=file, place=f"rules.{code}", hint=why)
    on = {code for code, setting in parsed.rules.items() if setting == "on"}
    off = frozenset(code for code, setting in parsed.rules.items() if setting == "off") | (NATIONAL - on)
    cites = clauses(parsed.clauses)
    later = uncited(cites, off) if cites else []  # texts of before release 0.3.0 have no clauses
    if missing := next((code for code in later if CATALOGUE[code].since <= written_for(cites)), None):
        known = {**CATALOGUE, **FORMER}
        misspelt = next((row.name for row in cites if CODE.fullmatch(row.name) and row.name not in known), None)
        hint = text("wrong.rule", near=near(misspelt, CATALOGUE)) if misspelt else text("wrong.clause_missing")
        raise UsageError("error.policy_wrong", file=file, place=f"clauses.{misspelt or missing}", hint=hint)
    numbers = parsed.parameters.model_dump(exclude={"confirm_days", "minor_age_from"})
    return Policy(
        id=parsed.id,
        version=parsed.version,
        jurisdictions=parsed.jurisdictions,
        since=span(parsed.effective_from, parsed.timezone).first,
        timezone=parsed.timezone,
        sensitive=parsed.sensitive,
        sensitive_alone=parsed.sensitive_alone,
        audience_exceptions=parsed.audience_exceptions.phrases,
        minor_age_from=tuple(sorted(parsed.parameters.minor_age_from.items())),
        rules_version=parsed.rules_version,
        off=off,
        purpose_only=frozenset(code for code, setting in parsed.rules.items() if setting == "purpose"),
        confirm_days=tuple(sorted(parsed.parameters.confirm_days.items())),
        provisional=parsed.provisional,
        language=parsed.language,
        notice_items=parsed.notice_items,
        clauses=(*cites, *lent(later, parsed.id)),
        later=tuple(later),
        aliases=tuple(sorted(parsed.aliases.items())),
        sha256=sha256(content).hexdigest(),
        **numbers,
    )


def _untunable(code: str, setting: Setting) -> str | None:
    """The cause for which a rule cannot have a setting, None if it can.

    A rule that this release does not have may be off: that is how it decides.
    """
    if code not in CATALOGUE:
        return None if setting == "off" else text("wrong.rule", near=near(code, TUNABLE))
    if code not in NATIONAL.union(TUNABLE) and setting != "on":
        return text("wrong.rule_fixed")
    if code not in PURPOSE_ONLY and setting == "purpose":
        return text("wrong.rule_on_or_off")
    return None


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("no_zone", "is no time zone") from None
    return name


Days = Annotated[int, Field(ge=1, le=366)]
Months = Annotated[int, Field(ge=1, le=1200)]
Age = Annotated[int, Field(ge=0, le=20)]
Channels = frozenset[Channel]


class _AudienceExceptions(Model):
    phrases: frozenset[AudienceWord] = frozenset()


class _Parameters(Model):
    skew_ms: Annotated[int, Field(ge=0, le=3_600_000)]
    max_lag_ms: Annotated[int, Field(gt=0, le=86_400_000)]
    match_floor: Annotated[int, Field(ge=0, le=1000)]
    release_ttl_ms: Annotated[int, Field(gt=0, le=2_592_000_000)]
    dedupe_ms: Annotated[int, Field(gt=0, le=CLEARED_DAYS * DAY_MS)] = 2_592_000_000
    rejudge_hours: Annotated[int, Field(ge=0, le=CLEARED_DAYS * 24)] = 72
    minor_age: Age
    minor_age_from: dict[Day, Age] = Field(default_factory=dict)
    written_methods: frozenset[Code] | None = None
    ask_cap: Annotated[int, Field(ge=1, le=3)]
    ask_again_months: Months | None = None
    check_within_days: Annotated[int, Field(ge=0, le=366)] = 30
    four_eyes_bulk: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    consent_channels: frozenset[Channel | Any_]
    confirm_channels: Channels
    confirm_days: Annotated[dict[Channel, Days], Field(min_length=1)]
    double_opt_in_channels: Channels = frozenset()
    consent_max_age_months: Months | None = None
    source_max_age_months: Months | None = None
    delivery: DeliveryRule = "printed"
    statutory_exception: Id | None = None


class _File(Model):
    """A policy's file. `purposes` is read in older files only, and means nothing: purposes are reference records."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    jurisdictions: Annotated[
        frozenset[Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]], Field(min_length=1)
    ]
    effective_from: ZonedTime
    provisional: bool = False
    language: Language = "ja"
    notice_items: frozenset[NoticeItem] = frozenset(NOTICE_ITEMS)
    timezone: Annotated[str, AfterValidator(_zone)]
    purposes: frozenset[Code] = frozenset()
    sensitive: frozenset[AudienceWord]
    sensitive_alone: frozenset[AudienceWord] = frozenset()
    audience_exceptions: _AudienceExceptions = _AudienceExceptions()
    rules_version: Annotated[int, Field(ge=0, lt=2**31)] = 0
    rules: dict[str, Setting] = Field(default_factory=dict)
    parameters: _Parameters
    clauses: Annotated[dict[Line, Rows], Field(max_length=256)] = Field(default_factory=dict)
    aliases: Annotated[dict[Line, Line], Field(max_length=256)] = Field(default_factory=dict)


def _first(error: ValidationError) -> tuple[str, str]:
    errors = error.errors(include_url=False, include_input=False)
    # a mistyped key is also a missing one; the mistyped one tells more
    first = next((detail for detail in errors if detail["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        fields = _Parameters.model_fields if len(first["loc"]) > 1 else _File.model_fields
        return place, text("wrong.key", near=near(str(first["loc"][-1]), fields))
    return place, wrong(first)
