"""The catalogue of reasons: severity, clause and remedies of each, and their order.

`texts/reason.toml` holds the sentences, under the same codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from schemas.audit import Severity, Verdict

Group = Literal["will", "source", "person", "lifecycle", "scope", "channel", "consent", "system"]
Remedy = Literal["R", "C", "F", "N", "W", "-"]
"""Remedies: R release by a reviewer, C ask the person, F fix a fact, N only a new act of the person, W wait, - none."""

VERDICTS: tuple[Verdict, ...] = ("clear", "confirm", "review", "block")
"""Verdicts, the worst last."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One reason of the catalogue (domain §3.2)."""

    code: str
    group: Group
    severity: Severity
    remedy: tuple[Remedy, ...]
    clause: str
    absence: bool = False
    """True for a reason that only reports missing data; a more specific reason replaces it (rule 6.4.2)."""

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


J87 = "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)"

CATALOGUE: Mapping[str, Kind] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            # in the order of domain §3.2, which ranks the reasons of one class; EXTERNAL_* and ART14_* come with the
            # packs of their countries
            Kind("SUBJECT_OBJECTED", "will", "HARD", ("N",), "APPI 35(5)(6); J.10 (A.3.4.4)"),
            Kind("CONSENT_WITHDRAWN", "will", "HARD", ("N",), J87),
            Kind("CONSENT_REFUSED", "will", "HARD", ("N",), J87),
            Kind("CESSATION_REQUESTED", "will", "HARD", ("N",), "APPI 35(1)(5); J.10 (A.3.4.4)"),
            Kind("SUBJECT_ERASED", "will", "HARD", ("N",), "APPI 35; J.10 (A.3.4.4)"),
            Kind("POSTAL_REFUSAL_RETURNED", "will", "HARD", ("N",), "APPI 35(5); J.10 (A.3.4.4)"),
            Kind("SOURCE_UNKNOWN", "source", "HARD", ("F",), f"{J87}; J.8.4 (A.3.4.2.4)"),
            Kind("SOURCE_ILLICIT", "source", "HARD", ("-",), "APPI 20(1); J.8.2 (A.3.4.2.2)"),
            Kind("SOURCE_BATCH_QUARANTINED", "source", "HARD", ("F",), "J.8.2 (A.3.4.2.2); policy: a frozen list"),
            Kind("SOURCE_CHECK_MISSING", "source", "HARD", ("F",), "APPI 30(1)(3); J.8.8 (A.3.4.2.8)"),
            Kind("PROVIDER_BASIS_MISSING", "source", "HARD", ("F",), "APPI 27(1)(2)"),
            Kind("PROVIDER_OPTOUT_CHAIN", "source", "HARD", ("-",), "APPI 27(2) proviso"),
            Kind("ENTRUSTED_OWN_USE", "source", "HARD", ("-",), "APPI 27(5)(i), 18; J.8.7 b"),
            Kind("ENTRUSTED_COMMINGLED", "source", "HARD", ("F",), "APPI 27(5)(i); PPC Q&A 7-42"),
            Kind("JOINT_USE_TERMS_MISSING", "source", "HARD", ("F",), "APPI 27(5)(iii); J.8.7 d"),
            Kind("JOINT_USE_PARTY_OUT_OF_RANGE", "source", "HARD", ("F",), "APPI 27(5)(iii); J.8.7 d"),
            Kind("SENSITIVE_AUDIENCE", "source", "HARD", ("F",), "APPI 20(2); J.8.3 (A.3.4.2.3)"),
            Kind("IMPROPER_USE_TARGETING", "source", "HARD", ("-",), "APPI 19"),
            Kind("RECIPIENT_DECEASED", "person", "HARD", ("F",), "J.3.1.1; APPI 22"),
            Kind("MINOR_NO_GUARDIAN", "person", "HARD", ("F",), "PPC Q&A 1-62; Civil Code 5"),
            Kind("AGE_UNCERTAIN", "person", "SOFT", ("R", "C"), "PPC Q&A 1-62"),
            Kind("IDENTITY_AMBIGUOUS", "person", "SOFT", ("R", "F"), "APPI 22"),
            Kind("CONTACT_UNDELIVERABLE", "person", "HARD", ("F",), "APPI 22"),
            Kind("THIRD_PARTY_UNCONFIRMED", "source", "SOFT", ("C",), J87, absence=True),
            Kind("PUBLIC_SOURCE_UNCONFIRMED", "source", "SOFT", ("C",), J87, absence=True),
            Kind("REFERRAL_UNCONFIRMED", "source", "SOFT", ("C",), J87, absence=True),
            Kind("SUCCESSION_NOT_COVERED", "source", "SOFT", ("C",), "APPI 18(2); J.8.7 c"),
            Kind("JOINT_USE_NOT_COVERED", "source", "SOFT", ("C",), "APPI 27(5)(iii), 27(6); J.8.7 d"),
            Kind("NOTICE_ITEMS_MISSING", "source", "SOFT", ("C", "F"), "J.8.5 (A.3.4.2.5); J.8.7 a"),
            Kind("SOURCE_CONFLICT", "source", "SOFT", ("R", "F"), "J.8.2 (A.3.4.2.2)"),
            Kind("SOURCE_STALE", "source", "SOFT", ("C",), "APPI 22; policy: source_max_age"),
            Kind("CONFIRMATION_PENDING", "lifecycle", "HARD", ("W",), "J.8.7; PPC Q&A 1-60"),
            Kind("CONFIRMATION_LAPSED", "lifecycle", "HARD", ("N",), J87),
            Kind("CONFIRMATION_UNDELIVERED", "lifecycle", "HARD", ("F",), J87),
            Kind("CONFIRMATION_DEFECTIVE", "lifecycle", "HARD", ("F",), J87),
            Kind("CONFIRMATION_CHANNEL_UNLAWFUL", "lifecycle", "HARD", ("F",), "Specified E-mail Act 3(1)"),
            Kind("CONFIRMATION_CAP_REACHED", "lifecycle", "HARD", ("N",), "J.8.7; policy: ask_cap"),
            Kind("PURPOSE_NOT_COVERED", "scope", "SOFT", ("C",), "APPI 17, 18; J.8.6 (A.3.4.2.6)"),
            Kind("CONTROLLER_MISMATCH", "scope", "SOFT", ("C",), "J.8.7; APPI 27"),
            Kind("CHANNEL_NOT_CONSENTED", "scope", "SOFT", ("C",), J87),
            Kind("CONTACT_POINT_NOT_COVERED", "scope", "SOFT", ("C", "F"), J87),
            Kind(
                "EMAIL_OPT_IN_MISSING",
                "channel",
                "HARD",
                ("N",),
                "Specified E-mail Act 3(1); Specified Commercial Transactions Act 12-3",
            ),
            Kind(
                "EMAIL_CONSENT_RECORD_MISSING",
                "channel",
                "HARD",
                ("F",),
                "Specified E-mail Act 3(2); Specified Commercial Transactions Act 12-3(3)",
            ),
            Kind("DISPLAY_ITEMS_MISSING", "channel", "HARD", ("F",), "Specified E-mail Act 4; J.8.7"),
            Kind("CREATIVE_PERSON_UNRELEASED", "channel", "SOFT", ("R", "F"), "APPI 17, 18; J.8.6 (A.3.4.2.6)"),
            Kind("CONSENT_MISSING", "consent", "SOFT", ("C",), J87, absence=True),
            Kind("CONSENT_EVIDENCE_MISSING", "consent", "SOFT", ("C", "F"), "J.8.7; J.4.5.5 (A.3.5.3)"),
            Kind("CONSENT_UNCONFIRMED", "consent", "HARD", ("W", "N"), "J.8.7; policy: double opt-in"),
            Kind("CONSENT_NOT_YET_VALID", "consent", "HARD", ("W", "F"), "J.8.7; ISO/IEC TS 27560 validity"),
            Kind("CONSENT_EXPIRED", "consent", "SOFT", ("C",), "J.8.7; ISO/IEC TS 27560 validity"),
            Kind("CONSENT_INVALIDATED", "consent", "HARD", ("N",), "J.8.7; APPI 20(1)"),
            Kind("CONSENT_BY_OTHER", "consent", "SOFT", ("C",), "J.8.7; Civil Code 99, 113"),
            Kind("FACTS_UNAVAILABLE", "system", "HARD", ("W",), "J.8.7; policy: nothing is cleared by an absence"),
            Kind("FACTS_STALE", "system", "HARD", ("W",), "APPI 35(5)(6); policy: max_lag"),
            Kind("SENDING_SUSPENDED", "system", "HARD", ("W",), "J.4.2"),
            Kind("JURISDICTION_UNKNOWN", "system", "SOFT", ("F",), "policy: strictest"),
            Kind("POLICY_UNKNOWN", "system", "HARD", ("F",), "policy: a country needs a policy in force"),
            Kind("EVENT_INVALID", "system", "HARD", ("F",), "J.8.1 (A.3.4.2.1); policy: purposes and controllers"),
            Kind("DECISION_FAILED", "system", "HARD", ("W",), "policy: a failed decision withholds"),
            Kind("RELEASE_SUPERSEDED", "system", "HARD", ("-",), "policy: a newer hard fact ends a release"),
            Kind("RELEASE_EXPIRED", "system", "SOFT", ("R",), "policy: release_ttl"),
            Kind("ASK_TEMPLATE_MISSING", "system", "SOFT", ("F", "C"), J87),
            Kind("DUPLICATE_SEND", "system", "HARD", ("-",), "policy: one piece a person, campaign and channel"),
        )
    }
)

FORMER: tuple[tuple[int, Kind], ...] = ()
"""Reasons of earlier rules, each with the last version of the rules that had it, oldest first.

A reason that no rule finds any more moves here, and so does the old form of a reason whose clause changes. Its
sentences stay in `texts/reason.toml`. Nothing may be deleted, because old records are explained by these reasons.
"""


def kind_at(code: str, rules: int, former: Sequence[tuple[int, Kind]] = FORMER) -> Kind | None:
    """A reason as defined in a version of the rules; None for a code that this release does not know."""
    then = (kind for last, kind in former if kind.code == code and rules <= last)
    return next(then, CATALOGUE.get(code))


WORST = {code: VERDICTS.index(kind.verdict) for code, kind in CATALOGUE.items()}
"""Verdict of each reason, as an index of VERDICTS."""

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
_PLACE = {code: place for place, code in enumerate(CATALOGUE)}
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


def verdict(found: Iterable[Found]) -> Verdict:
    """The worst verdict of the reasons; `clear` without any."""
    worst = 0
    for reason in found:
        worst = max(worst, WORST[reason.code])
    return VERDICTS[worst]


def ordered(found: Sequence[Found]) -> tuple[Found, ...]:
    """Each reason once, in the order of rule 6.5: by class, then by the catalogue; the first is the primary reason.

    Reasons of one code from several rules are merged with the facts of all.
    """
    if len(found) < 2:
        return tuple(found)
    merged: dict[str, Found] = {}
    for reason in found:
        had = merged.get(reason.code)
        if had is None:
            merged[reason.code] = reason
        elif had.facts != reason.facts:
            merged[reason.code] = had._replace(facts=tuple(sorted({*had.facts, *reason.facts})))
    return tuple(sorted(merged.values(), key=_order))


def _order(reason: Found) -> int:
    return _ORDER[reason.code]


def _place(kind: Kind) -> tuple[int, int, int]:
    if kind.severity == "HARD":
        return 3 if kind.code in NEVER else _CLASS[kind.group], 0, _PLACE[kind.code]
    return 8, -VERDICTS.index(kind.verdict), _PLACE[kind.code]


_ORDER = {kind.code: place for place, kind in enumerate(sorted(CATALOGUE.values(), key=_place))}
