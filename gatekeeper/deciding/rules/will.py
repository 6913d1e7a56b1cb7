"""The person's will: one objection or refusal in scope is enough, by any route (domain rules 3.4.3, 6.3.3, 6.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gatekeeper.deciding.case import Case, below, is_open
from gatekeeper.deciding.consent import Consents, ConsentState, No, stop_of, unlifted
from gatekeeper.policy.reasons import Found
from gatekeeper.times import Span, day
from schemas.events import Suppression

CODES = {
    "objection": "SUBJECT_OBJECTED",
    "cessation": "CESSATION_REQUESTED",
    "erasure": "SUBJECT_ERASED",
    "refusal_returned": "POSTAL_REFUSAL_RETURNED",
}


def stopped(case: Case, consents: Consents) -> tuple[list[Found], frozenset[str]]:
    """SUBJECT_OBJECTED, CESSATION_REQUESTED, SUBJECT_ERASED, POSTAL_REFUSAL_RETURNED, with the notes of lifting.

    A stop that matches the person only below the policy's floor is IDENTITY_AMBIGUOUS instead (rules/person.py).
    """
    left, notes = _unlifted(case, consents)
    return [_said(case, CODES[kind], nos) for kind, nos in left.items()], notes


def erased(case: Case, consents: Consents, *, lifted: Callable[[Span], bool] = lambda _: False) -> tuple[Found, ...]:
    """SUBJECT_ERASED: an erasure in scope of the send, except those whose time `lifted` accepts (rule 7.3.15)."""
    left, _ = _unlifted(case, consents)
    nos = [no for no in left.get("erasure", ()) if not lifted(no.said)]
    return (_said(case, CODES["erasure"], nos),) if nos else ()


def _unlifted(case: Case, consents: Consents) -> tuple[dict[str, list[No]], frozenset[str]]:
    """The stops in force for the send by kind, with the notes of lifting."""
    left: dict[str, list[No]] = {}
    if (erased := case.facts.erased) is not None:  # no later consent lifts an erasure, only a readmission
        left["erasure"] = [No("erasure", "erasure", Span(erased * 1000, erased * 1000), None, frozenset())]
    notes: set[str] = set()
    for hit in case.stops:
        if hit.score < case.policy.match_floor:
            continue
        no, told = standing(case, hit.stop, consents)
        notes |= told
        if no:
            left.setdefault(no.kind, []).append(no)
    return left, frozenset(notes)


def standing(case: Case, stop: Suppression, consents: Consents) -> tuple[No | None, frozenset[str]]:
    """The refusal that a stop means for the send, with its notes; None if out of scope or lifted.

    Objections to the predecessor of a succession bind the sender. A cessation that nobody has decided is not lifted.
    """
    if stop.kind not in CODES or (parties := _bound(case, stop)) is None:
        return None, frozenset()
    no = stop_of(case, stop)
    if is_open(stop):
        return no, frozenset()
    still, notes = unlifted(case, (no,), consents.standing(parties).lifters)
    return no if still else None, notes


def taken_back(case: Case, standing: ConsentState) -> list[Found]:
    """CONSENT_WITHDRAWN and CONSENT_REFUSED: a withdrawal or refusal in scope that no later consent lifts."""
    found: list[Found] = []
    if standing.nos:
        for state, code in (("Withdrawn", "CONSENT_WITHDRAWN"), ("Refused", "CONSENT_REFUSED")):
            if nos := [no for no in standing.nos if no.kind == state]:
                found.append(_said(case, code, nos))
    return found


def _bound(case: Case, stop: Suppression) -> tuple[str, ...] | None:
    """The parties to whom a consent may be given that lifts a stop; None if the stop's scope does not cover the send.

    An attribute that the scope does not name is covered.
    """
    send, scope = case.send, stop.scope
    returned = stop.kind == "refusal_returned"  # a refusal by post covers every purpose and address
    if returned and send.channel != "postal":
        return None
    if not returned and not (
        (scope.purpose in (None, "*") or below(send.purpose, str(scope.purpose)))
        and (not scope.channels or "*" in scope.channels or send.channel in scope.channels)
        and case.is_here(scope.contact_point)
    ):
        return None
    group = case.reference.controllers[send.controller_id].group
    if (
        (scope.controller is None and scope.group is None)
        or "*" in (scope.controller, scope.group)
        or send.controller_id == scope.controller
        or (group is not None and group == scope.group)
    ):
        return (send.controller_id,)
    for source in case.facts.sources:
        if source.succession is None:
            continue
        predecessor = source.succession.predecessor
        known = case.reference.controllers.get(predecessor)
        if predecessor == scope.controller or (known and known.group is not None and known.group == scope.group):
            return send.controller_id, predecessor
    return None


def _said(case: Case, code: str, nos: Iterable[No]) -> Found:
    newest = max(nos, key=lambda no: no.said)
    return Found(
        code,
        tuple(sorted({no.fact for no in nos})),
        {"date": day(newest.said.first, case.policy.timezone)},
    )
