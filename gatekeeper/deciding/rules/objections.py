"""The person's will: one objection or refusal in scope is enough, by any route (domain rules 3.4.3, 6.3.3, 6.7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from gatekeeper.deciding.case import Case, below
from gatekeeper.deciding.consent import Consents, ConsentState
from gatekeeper.deciding.facts import GUARDIAN
from gatekeeper.deciding.refusals import No
from gatekeeper.deciding.scope import read, read_stop
from gatekeeper.ground.times import Span, day
from gatekeeper.policy.reasons import Found
from schemas.events import NO_STATES

CODES = {
    "objection": "SUBJECT_OBJECTED",
    "cessation": "CESSATION_REQUESTED",
    "erasure": "SUBJECT_ERASED",
    "refusal_returned": "POSTAL_REFUSAL_RETURNED",
    "external": "EXTERNAL_PREFERENCE_LISTED",
    "Withdrawn": "CONSENT_WITHDRAWN",
    "Refused": "CONSENT_REFUSED",
}
"""The reason of each kind of suppression that says the will, and of the words of another id (rule 8.1.36)."""


def stopped(case: Case, consents: Consents) -> tuple[list[Found], frozenset[str]]:
    """SUBJECT_OBJECTED, CESSATION_REQUESTED, SUBJECT_ERASED, POSTAL_REFUSAL_RETURNED, EXTERNAL_PREFERENCE_LISTED.

    CONSENT_WITHDRAWN and CONSENT_REFUSED of another id. With the notes of lifting.

    NO_DATED_BACK beside a lifted stop that was dated long before its recording.
    A stop that matches the person only below the policy's floor is NAME_NEAR_STOP instead (rules/person.py).
    """
    stops, notes = _unlifted(case, consents)
    reasons = [reason(case, CODES[kind], nos, consents) for kind, nos in stops.items()]
    hits = (hit for hit in case.stops if hit.score >= case.policy.match_floor)
    return [*reasons, *dated_back(case, [one for hit in hits for one in consents.stop(hit.stop).dated_back])], notes


def erased(case: Case, consents: Consents, *, lifted: Callable[[Span], bool] = lambda _: False) -> tuple[Found, ...]:
    """SUBJECT_ERASED: an erasure in scope of the send, except those whose time `lifted` accepts (rule 7.3.15)."""
    stops, _ = _unlifted(case, consents)
    nos = [no for no in stops.get("erasure", ()) if not lifted(no.said)]
    return (reason(case, CODES["erasure"], nos, consents),) if nos else ()


def _unlifted(case: Case, consents: Consents) -> tuple[dict[str, list[No]], frozenset[str]]:
    """The stops in force for the send by kind, with the notes of lifting."""
    stops: dict[str, list[No]] = {}
    if (erased := case.facts.erased) is not None:  # no later consent lifts an erasure, only a readmission
        stops["erasure"] = [No("erasure", "erasure", Span(erased * 1000, erased * 1000), None)]
    notes: set[str] = set()
    for hit in case.stops:
        if hit.score < case.policy.match_floor:
            continue
        lifted = consents.stop(hit.stop)
        notes |= lifted.notes
        for no in lifted.left:
            stops.setdefault(no.kind, []).append(no._replace(named=hit.named))
    return stops, frozenset(notes)


def dated_back(case: Case, nos: Sequence[tuple[No, int]]) -> list[Found]:
    """NO_DATED_BACK: a consent lifts a no that was entered long after its date, and after the consent (rule 8.1.41).

    `nos`: each with the end of its recording, in microseconds.
    """
    if not nos:
        return []
    zone = case.policy.timezone
    no, entered = max(nos, key=lambda one: one[1])
    says = {"date": day(no.said.last, zone), "recorded": day(entered, zone)}
    return [Found("NO_DATED_BACK", tuple(sorted({one.fact for one, _ in nos})), says)]


def taken_back(case: Case, standing: ConsentState, consents: Consents) -> list[Found]:
    """CONSENT_WITHDRAWN and CONSENT_REFUSED: a withdrawal or refusal in scope that no later consent lifts."""
    reasons: list[Found] = []
    if standing.nos:
        for state, code in (("Withdrawn", "CONSENT_WITHDRAWN"), ("Refused", "CONSENT_REFUSED")):
            if nos := [no for no in standing.nos if no.kind == state]:
                reasons.append(reason(case, code, nos, consents))
    return reasons


def elsewhere(case: Case, told: Collection[str], parties: tuple[str, ...]) -> list[Found]:
    """The refusals of other purposes of marketing, which bar a send that asks, whatever purpose it names (rule 6.6).

    A person who refused an advertisement is not asked for it under another name. `told`: the codes already found.
    `parties`: those to whom a refusal bears on the data in question.
    """
    reasons: dict[str, Found] = {}
    for other in under_refused(case):
        consents = Consents(other)
        stops, _ = stopped(other, consents)
        standing = consents.standing(parties)
        for reason in (*stops, *taken_back(other, standing, consents), *dated_back(other, standing.dated_back)):
            reasons.setdefault(reason.code, reason)
    return [reason for code, reason in reasons.items() if code not in told]


def under_refused(case: Case) -> Iterator[Case]:
    """The case for each purpose of marketing, other than the send's, that refusals of the person name.

    A refusal of everything, or of a purpose that is read as every one (rule 7.1.5), names each of them. So does a piece
    that came back refused, whatever purpose its record names (rule 6.1).
    """
    purposes = {read(case, event).purpose for event in case.facts.consents if event.state in NO_STATES}
    for stop in (hit.stop for hit in case.facts.suppressions):
        purposes.add(None if stop.kind == "refusal_returned" else read_stop(case, stop).scope.purpose)
    registered = case.reference.purposes.registered
    marketing = {name for name, entry in registered.items() if entry.purpose.marketing}
    if any(code is None or not any(below(name, code) for name in registered) for code in purposes):
        purposes |= marketing
    for code in sorted(map(str, purposes - {None, case.send.purpose})):
        if any(below(name, code) for name in marketing):
            yield case.for_purpose(code)


def reason(case: Case, code: str, nos: Sequence[No], consents: Consents | None = None) -> Found:
    """The reason that these nos mean. Its sentence is of the person's own ones, if there are any.

    `consents`: for the later yes that the sentence names.
    """
    own = [no for no in nos if not no.of_another]
    newest = max(own or nos, key=lambda no: no.said)
    says = {} if own else {"case": "another"}
    if own and code == "SUBJECT_ERASED" and case.send.message_class == "transactional":
        says = {"case": "order"}
    says |= {"date": day(newest.said.first, case.policy.timezone)}
    says |= {"name": str(newest.named)} if newest.named is not None else {}
    says |= {"speaker": speaker} if (speaker := _speaker(newest)) else {}
    if consents:
        says |= consents.uncounted(newest) | ({"scope": "wide"} if consents.is_wide(newest) else {})
    return Found(code, tuple(sorted({no.fact for no in nos})), says)


def _speaker(no: No) -> str | None:
    """The speaker of a no, if that is not the person; None for another id (rules 8.1.36, 8.4.57)."""
    by = no.event.expressed_by if no.event and not no.of_another else None
    return by if by in (GUARDIAN, "family") else None
