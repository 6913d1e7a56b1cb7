"""The person's identity, age, and reachability by mail (domain rule 6.7; APPI 22)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.children import warns
from gatekeeper.deciding.consent import Consents, ConsentState
from gatekeeper.deciding.facts import HeldEvent, Hit
from gatekeeper.deciding.refusals import stop_of
from gatekeeper.deciding.rules.further_text import accounted
from gatekeeper.deciding.rules.objections import dated_back, under_refused
from gatekeeper.deciding.rules.source import active, lane
from gatekeeper.ground.times import Span, day
from gatekeeper.policy.reasons import Found
from schemas.events import PersonEvent

CODES = {"deceased": "RECIPIENT_DECEASED", "undeliverable": "CONTACT_UNDELIVERABLE"}
"""The reason of each kind of suppression that is no word of the person."""


def reached(case: Case) -> Iterator[Found]:
    """RECIPIENT_DECEASED, CONTACT_UNDELIVERABLE: no consent lifts them, only a correction or a newer address."""
    for hit in case.stops:
        if _sure(case, hit) and (since := _unreached(case, hit)):
            another = {"case": "another"} if hit.stop.of_another else {}
            says = {**another, **hit.says, "date": day(since.first, case.policy.timezone)}
            yield Found(CODES[hit.stop.kind], (hit.stop.suppression_id,), says)


def near(case: Case, consents: Consents) -> Iterator[Found]:
    """NAME_NEAR_STOP: a stop that would withhold the send, but matches this person below the policy's floor.

    Also the death of another id at a mailbox or number, which carries no name (rule 8.1.36). NO_DATED_BACK if only a
    consent keeps it from that, and it was dated long before its recording.
    """
    for hit in case.stops:
        if not _sure(case, hit):
            lifted = consents.stop(hit.stop)
            nos = [*lifted.left, *(no for no, _ in lifted.dated_back)]
            since = nos[0].said if nos else _unreached(case, hit)
            if since is None:
                continue
            if lifted.dated_back:
                yield from dated_back(case, lifted.dated_back)
            else:
                yield Found("NAME_NEAR_STOP", (hit.stop.suppression_id,), {"score": str(hit.score), **hit.says})


def near_elsewhere(case: Case, told: Iterable[Found]) -> list[Found]:
    """NAME_NEAR_STOP and NO_DATED_BACK by refusals of other purposes of marketing, for a send that asks (rule 6.6).

    `told`: the reasons already found.
    """
    known = {(reason.code, reason.facts) for reason in told}
    others = (reason for other in under_refused(case) for reason in near(other, Consents(other)))
    return [*{(one.code, one.facts): one for one in others if (one.code, one.facts) not in known}.values()]


def unaccounted(case: Case) -> tuple[Found, ...]:
    """PRINT_UNACCOUNTED: more is printed than one name and one address, so it may reach another one (rule 7.4.19).

    Not if a source gave all further lines, or one of the staff accepted them (rule 8.3.54).
    """
    if case.facts.printed != "unaccounted" or accounted(case):
        return ()
    return (Found("PRINT_UNACCOUNTED"),)


def age(case: Case, standing: ConsentState) -> tuple[Found, ...]:
    """MINOR_NO_GUARDIAN: below the policy's age. AGE_UNCERTAIN: a source warns of it, and no source of ours answers.

    Only an active source of ours answers by its birth date (rule 8.2.43).
    """
    if standing.guardian:
        return ()
    ages, minor_age = case.facts.ages, case.policy.minor_age
    if ages.now is not None and ages.now < minor_age:
        return (Found("MINOR_NO_GUARDIAN", ages.sources, {"age": str(minor_age)}),)
    if (young := [source for source in case.facts.sources if warns(case, source)]) and not _told_by_us(case):
        says = {"case": "under" if ages.now is None else "others", "age": str(minor_age), "method": young[0].method}
        return (Found("AGE_UNCERTAIN", tuple(source.source_id for source in young), says),)
    return ()


def _told_by_us(case: Case) -> bool:
    """True if an active source of ours tells the birth date."""
    return any(
        source.source_id in case.facts.ages.sources and lane(source) == "own" and active(case, source)
        for source in case.facts.sources
    )


def _sure(case: Case, hit: Hit) -> bool:
    """True if a stop names this person as surely as the policy asks; a mailbox never tells who died."""
    return hit.score >= case.policy.match_floor and not (hit.stop.nameless and hit.stop.kind == "deceased")


def _unreached(case: Case, hit: Hit) -> Span | None:
    """The time since which a death or a returned piece prevents delivery, None if neither does."""
    kind = hit.stop.kind
    if kind not in CODES or (kind == "undeliverable" and not _here(case, hit)):
        return None
    since = stop_of(case, hit.stop).said
    return None if kind == "undeliverable" and _mended(case, since) else since


def _here(case: Case, hit: Hit) -> bool:
    """True if a returned piece or a bounce was for the contact point and channel of the send."""
    scope, send = hit.stop.scope, case.send
    return (
        not hit.elsewhere
        and case.is_here(scope.contact_point)
        and (not scope.channels or "*" in scope.channels or send.channel in scope.channels)
    )


def _mended(case: Case, since: Span) -> bool:
    """True if the contact point was later found to be good, by hand or by a later form."""
    return any(_stated(event) for event in _found_good(case, since)) or given_since(case, since)


def unproven(case: Case) -> bool:
    """True if a returned piece prevents delivery that somebody calls mended, without a name or evidence."""
    return any(
        hit.stop.kind == "undeliverable" and (since := _unreached(case, hit)) and any(_found_good(case, since))
        for hit in case.stops
    )


def _found_good(case: Case, since: Span) -> list[HeldEvent]:
    """The events that call the contact point good since."""
    return [
        event
        for event in case.facts.events
        if event.kind == "undeliverable_resolved" and _later(case, str(event.said), since) and _resolves(case, event)
    ]


def _stated(event: HeldEvent) -> bool:
    """True if it says by whom, a program perhaps, and where the evidence is; or two managers name it."""
    return bool(event.by and event.evidence_ref) or len(event.managers) > 1


def given_since(case: Case, since: Span) -> bool:
    """True if the person has given us the send's contact point since."""
    return any(
        lane(source) == "own"
        and active(case, source)
        and source.acquired_at is not None
        and _later(case, source.acquired_at, since)
        and case.names_contact_point(source)
        for source in case.facts.sources
    )


def _resolves(case: Case, event: PersonEvent) -> bool:
    """True if an event is about the send's contact point. One that no source gave is known by its id alone."""
    point = event.contact_point_id
    alone = point == case.send.contact_point.id and point not in case.facts.points
    return alone or case.was_here(point, case.span(str(event.said)))


def _later(case: Case, when: str, since: Span) -> bool:
    """True if `when` is after `since`, and not in the future of a clock that runs ahead."""
    first = case.span(when).first
    return since.last < first <= case.at + case.policy.skew_ms * 1000
