"""Asking the person: whether they were asked, the result, and whether asking is allowed (rules 6.2, 6.5; J.8.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gatekeeper.deciding.case import Case, route
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.facts import AskedElsewhere
from gatekeeper.deciding.refusals import Lifting, No, no_of, stop_of
from gatekeeper.deciding.rules import objections
from gatekeeper.deciding.rules.source import lane, misrouted, states_route
from gatekeeper.ground.times import months_after
from gatekeeper.policy.methods import METHODS
from gatekeeper.policy.reasons import Found
from schemas.events import Ask, Consent, Source

BY_OPT_IN = ("email", "sms")
_ASKED_ONCE = ("other", "unknown")
"""Classes of sources whose asks count together: a person is asked once, whichever of them the ask is about."""
_EVERY = "*"
"""The contact point of a source that may be any."""


class _Form(NamedTuple):
    """A source as it is compared with another: its method, notice and addresses (rule 8.2.48).

    `points`: numbers of addresses, else contact points; EVERY if the source names none, or nobody can tell.
    """

    id: str
    method: str
    notice_id: str | None
    points: frozenset[str | int]

    @classmethod
    def of(cls, case: Case, source: Source) -> _Form:
        """The form of one version of a source."""
        points: set[str | int] = set() if source.contact_points else {_EVERY}
        for point in source.contact_points:
            rows = [row for row in case.facts.addresses if row.id == point.id and row.acquired_at == source.acquired_at]
            points.update([_EVERY if row.unknown else row.n for row in rows] or [point.id])
        return cls(source.source_id, source.method, source.notice_id, frozenset(points))

    def is_one_with(self, other: _Form) -> bool:
        """True if method and notice are equal, absent or not, and an address is in common."""
        if (self.method, self.notice_id) != (other.method, other.notice_id):
            return False
        return _EVERY in self.points or _EVERY in other.points or not self.points.isdisjoint(other.points)


def confirmed(case: Case, source: Source, consent: Consent | None) -> bool:
    """True if a consent answers a sound ask for this source, or stands on a notice that states its route."""
    if consent is None:
        return False
    if states_route(case, source, consent):
        return True
    if consent.answers is None:
        return False
    asks = [ask for ask in case.facts.asks if ask.request_id == consent.answers and _about(case, source, ask)]
    spoken = case.span(consent.event_time or consent.recorded_at).last
    return any(sound(case, source, ask) and spoken >= case.span(ask.at).first for ask in asks)


def unconfirmed(case: Case, source: Source, consent: Consent | None = None) -> Found | None:
    """THIRD_PARTY_UNCONFIRMED, PUBLIC_SOURCE_UNCONFIRMED, REFERRAL_UNCONFIRMED: not yet informed and asked.

    None if the policy does not ask for it. By law, data matched from a third party always need it (APPI 31).
    `consent`: a yes that stands, given on a form which does not state the source's route.
    """
    method = METHODS[source.method]
    if method.unconfirmed is None or not (method.by_law or case.policy.asks_for(method.unconfirmed)):
        return None
    says = {"method": source.method, "provider": source.provided_by or source.route or source.collected_by}
    form = {"case": "form"} if consent and method.unconfirmed == "THIRD_PARTY_UNCONFIRMED" else {}
    return Found(method.unconfirmed, (source.source_id,), {**form, **says})


def asked(case: Case, source: Source, consents: Consents) -> bool:
    """True if an ask binds this source, or one that is the same but for its id (rule 8.2.48)."""
    return bool(_asks_of_one(case, source, consents))


def lifecycle(case: Case, source: Source, consents: Consents) -> tuple[Found, ...]:
    """CONFIRMATION_* and CONSENT_REFUSED: the result of the newest ask that binds this source; () = never asked.

    A refusal outlives later asks. A yes that was taken back, or is about another source, leaves the person asked. So
    does a sound ask about a source that is the same but for its id.
    """
    if nos := refusals(case, source, consents).left:
        return (refused(case, nos),)
    asks = _asks_of_one(case, source, consents)
    if not asks:
        return ()
    ask = asks[-1]
    says = {"date": case.day(ask.at), "request": ask.request_id}
    facts = (source.source_id, ask.request_id)
    if consents.agreed(ask.request_id) and not sound(case, source, ask):
        return (Found("CONFIRMATION_DEFECTIVE", facts, {"case": "answered", **says}),)
    if _returned(case, ask):
        return (Found("CONFIRMATION_UNDELIVERED", facts, says),)
    if _answered(ask, consents):
        return (Found("CONFIRMATION_CAP_REACHED", facts, says),)
    if case.at < _closes(case, ask):
        return (Found("CONFIRMATION_PENDING", facts, says),)
    form = consents.standing((case.send.controller_id,)).stands
    return (Found("CONFIRMATION_LAPSED", facts, {"case": "form", **says} if form else says),)


def refusals(case: Case, source: Source, consents: Consents) -> Lifting:
    """The refusals in answer to an ask that binds this source, whatever their scope (rules 7.1.11, 8.1.36).

    Only a later proven consent for the send ends one. An ask that is not on file counts as one of class other. So does
    each ask to another id.
    """
    answers = [event for event in consents.proof.nos if event.answers]
    stops = [hit.stop for hit in case.stops if hit.stop.answers and hit.score >= case.policy.match_floor]
    if not answers and not stops:
        return Lifting(())
    asked_as = {ask.request_id for ask in _asks(case, source, consents)}
    on_file = {ask.request_id for ask in case.facts.asks}
    companies = (None, "*", case.send.controller_id) if lane(source) in _ASKED_ONCE else ()
    return consents.refused(
        [
            *(
                no_of(case, event)
                for event in answers
                if event.answers in asked_as or (event.answers not in on_file and event.controller_id in companies)
            ),
            *(stop_of(case, stop) for stop in stops if stop.scope.controller in companies),
        ]
    )


def refused(case: Case, nos: Sequence[No]) -> Found:
    """CONSENT_REFUSED: a refusal in answer to the ask, whatever its scope."""
    return objections.reason(case, "CONSENT_REFUSED", nos)


def barred(case: Case, source: Source | None, consents: Consents) -> list[Found]:
    """The reasons against asking about this source at the send's contact point (rule 6.5); empty = may ask."""
    send, policy = case.send, case.policy
    reasons = []
    if send.channel not in policy.confirm_channels:
        reasons.append(Found("CONFIRMATION_CHANNEL_UNLAWFUL", (), {"channel": send.channel}))
    elif send.channel in BY_OPT_IN and not any(
        lane(other) == "own" and case.names_contact_point(other) for other in case.facts.sources
    ):
        reasons.append(Found("CONFIRMATION_CHANNEL_UNLAWFUL", (), {"case": "origin", "channel": send.channel}))
    if source is not None:
        if misrouted(source):
            says = {"case": "route", "source": source.source_id, "route": route(source)}
            reasons.append(Found("CONFIRMATION_DEFECTIVE", (source.source_id,), says))
        counted = [ask for ask in _asks_of_one(case, source, consents) if _counts(case, source, ask, consents)]
        elsewhere = [ask for ask in case.facts.asked if _is_ours(case, ask)]
        if len(counted) >= policy.ask_cap:
            says = {"date": case.day(counted[-1].at), "request": counted[-1].request_id}
            reasons.append(Found("CONFIRMATION_CAP_REACHED", tuple(ask.request_id for ask in counted), says))
        elif elsewhere and len(counted) + len(elsewhere) >= policy.ask_cap:
            says = {"case": "elsewhere", "date": max(case.day(ask.at) for ask in elsewhere)}
            ids = [ask.request_id for ask in counted] + [ask.request_id for ask in elsewhere]
            reasons.append(Found("CONFIRMATION_CAP_REACHED", tuple(ids), says))
    return reasons


def unprepared(case: Case) -> tuple[Found, ...]:
    """ASK_TEMPLATE_MISSING: no registered template may ask. This bars nothing; register a template before asking."""
    return () if case.reference.ask else (Found("ASK_TEMPLATE_MISSING"),)


def defective(case: Case) -> tuple[Found, ...]:
    """CONFIRMATION_DEFECTIVE: the template of a send that itself asks lacks an item of a to f, or the route."""
    id_ = case.send.template_id
    template = case.template(id_)
    if template and template.ask_complete:
        return ()
    advert = {"case": "advert"} if template and template.display_ok.get("marketing") else {}
    return (Found("CONFIRMATION_DEFECTIVE", (f"template/{id_}",), {**advert, "template": id_}),)


def sound(case: Case, source: Source, ask: Ask) -> bool:
    """True if an ask had items a to f and stated the true route of the data in question.

    `source`: the source that is judged. The route of an ask about a source that is not on file counts as true.
    """
    template = case.template(ask.template_id, ask.at)
    if template is None or not template.ask_complete:
        return False
    about = [source] if ask.source_id == source.source_id else _named(case, ask)
    return not about or any(ask.stated_route == route(version) and not misrouted(version) for version in about)


def _asks(case: Case, source: Source, consents: Consents) -> list[Ask]:
    """The asks that bind a source, the newest last, without silences that have ended."""
    asks = [ask for ask in case.facts.asks if _binds(case, source, ask) and not _over(case, ask, consents)]
    return _in_order(case, asks)


def _asks_of_one(case: Case, source: Source, consents: Consents) -> list[Ask]:
    """The same, with the asks that count about sources which are one with it (rule 8.2.48)."""
    asks = _asks(case, source, consents)
    others = [ask for ask in case.facts.asks if ask not in asks and _is_ours(case, ask)]
    if not others:
        return asks
    one = _one_with(case, source)
    of_one = [
        ask
        for ask in others
        if ask.source_id in one and not _over(case, ask, consents) and _counts(case, source, ask, consents)
    ]
    return _in_order(case, [*asks, *of_one])


def _in_order(case: Case, asks: list[Ask]) -> list[Ask]:
    return sorted(asks, key=lambda ask: (case.span(ask.at).last, ask.request_id))


def _about(case: Case, source: Source, ask: Ask) -> bool:
    """True if an ask was about this source, in the name of the send's controller or of every one."""
    return ask.source_id == source.source_id and _is_ours(case, ask)


def _is_ours(case: Case, ask: Ask | AskedElsewhere) -> bool:
    return ask.controller_id in (None, case.send.controller_id)


def _one_with(case: Case, source: Source) -> set[str]:
    """The ids of the sources that are one with a source. They have its method and notice, and a token in common.

    Deleted ones count. All versions of one id are one, and so are two sources that a third one has in common.
    """
    rest = [_Form.of(case, version) for version in (*case.facts.sources, *case.facts.deleted, source)]
    ids = {source.source_id}
    while fresh := [form for form in rest if form.id in ids]:
        rest = [form for form in rest if form.id not in ids]
        ids |= {form.id for form in rest if any(form.is_one_with(other) for other in fresh)}
    return ids


def _binds(case: Case, source: Source, ask: Ask) -> bool:
    """True if an ask binds a source: it was about it, or both are of class other (rule 7.1.11).

    An ask about a source that is not on file, or no longer, counts as one of class other.
    """
    if _about(case, source, ask):
        return True
    if lane(source) not in _ASKED_ONCE or not _is_ours(case, ask):
        return False
    versions = _named(case, ask)
    return not versions or any(lane(version) in _ASKED_ONCE for version in versions)


def _named(case: Case, ask: Ask) -> list[Source]:
    """The versions on file of the source that an ask was about."""
    return [version for version in case.facts.sources if version.source_id == ask.source_id]


def _closes(case: Case, ask: Ask) -> int:
    """The instant at which the window for an answer closes, in microseconds."""
    return case.span(ask.at).last + case.policy.window_ms(ask.channel) * 1000


def _over(case: Case, ask: Ask, consents: Consents) -> bool:
    """True if nobody answered an ask, and the policy allows to ask again by now."""
    months = case.policy.ask_again_months
    if months is None or _answered(ask, consents) or _returned(case, ask):
        return False
    return months_after(_closes(case, ask), months, case.policy.timezone) < case.at


def _answered(ask: Ask, consents: Consents) -> bool:
    """True if the person answered, even if a yes was taken back later."""
    proof = consents.proof
    return any(event.answers == ask.request_id for event in (*proof.yeses, *proof.nos))


def _counts(case: Case, source: Source, ask: Ask, consents: Consents) -> bool:
    """True if an ask counts for the cap.

    It is not returned, not a defective one that was answered yes, and not this one.
    """
    send = case.send
    this = ask.request_id == send.request_id and ask.campaign_id in (None, send.campaign_id)
    if this or _returned(case, ask):
        return False
    return sound(case, source, ask) or not consents.agreed(ask.request_id)


def _returned(case: Case, ask: Ask) -> bool:
    return any(event.kind == "ask_undelivered" and event.request_id == ask.request_id for event in case.facts.events)
