"""The catalogue of reasons: what each weighs, by which clause, who can cure it, and in which order they are told.

The sentences stand in `texts/reason.toml`, under the same codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from schemas.audit import Severity, Verdict

Group = Literal["system", "will", "source", "person", "consent"]
Remedy = Literal["R", "C", "F", "N", "W", "-"]
"""R a reviewer may release, C ask the person, F fix a fact, N only a new act of the person, W wait, - never."""

VERDICTS: tuple[Verdict, ...] = ("clear", "confirm", "review", "block")
"""Worst last."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One reason of the catalogue (domain §3.2)."""

    code: str
    group: Group
    severity: Severity
    remedy: tuple[Remedy, ...]
    clause: str
    absence: bool = False
    """True: it only says that something is missing, and is left out beside a reason that says more (rule 6.4.2)."""

    @property
    def verdict(self) -> Verdict:
        """What it leads to: HARD blocks; of SOFT, a release goes before asking (rule 6.5)."""
        if self.severity == "HARD":
            return "block"
        return "confirm" if "C" in self.remedy and "R" not in self.remedy else "review"


class Found(NamedTuple):
    """A reason found: its code, the ids of the facts it stands on, and what fills its sentence."""

    code: str
    facts: tuple[str, ...] = ()
    says: Mapping[str, str] = MappingProxyType({})


J87 = "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)"

CATALOGUE: Mapping[str, Kind] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            # in the order of domain §3.2, which decides between reasons of one class
            Kind("SUBJECT_OBJECTED", "will", "HARD", ("N",), "APPI 35(5)(6); J.10 (A.3.4.4)"),
            Kind("CONSENT_WITHDRAWN", "will", "HARD", ("N",), J87),
            Kind("SOURCE_UNKNOWN", "source", "HARD", ("F",), f"{J87}; J.8.4 (A.3.4.2.4)"),
            Kind("AGE_UNCERTAIN", "person", "SOFT", ("R", "C"), "PPC Q&A 1-62"),
            Kind("THIRD_PARTY_UNCONFIRMED", "source", "SOFT", ("C",), J87, absence=True),
            Kind("NOTICE_ITEMS_MISSING", "source", "SOFT", ("C", "F"), "J.8.5 (A.3.4.2.5); J.8.7 a"),
            Kind("CONSENT_MISSING", "consent", "SOFT", ("C",), J87, absence=True),
            Kind("FACTS_UNAVAILABLE", "system", "HARD", ("W",), "J.8.7; policy: nothing is cleared by an absence"),
            Kind("FACTS_STALE", "system", "HARD", ("W",), "APPI 35(5)(6); policy: max_lag"),
            Kind("SENDING_SUSPENDED", "system", "HARD", ("W",), "J.4.2"),
            Kind("EVENT_INVALID", "system", "HARD", ("F",), "J.8.1 (A.3.4.2.1); policy: purposes and controllers"),
            Kind("DECISION_FAILED", "system", "HARD", ("W",), "policy: a failed decision withholds"),
        )
    }
)

_PLACE = {code: place for place, code in enumerate(CATALOGUE)}
_CLASS: Mapping[Group, int] = {"system": 1, "will": 2, "person": 4, "source": 5, "consent": 7}


def verdict(found: Iterable[Found]) -> Verdict:
    """Returns the worst of what the reasons lead to; `clear` of none."""
    return max((CATALOGUE[reason.code].verdict for reason in found), key=VERDICTS.index, default="clear")


def ordered(found: Iterable[Found]) -> tuple[Found, ...]:
    """Returns the reasons in the order of rule 6.5: by class, within it by the catalogue; the first is the primary."""
    return tuple(sorted(found, key=lambda reason: _order(reason.code)))


def _order(code: str) -> tuple[int, int, int]:
    kind = CATALOGUE[code]
    if kind.severity == "HARD":
        return _CLASS[kind.group], 0, _PLACE[code]
    return 8, -VERDICTS.index(kind.verdict), _PLACE[code]
