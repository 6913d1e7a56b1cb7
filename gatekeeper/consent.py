"""The effective consent: what of a person's yes and no stands for a scope (domain rule 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gatekeeper.case import Case, below
from gatekeeper.reasons import Found
from gatekeeper.spans import Span
from schemas.events import GIVEN_STATES, NO_STATES, Consent, Suppression

TIE, SUPERSEDED = "TIE_BROKEN_TO_DENY", "SUPERSEDED_BY_LATER_CONSENT"
EXPIRED = "CONSENT_EXPIRED"
SPEAKERS = ("subject", "guardian", "agent")
"""Whose yes can lift a no."""
_LONG_AGO = Span(-(2**62), -(2**62))


class No(NamedTuple):
    """A withdrawal, refusal or objection: when it was said, and the contact point and channels that it names."""

    fact: str
    kind: str
    said: Span
    contact_point: str | None
    channels: frozenset[str]


class Standing(NamedTuple):
    """What a person's consent events come to for one send.

    `nos` are not lifted; if there is one, nothing stands. `stands` are the proven consents, the latest first.
    `lacks` says why there is none: faults, near misses, or CONSENT_MISSING. `lifters` may lift further nos.
    """

    nos: tuple[No, ...]
    stands: tuple[Consent, ...]
    lacks: tuple[Found, ...]
    lifters: tuple[Consent, ...]
    notes: frozenset[str]


def standing(case: Case, parties: frozenset[str]) -> Standing:
    """Returns what stands for the purpose, channel and contact point of the send, given to one of `parties`."""
    events = [event for event in case.facts.consents if event.event_type != "implied"]
    in_scope = (event for event in events if event.state in GIVEN_STATES and not _differs(case, event, parties))
    givens = [(event, _faults(case, event)) for event in in_scope]
    # the latest first; of equal times the expired one first, since it ends the walk
    givens.sort(key=lambda given: (_when(case, given[0]), EXPIRED in given[1]), reverse=True)
    lifters = tuple(event for event, faults in givens if not faults and event.expressed_by in SPEAKERS)
    nos = [no_of(case, event) for event in events if event.state in NO_STATES and _covers_send(case, event, parties)]
    left, notes = unlifted(case, nos, lifters)
    lacks = _found(givens[0][1], givens[0][0]) if givens else ()
    if left:
        beside = bool(givens) and _when(case, givens[0][0]).last > max(no.said.last for no in left)
        return Standing(left, (), lacks if beside else (), lifters, notes)
    stands = []
    for event, faults in givens:
        if not faults:
            stands.append(event)
        elif EXPIRED in faults:
            break
    if stands:
        lacks = ()
    elif not givens:
        lacks = _near_miss(case, events, parties) or (_missing(case),)
    return Standing((), tuple(stands), lacks, lifters, notes)


def unlifted(case: Case, nos: Iterable[No], lifters: Iterable[Consent]) -> tuple[tuple[No, ...], frozenset[str]]:
    """Returns the nos that no later yes lifts, and the notes (rule 6.3.3). Overlapping spans go to the no."""
    left, notes = [], set()
    for no in nos:
        able = [event for event in lifters if _names_as_much(event, no)]
        if any(_when(case, event).first > no.said.last for event in able):
            notes.add(SUPERSEDED)
            continue
        left.append(no)
        if any(_when(case, event).last >= no.said.first for event in able):
            notes.add(TIE)
    return tuple(left), frozenset(notes)


def no_of(case: Case, event: Consent | Suppression) -> No:
    """Returns the no that a withdrawal, a refusal or a suppression says."""
    if isinstance(event, Suppression):
        # it counts from the earlier of the two
        said = min(case.span(text) for text in (event.received_at, event.effective_at) if text)
        named = event.scope.contact_point, event.scope.channels
        return No(event.suppression_id, event.kind, said, _point(named[0]), _channels(named[1]))
    said = case.span(event.event_time or event.recorded_at)
    return No(event.record_id, event.state, said, _point(event.contact_point_id), _channels(event.channels))


def _differs(case: Case, event: Consent, parties: frozenset[str]) -> tuple[str, ...]:
    """Returns in what a yes differs from the send, each as the reason it would give; () = in scope."""
    send = case.send
    differs = []
    if event.controller_id not in parties:
        differs.append("CONTROLLER_MISMATCH")
    if event.purpose != send.purpose:
        differs.append("PURPOSE_NOT_COVERED")
    if send.channel not in event.channels:
        differs.append("CHANNEL_NOT_CONSENTED")
    if event.contact_point_id not in (None, send.contact_point.id):
        differs.append("CONTACT_POINT_NOT_COVERED")
    return tuple(differs)


def _covers_send(case: Case, event: Consent, parties: frozenset[str]) -> bool:
    send = case.send
    return any(_covers(event, party, send.purpose, (send.channel,), send.contact_point.id) for party in parties)


def _covers(no: Consent, party: str, purpose: str | None, channels: Iterable[str], point: str | None) -> bool:
    """Returns whether a no covers a scope, or any channel of it; `*` and nothing cover everything."""
    named = _channels(no.channels)
    return (
        no.controller_id in ("*", party)
        and (no.purpose in (None, "*") or below(purpose or "", str(no.purpose)))
        and (not named or not named.isdisjoint(channels))
        and (no.contact_point_id in (None, "*") or point is None or no.contact_point_id == point)
    )


def _names_as_much(event: Consent, no: No) -> bool:
    return no.contact_point in (None, event.contact_point_id) and no.channels <= set(event.channels)


def _faults(case: Case, event: Consent) -> tuple[str, ...]:
    """Returns why a yes is not proven, each as the reason it gives; () = proven (rule 6.3.2)."""
    notice, now, faults = case.notice(event.notice_id), case.at, []
    by_import = "import" in (event.method, event.expressed_by)
    starts = [case.span(text).last for text in (event.event_time, event.effective_from) if text]
    if not (event.event_time and (event.evidence_ref or (notice and not by_import))):
        faults.append("CONSENT_EVIDENCE_MISSING")
    if event.expressed_by in ("family", "staff"):
        faults.append("CONSENT_BY_OTHER")
    # the round trip of double opt-in is not ruled on yet: neither its start nor its end proves anything
    if event.double_opt_in or event.confirms:
        faults.append("CONSENT_UNCONFIRMED")
    if max(starts, default=now) > now + case.policy.skew_ms * 1000:
        faults.append("CONSENT_NOT_YET_VALID")
    if event.effective_to and case.span(event.effective_to).last < now:
        faults.append(EXPIRED)
    if notice and notice.invalidated_at:
        faults.append("CONSENT_INVALIDATED")
    return tuple(faults)


def _near_miss(case: Case, events: Iterable[Consent], parties: frozenset[str]) -> tuple[Found, ...]:
    """Returns in what the nearest proven yes differs that no no covers (rule 6.3.7); () without candidate."""
    others: set[str] = set()
    for source in case.facts.sources:
        others.add(source.collected_by)
        others.update({source.succession.predecessor} if source.succession else ())
        others.update({source.entrustment.entruster} if source.entrustment else ())
    nos = [event for event in events if event.state in NO_STATES]
    candidates = [
        event
        for event in events
        if event.state in GIVEN_STATES
        and event.controller_id not in others - parties
        and not _faults(case, event)
        and not any(_taken_back(case, event, no) for no in nos)
    ]
    if not candidates:
        return ()
    candidates.sort(key=lambda event: _when(case, event), reverse=True)
    nearest = min(candidates, key=lambda event: len(_differs(case, event, parties)))
    return _found(_differs(case, nearest, parties), nearest)


def _taken_back(case: Case, yes: Consent, no: Consent) -> bool:
    later_yes = _when(case, yes).first > case.span(no.event_time or no.recorded_at).last
    return not later_yes and _covers(no, yes.controller_id, yes.purpose, yes.channels, yes.contact_point_id)


def _missing(case: Case) -> Found:
    send = case.send
    controller = case.reference.controllers.get(send.controller_id)
    name = (controller.name if controller else None) or send.controller_id
    return Found("CONSENT_MISSING", (), {"controller": name, "purpose": send.purpose, "channel": send.channel})


def _found(codes: Iterable[str], event: Consent) -> tuple[Found, ...]:
    return tuple(Found(code, (event.record_id,)) for code in codes)


def _when(case: Case, event: Consent) -> Span:
    return case.span(event.event_time) if event.event_time else _LONG_AGO


def _point(named: str | None) -> str | None:
    return None if named == "*" else named


def _channels(named: Iterable[str]) -> frozenset[str]:
    return frozenset() if "*" in named else frozenset(named)
