"""The person's will: an objection or a withdrawal in scope is enough (domain rules 3.4.3, 6.3.3, 6.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatekeeper.case import Case, below
from gatekeeper.consent import No, Standing, no_of, unlifted
from gatekeeper.reasons import Found
from gatekeeper.spans import day
from schemas.events import Scope


def objected(case: Case, standing: Standing) -> tuple[list[Found], frozenset[str]]:
    """SUBJECT_OBJECTED: an objection in scope that no later consent lifts, with the notes of lifting.

    One found only by a match below the policy's floor is IDENTITY_AMBIGUOUS instead.
    """
    found, sure = [], []
    for hit in case.facts.suppressions:
        if hit.stop.kind != "objection" or not _stops(case, hit.stop.scope):
            continue
        if hit.score >= case.policy.match_floor:
            sure.append(no_of(case, hit.stop))
        else:
            found.append(Found("IDENTITY_AMBIGUOUS", (hit.stop.suppression_id,)))
    left, notes = unlifted(case, sure, standing.lifters)
    if left:
        found.append(_said(case, "SUBJECT_OBJECTED", left))
    return found, notes


def taken_back(case: Case, standing: Standing) -> Iterator[Found]:
    """CONSENT_WITHDRAWN and CONSENT_REFUSED: a no in scope that no later consent lifts."""
    for state, code in (("Withdrawn", "CONSENT_WITHDRAWN"), ("Refused", "CONSENT_REFUSED")):
        if nos := [no for no in standing.nos if no.kind == state]:
            yield _said(case, code, nos)


def _said(case: Case, code: str, nos: Iterable[No]) -> Found:
    newest = max(nos, key=lambda no: no.said)
    return Found(
        code,
        tuple(sorted({no.fact for no in nos})),
        {"date": day(newest.said.first, case.policy.timezone)},
    )


def _stops(case: Case, scope: Scope) -> bool:
    """Returns whether the scope of a suppression covers the send; what it does not name is covered."""
    send = case.send
    group = case.reference.controllers[send.controller_id].group
    party = (
        (scope.controller is None and scope.group is None)
        or "*" in (scope.controller, scope.group)
        or send.controller_id == scope.controller
        or (group is not None and group == scope.group)
    )
    return (
        party
        and (scope.purpose in (None, "*") or below(send.purpose, str(scope.purpose)))
        and (not scope.channels or "*" in scope.channels or send.channel in scope.channels)
        and scope.contact_point in (None, "*", send.contact_point.id)
    )
