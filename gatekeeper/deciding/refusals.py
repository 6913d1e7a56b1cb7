"""Refusals: withdrawals, refusals and objections that bear on a send, and their lifting (rules 6.3.3, 7.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gatekeeper.deciding.case import Case, Known, below
from gatekeeper.deciding.children import guarded
from gatekeeper.deciding.facts import CERTAIN, GUARDIAN, HeldConsent, HeldSuppression
from gatekeeper.deciding.recording import dated_back
from gatekeeper.deciding.scope import read_stop
from gatekeeper.deciding.stops import REGISTER
from gatekeeper.ground.times import Span
from schemas.events import Consent

TIE, SUPERSEDED = "TIE_BROKEN_TO_DENY", "SUPERSEDED_BY_LATER_CONSENT"


class No(NamedTuple):
    """A withdrawal, refusal or objection: its time, and the controller that it names, if it names one.

    `guarded`: no consent of a minor lifts it. `of_another`: another id said it (rule 8.1.36). `event`: it as it is on
    file, None for an erasure of the ledger. `named`: as of `Hit`.
    """

    fact: str
    kind: str
    said: Span
    controller: str | None
    guarded: bool = False
    of_another: bool = False
    event: HeldConsent | HeldSuppression | None = None
    named: int | None = None


class Lifter(NamedTuple):
    """A proven consent that covers the send and may lift a refusal: its controller, and its time.

    `minor`: it counts as a minor's.
    """

    controller: str
    said: Span
    minor: bool


class Lifting(NamedTuple):
    """The refusals that no consent lifts, the notes, and the lifted ones that were dated long before their recording.

    `dated_back`: each with the end of its recording, in microseconds. A consent after that is no cause for doubt.
    """

    left: tuple[No, ...]
    notes: frozenset[str] = frozenset()
    dated_back: tuple[tuple[No, int], ...] = ()


def no_of(case: Case, event: HeldConsent) -> No:
    """The refusal that a withdrawal or refusal event expresses."""
    spoken = case.span(event.event_time or event.recorded_at)
    guard = guarded(case, event.expressed_by, spoken)
    return No(event.record_id, event.state, spoken, event.controller_id, guard, event=event)


def stop_of(case: Case, stop: HeldSuppression) -> No:
    """The refusal that a suppression expresses, from the earlier of its times on.

    Only a consent after its receipt lifts it: a suppression dated back before a consent is still the later statement.
    One of a register is a no to everybody, so only a consent to the sender lifts it (rule 8.3.52).
    """
    heard = first_word(case, stop)
    spoken = case.span(heard.received_at)
    if heard.effective_at:
        spoken = Span(min(spoken.first, case.span(heard.effective_at).first), spoken.last)
    guard = stop.expressed_by == GUARDIAN if stop.of_another else guarded(case, stop.expressed_by, spoken)
    return No(
        stop.suppression_id,
        stop.word or stop.kind,
        spoken,
        None if stop.kind == REGISTER else stop.scope.controller,
        guard,
        bool(stop.of_another),
        heard,
    )


def first_word(case: Case, stop: HeldSuppression) -> HeldSuppression:
    """The version of a stop that says when it was heard: of a register's, the first to arrive (rule 8.3.52).

    The same id in a newer file is the same word. An earlier version that does not cover the send, or names the person
    less surely, is not heard. Without an arrival nobody can say which was first, and each version counts by itself.
    """
    if stop.kind != REGISTER or stop.arrived is None:
        return stop
    score = next((hit.score for hit in case.stops if hit.stop is stop), CERTAIN)
    versions = [
        hit.stop
        for hit in case.stops
        if (hit.stop.kind, hit.stop.suppression_id) == (stop.kind, stop.suppression_id) and hit.score >= score
    ]
    heard = [version for version in versions if version.arrived is not None and bound(case, version) is not None]
    return min(heard, key=lambda version: (version.arrived or 0, -case.span(version.received_at).last), default=stop)


def bound(case: Case, stop: HeldSuppression) -> tuple[str, ...] | None:
    """The parties to whom a consent may be given that lifts a stop. None if the stop's scope does not cover the send.

    An attribute that the scope does not name is covered. Objections to the predecessor of a succession bind the sender.
    """
    return _bound(case, read_stop(case, stop))


def reads_wide(case: Case, stop: HeldSuppression) -> bool:
    """True if a stop covers the send only because it is read wide (rule 7.1.5)."""
    wide = read_stop(case, stop)
    return wide is not stop and _bound(case, stop) is None and _bound(case, wide) is not None


def _bound(case: Case, stop: HeldSuppression) -> tuple[str, ...] | None:
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
    if (
        (scope.controller is None and scope.group is None)
        or "*" in (scope.controller, scope.group)
        or send.controller_id == scope.controller
        or _in_group(case, send.controller_id, stop)
    ):
        return (send.controller_id,)
    if stop.of_another:
        return (send.controller_id, *filter(None, (scope.controller,))) if stop.succeeded else None
    predecessor = succeeded(case, stop)
    return (send.controller_id, predecessor) if predecessor else None


def succeeded(case: Known, stop: HeldSuppression) -> str | None:
    """The company that a stop is meant for, if the person's data came from it by a succession."""
    for source in case.facts.sources:
        if source.succession is not None:
            predecessor = source.succession.predecessor
            if predecessor == stop.scope.controller or _in_group(case, predecessor, stop):
                return predecessor
    return None


def _in_group(case: Known, company: str, stop: HeldSuppression) -> bool:
    """True if a company is of the group of a stop, or left it by one manager's record since (7.1.5)."""
    group, controller = stop.scope.group, case.reference.controllers.get(company)
    if group is None:
        return False
    if controller and controller.group == group:
        return True
    since = case.facts.left.get(company, {}).get(group)
    return since is not None and (stop.arrived is None or since > stop.arrived)


def lifting(case: Case, nos: Sequence[No], lifters: Sequence[Lifter]) -> Lifting:
    """The refusals that no later consent lifts, and those that one lifts. If times overlap, the refusal wins.

    A consent lifts if it was given to the controller that the refusal names, or to the sender (rule 7.1.4). A minor's
    consent does not lift a guarded refusal (rule 7.1.3).
    """
    if not lifters:
        return Lifting(tuple(nos))
    left, notes, back = [], set(), []
    for no in nos:
        able = [
            yes.said
            for yes in lifters
            if yes.controller in (no.controller, case.send.controller_id) and not (no.guarded and yes.minor)
        ]
        if any(span.first > no.said.last for span in able):
            notes.add(SUPERSEDED)
            entered = dated_back(case, no.event) if no.event else None
            if entered is not None and all(span.first <= entered for span in able):
                back.append((no, entered))
            continue
        left.append(no)
        if any(span.last >= no.said.first for span in able):
            notes.add(TIE)
    return Lifting(tuple(left), frozenset(notes), tuple(back))


def covers_send(case: Case, event: Consent, parties: tuple[str, ...]) -> bool:
    """True if a refusal to one of the parties covers the send."""
    send = case.send
    return case.is_here(event.contact_point_id) and any(
        covers(case, event, party, send.purpose, (send.channel,), None) for party in parties
    )


def covers(
    case: Case, no: Consent, party: str, purpose: str | None, channels: Iterable[str], point: str | None
) -> bool:
    """True if a refusal covers a scope, or any channel of it; `*` and an absent value cover everything."""
    named = frozenset() if "*" in no.channels else frozenset(no.channels)
    return (
        no.controller_id in ("*", party)
        and (no.purpose in (None, "*") or below(purpose or "", str(no.purpose)))
        and (not named or not named.isdisjoint(channels))
        and case.same_point(no.contact_point_id, point)
    )
