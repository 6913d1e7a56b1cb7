"""The catalogue of reasons: severity and remedies of each, and their order.

`texts/reason.toml` holds the sentences, under the same codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from schemas.decision import Severity, Verdict

Group = Literal["will", "source", "person", "lifecycle", "scope", "channel", "consent", "system"]
Remedy = Literal["R", "C", "F", "N", "W", "-"]
"""Remedies: R reviewer's release, C ask the person, F fix a fact, N person's new act, W wait, - none."""

VERDICTS: tuple[Verdict, ...] = ("clear", "confirm", "review", "block")
"""Verdicts, the worst last."""


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """One reason of the catalogue (domain §3.2). Its clauses of law stand in the policy pack of each country.

    `own_rule`: our own rule behind it, which is cited where a pack cites no law. `since`: the version of the rules with
    which it came, if packs had clauses before. The text of an older pack has no row for it.
    """

    code: str
    group: Group
    severity: Severity
    remedy: tuple[Remedy, ...]
    own_rule: str = ""
    national: bool = False
    """True for a reason of single countries, which is found only where a pack switches it on."""
    absence: bool = False
    """True for a reason that only reports missing data; a more specific reason replaces it (rule 6.4.2)."""
    since: int = 0

    @property
    def verdict(self) -> Verdict:
        """The verdict of this reason alone: HARD blocks; SOFT goes to review if a release can cure it (rule 6.5)."""
        if self.severity == "HARD":
            return "block"
        return "confirm" if "C" in self.remedy and "R" not in self.remedy else "review"


class Found(NamedTuple):
    """A reason found for a send: its code, the ids of its facts, and the values for its sentence."""

    code: str
    facts: tuple[str, ...] = ()
    says: Mapping[str, str] = MappingProxyType({})


ONE_PIECE = "policy: one piece a person, campaign and channel"

CATALOGUE: Mapping[str, ReasonKind] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            # in the order of domain §3.2, which ranks the reasons of one class; EXTERNAL_SCREEN_STALE and ART14_* come
            # with the packs of their countries
            ReasonKind("SUBJECT_OBJECTED", "will", "HARD", ("N",)),
            ReasonKind("CONSENT_WITHDRAWN", "will", "HARD", ("N",)),
            ReasonKind("CONSENT_REFUSED", "will", "HARD", ("N",)),
            ReasonKind("CESSATION_REQUESTED", "will", "HARD", ("N",)),
            ReasonKind("SUBJECT_ERASED", "will", "HARD", ("N",)),
            ReasonKind("POSTAL_REFUSAL_RETURNED", "will", "HARD", ("N",)),
            ReasonKind("EXTERNAL_PREFERENCE_LISTED", "will", "HARD", ("N",), since=7),
            ReasonKind("NO_DATED_BACK", "person", "SOFT", ("R", "F"), since=7),
            ReasonKind("SOURCE_UNKNOWN", "source", "HARD", ("F",)),
            ReasonKind("SOURCE_ILLICIT", "source", "HARD", ("-",)),
            ReasonKind("SOURCE_BATCH_QUARANTINED", "source", "HARD", ("F",)),
            ReasonKind("SOURCE_CHECK_MISSING", "source", "HARD", ("F",)),
            ReasonKind("PROVIDER_BASIS_MISSING", "source", "HARD", ("F",)),
            ReasonKind("PROVIDER_OPTOUT_CHAIN", "source", "HARD", ("-",)),
            ReasonKind("ENTRUSTED_OWN_USE", "source", "HARD", ("-",)),
            ReasonKind("ENTRUSTED_COMMINGLED", "source", "HARD", ("F",)),
            ReasonKind("JOINT_USE_TERMS_MISSING", "source", "HARD", ("F",)),
            ReasonKind("JOINT_USE_PARTY_OUT_OF_RANGE", "source", "HARD", ("F",)),
            ReasonKind("SOURCE_NOT_YET", "source", "HARD", ("W",), since=7),
            ReasonKind("RETENTION_OVER", "source", "HARD", ("F",), since=7),
            ReasonKind("SENSITIVE_AUDIENCE", "source", "HARD", ("F",)),
            ReasonKind("IMPROPER_USE_TARGETING", "source", "HARD", ("-",)),
            ReasonKind("RECIPIENT_DECEASED", "person", "HARD", ("F",)),
            ReasonKind("MINOR_NO_GUARDIAN", "person", "HARD", ("F",)),
            ReasonKind("AGE_UNCERTAIN", "person", "SOFT", ("R", "C")),
            ReasonKind("NAME_NEAR_STOP", "person", "SOFT", ("R", "F"), since=7),
            ReasonKind("PRINT_UNACCOUNTED", "person", "SOFT", ("R", "F"), since=7),
            ReasonKind("CONTACT_UNDELIVERABLE", "person", "HARD", ("F",)),
            ReasonKind("THIRD_PARTY_UNCONFIRMED", "source", "SOFT", ("C",), absence=True),
            ReasonKind("PUBLIC_SOURCE_UNCONFIRMED", "source", "SOFT", ("C",), absence=True),
            ReasonKind("REFERRAL_UNCONFIRMED", "source", "SOFT", ("C",), absence=True),
            ReasonKind("SUCCESSION_NOT_COVERED", "source", "SOFT", ("C",)),
            ReasonKind("JOINT_USE_NOT_COVERED", "source", "SOFT", ("C",)),
            ReasonKind("NOTICE_ITEMS_MISSING", "source", "SOFT", ("C", "F")),
            ReasonKind("SOURCE_CONFLICT", "source", "SOFT", ("R", "F")),
            ReasonKind("SOURCE_STALE", "source", "SOFT", ("C",)),
            ReasonKind("CONFIRMATION_PENDING", "lifecycle", "HARD", ("W",)),
            ReasonKind("CONFIRMATION_LAPSED", "lifecycle", "HARD", ("N",)),
            ReasonKind("CONFIRMATION_UNDELIVERED", "lifecycle", "HARD", ("F",)),
            ReasonKind("CONFIRMATION_DEFECTIVE", "lifecycle", "HARD", ("F",)),
            ReasonKind("CONFIRMATION_CHANNEL_UNLAWFUL", "lifecycle", "HARD", ("F",)),
            ReasonKind("CONFIRMATION_CAP_REACHED", "lifecycle", "HARD", ("N",)),
            ReasonKind("PURPOSE_NOT_COVERED", "scope", "SOFT", ("C",)),
            ReasonKind("CONTROLLER_MISMATCH", "scope", "SOFT", ("C",)),
            ReasonKind("CHANNEL_NOT_CONSENTED", "scope", "SOFT", ("C",)),
            ReasonKind("CONTACT_POINT_NOT_COVERED", "scope", "SOFT", ("C", "F")),
            ReasonKind("EMAIL_OPT_IN_MISSING", "channel", "HARD", ("N",)),
            ReasonKind("EMAIL_CONSENT_RECORD_MISSING", "channel", "HARD", ("F",)),
            ReasonKind("DISPLAY_ITEMS_MISSING", "channel", "HARD", ("F",)),
            ReasonKind("CREATIVE_PERSON_UNRELEASED", "channel", "SOFT", ("R", "F")),
            ReasonKind("CONSENT_MISSING", "consent", "SOFT", ("C",), absence=True),
            ReasonKind("CONSENT_EVIDENCE_MISSING", "consent", "SOFT", ("C", "F")),
            ReasonKind("CONSENT_UNCONFIRMED", "consent", "HARD", ("W", "N")),
            ReasonKind("CONSENT_NOT_YET_VALID", "consent", "HARD", ("W", "F")),
            ReasonKind("CONSENT_EXPIRED", "consent", "SOFT", ("C",)),
            ReasonKind("CONSENT_INVALIDATED", "consent", "HARD", ("N",)),
            ReasonKind("CONSENT_BY_OTHER", "consent", "SOFT", ("C",)),
            ReasonKind("CONSENT_AS_CHILD", "consent", "SOFT", ("C",), since=7),
            ReasonKind(
                "FACTS_UNAVAILABLE", "system", "HARD", ("W",), own_rule="policy: nothing is cleared by an absence"
            ),
            ReasonKind("FACTS_STALE", "system", "HARD", ("W",), own_rule="policy: max_lag"),
            ReasonKind("SENDING_SUSPENDED", "system", "HARD", ("W",)),
            ReasonKind("JURISDICTION_UNKNOWN", "system", "SOFT", ("F",), own_rule="policy: strictest"),
            ReasonKind(
                "POLICY_UNKNOWN", "system", "HARD", ("F",), own_rule="policy: a country needs a policy in force"
            ),
            ReasonKind("EVENT_INVALID", "system", "HARD", ("F",), own_rule="policy: purposes and controllers"),
            ReasonKind("DECISION_FAILED", "system", "HARD", ("W",), own_rule="policy: a failed decision withholds"),
            ReasonKind(
                "RELEASE_SUPERSEDED", "system", "HARD", ("-",), own_rule="policy: a newer hard fact ends a release"
            ),
            ReasonKind("RELEASE_EXPIRED", "system", "SOFT", ("R",), own_rule="policy: release_ttl"),
            ReasonKind("ASK_TEMPLATE_MISSING", "system", "SOFT", ("F", "C")),
            ReasonKind("DUPLICATE_SEND", "system", "HARD", ("-",), own_rule=ONE_PIECE),
        )
    }
)

FORMER: Mapping[str, ReasonKind] = MappingProxyType(
    {"IDENTITY_AMBIGUOUS": ReasonKind("IDENTITY_AMBIGUOUS", "person", "SOFT", ("R", "F"))}
)
"""Reasons in records of rules 3 to 6 that no rule finds any more."""

WORST = {code: VERDICTS.index(kind.verdict) for code, kind in CATALOGUE.items()}
"""Verdict of each reason, as an index of VERDICTS."""

NATIONAL = frozenset(code for code, kind in CATALOGUE.items() if kind.national)
WILL = frozenset(code for code, kind in CATALOGUE.items() if kind.group == "will")
ABSENCE = frozenset(code for code, kind in CATALOGUE.items() if kind.absence)
DECISIVE = frozenset(
    code
    for code, kind in CATALOGUE.items()
    if kind.group == "lifecycle" or (kind.group == "source" and kind.severity == "HARD")
)
"""Reasons about the basis that are more specific than missing data (rule 6.4.2)."""

NEVER = frozenset({"SOURCE_ILLICIT", "PROVIDER_OPTOUT_CHAIN", "ENTRUSTED_OWN_USE", "IMPROPER_USE_TARGETING"})
"""Reasons that no fact can cure; they rank before reasons about the person."""
_PLACE = {code: rank for rank, code in enumerate(CATALOGUE)}
_CLASS: Mapping[Group, int] = {
    "system": 1,
    "will": 2,
    "person": 4,
    "source": 5,
    "lifecycle": 5,
    "channel": 6,
    "consent": 7,
    "scope": 7,
}


def verdict(reasons: Iterable[Found]) -> Verdict:
    """The worst verdict of the reasons; `clear` without any."""
    worst = 0
    for reason in reasons:
        worst = max(worst, WORST[reason.code])
    return VERDICTS[worst]


def ordered(reasons: Sequence[Found]) -> tuple[Found, ...]:
    """Each reason once, in the order of rule 6.5: by class, then by the catalogue. The first is the primary reason.

    Reasons of one code from several rules are merged with the facts of all.
    """
    if len(reasons) < 2:
        return tuple(reasons)
    merged: dict[str, Found] = {}
    for reason in reasons:
        had = merged.get(reason.code)
        if had is None:
            merged[reason.code] = reason
        elif had.facts != reason.facts:
            merged[reason.code] = had._replace(facts=tuple(sorted({*had.facts, *reason.facts})))
    return tuple(sorted(merged.values(), key=_order))


def _order(reason: Found) -> int:
    return _ORDER[reason.code]


def _place(kind: ReasonKind) -> tuple[int, int, int]:
    if kind.severity == "HARD":
        return 3 if kind.code in NEVER else _CLASS[kind.group], 0, _PLACE[kind.code]
    return 8, -VERDICTS.index(kind.verdict), _PLACE[kind.code]


_ORDER = {kind.code: rank for rank, kind in enumerate(sorted(CATALOGUE.values(), key=_place))}
