"""The one function that decides: pure, total, and the same for worker, commands and replay (domain §3.4, §6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatekeeper import basis as bases
from gatekeeper import consent
from gatekeeper.case import Case
from gatekeeper.known import Facts
from gatekeeper.policy import Policy
from gatekeeper.reasons import CATALOGUE, Found, ordered, verdict
from gatekeeper.reference import Reference
from gatekeeper.rules import person, system, unruled, will
from schemas.audit import Verdict
from schemas.events import Send

STOP_CONTACT, STATE_SOURCE = "MUST_PRINT_STOP_CONTACT", "MUST_STATE_SOURCE"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one send. `basis`: the id of the source it stands on. `at`: milliseconds since the epoch."""

    verdict: Verdict
    reasons: tuple[Found, ...]
    notes: tuple[str, ...]
    obligations: tuple[str, ...]
    basis: str | None
    at: int
    policy: Policy

    @property
    def primary(self) -> str | None:
        """The code of the first reason."""
        return self.reasons[0].code if self.reasons else None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all reasons, in order."""
        return tuple(reason.code for reason in self.reasons)


def decide(
    send: Send, facts: Facts, reference: Reference, policy: Policy, at: int, *, as_of: int | None = None
) -> Decision:
    """Returns whether this send may go out at that instant, and why.

    `at`: milliseconds since the epoch. `as_of`: the instant up to which all facts are known; None = `at`.
    Reads no clock and no file; the same arguments give the same decision. Nothing is cleared by an absence.
    """
    case = Case(send=send, facts=facts, reference=reference, policy=policy, at=at * 1000)
    ending = list(system.unready(case, as_of)) or list(system.invalid(case))
    if ending:
        return only(case.policy, at, ending)
    standing = consent.standing(case, frozenset((send.controller_id,)))
    basis = bases.choose(case, standing)
    objections, notes = will.objected(case, standing)
    found = [
        *system.suspended(case),
        *objections,
        *person.age(case, standing),
        *basis.reasons,
        *unruled.send(case),
        *unruled.person(case),
    ]
    if missing := [reason for reason in found if reason.code not in CATALOGUE]:
        return only(case.policy, at, [_unruled(missing)])
    reasons = ordered(_telling(found))
    clear = not reasons
    return Decision(
        verdict=verdict(reasons),
        reasons=reasons,
        notes=tuple(sorted(standing.notes | notes | basis.notes)),
        obligations=_obligations(basis) if clear else (),
        basis=basis.source.source_id if basis.source else None,
        at=at,
        policy=policy,
    )


def only(policy: Policy, at: int, reasons: Iterable[Found]) -> Decision:
    """Returns a decision that ends with these reasons, nothing else having been looked at (rule 6.4.1)."""
    found = ordered(reasons)
    return Decision(verdict(found), found, (), (), None, at, policy)


def _telling(found: list[Found]) -> list[Found]:
    """Leaves absence reasons out beside a will reason or a HARD source reason of the basis (rule 6.4.2)."""
    kinds = [CATALOGUE[reason.code] for reason in found]
    if any(kind.group == "will" or (kind.group == "source" and kind.severity == "HARD") for kind in kinds):
        return [reason for reason in found if not CATALOGUE[reason.code].absence]
    return found


def _unruled(missing: list[Found]) -> Found:
    facts = sorted({fact for reason in missing for fact in reason.facts})
    return Found(
        "FACTS_UNAVAILABLE",
        tuple(facts),
        {
            "case": "rule",
            "rule": ", ".join(dict.fromkeys(reason.code for reason in missing)),
            "what": ", ".join(dict.fromkeys(reason.says["what"] for reason in missing if "what" in reason.says)),
        },
    )


def _obligations(basis: bases.Basis) -> tuple[str, ...]:
    return (STOP_CONTACT,) if basis.own else (STOP_CONTACT, STATE_SOURCE)
