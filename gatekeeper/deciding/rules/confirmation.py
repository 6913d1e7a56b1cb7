"""Asking the person: whether they were asked, the result, and whether asking is allowed (rules 6.2, 6.5; J.8.7)."""

from __future__ import annotations

from operator import attrgetter

from gatekeeper.deciding.case import Case, route
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.rules.source import lane, states_route
from gatekeeper.policy.methods import METHODS
from gatekeeper.policy.reasons import Found
from schemas.events import Ask, Consent, Source

BY_OPT_IN = ("email", "sms")


def confirmed(case: Case, source: Source, consent: Consent | None) -> bool:
    """True if a consent answers a sound ask for this source, or was given on a notice that states its route."""
    if consent is None:
        return False
    if states_route(case, source, case.notice(consent.notice_id)):
        return True
    if consent.answers is None:
        return False
    asks = [ask for ask in _asks(case, source) if ask.request_id == consent.answers]
    said = case.span(consent.event_time or consent.recorded_at).last
    return any(sound(case, source, ask) and said >= case.span(ask.at).first for ask in asks)


def unconfirmed(case: Case, source: Source) -> Found | None:
    """THIRD_PARTY_UNCONFIRMED, PUBLIC_SOURCE_UNCONFIRMED, REFERRAL_UNCONFIRMED: not yet informed and asked.

    None if the policy does not ask for it. By law, data matched from a third party always need it (APPI 31).
    """
    method = METHODS[source.method]
    if method.unconfirmed is None or not (method.by_law or case.policy.asks_for(method.unconfirmed)):
        return None
    says = {"method": source.method, "provider": source.provided_by or source.route or source.collected_by}
    return Found(method.unconfirmed, (source.source_id,), says)


def asked(case: Case, source: Source) -> bool:
    """True if the person was ever asked about this source."""
    return any(ask.source_id == source.source_id for ask in case.facts.asks)


def lifecycle(case: Case, source: Source, consents: Consents) -> tuple[Found, ...]:
    """CONFIRMATION_* and CONSENT_REFUSED: the result of the newest ask for this source; () = never asked."""
    asks = _asks(case, source)
    if not asks:
        return ()
    ask = asks[-1]
    says = {"date": case.day(ask.at), "request": ask.request_id}
    facts = (source.source_id, ask.request_id)
    yes = any(event.answers == ask.request_id for event in consents.yeses)
    if yes and not sound(case, source, ask):
        return (Found("CONFIRMATION_DEFECTIVE", facts, {"case": "answered", **says}),)
    nos = [
        no
        for no in refusals(case, source, consents)
        if no.answers == ask.request_id or consents.when(no).last >= case.span(ask.at).first
    ]
    if nos:
        return (refused(case, nos),)
    if _returned(case, ask):
        return (Found("CONFIRMATION_UNDELIVERED", facts, says),)
    if case.at < case.span(ask.at).last + case.policy.window_ms(ask.channel) * 1000 and not yes:
        return (Found("CONFIRMATION_PENDING", facts, says),)
    return (Found("CONFIRMATION_CAP_REACHED" if yes else "CONFIRMATION_LAPSED", facts, says),)


def refusals(case: Case, source: Source, consents: Consents) -> list[Consent]:
    """The refusals that answer an ask for this source."""
    asked_as = {ask.request_id for ask in _asks(case, source)}
    return [event for event in consents.nos if event.answers in asked_as]


def refused(case: Case, nos: list[Consent]) -> Found:
    """CONSENT_REFUSED: a refusal in answer to the ask, whatever its scope."""
    newest = max(nos, key=lambda no: case.span(no.event_time or no.recorded_at))
    says = {"date": case.day(newest.event_time or newest.recorded_at)}
    return Found("CONSENT_REFUSED", tuple(sorted({no.record_id for no in nos})), says)


def barred(case: Case, source: Source | None, consents: Consents) -> list[Found]:
    """The reasons against asking about this source at the send's contact point (rule 6.5); empty = may ask."""
    send, policy = case.send, case.policy
    found = []
    if send.channel not in policy.confirm_channels:
        found.append(Found("CONFIRMATION_CHANNEL_UNLAWFUL", (), {"channel": send.channel}))
    elif send.channel in BY_OPT_IN and not any(
        lane(one) == "own" and case.names_contact_point(one) for one in case.facts.sources
    ):
        found.append(Found("CONFIRMATION_CHANNEL_UNLAWFUL", (), {"case": "origin", "channel": send.channel}))
    if source is not None:
        counted = [ask for ask in _asks(case, source) if _counts(case, source, ask, consents)]
        if len(counted) >= policy.ask_cap:
            says = {"date": case.day(counted[-1].at), "request": counted[-1].request_id}
            found.append(Found("CONFIRMATION_CAP_REACHED", tuple(ask.request_id for ask in counted), says))
    return found


def unprepared(case: Case) -> tuple[Found, ...]:
    """ASK_TEMPLATE_MISSING: no registered template may ask. This bars nothing; register a template before asking."""
    return () if case.reference.ask else (Found("ASK_TEMPLATE_MISSING"),)


def defective(case: Case) -> tuple[Found, ...]:
    """CONFIRMATION_DEFECTIVE: the template of a send that itself asks lacks an item of a to f, or the route."""
    id_ = case.send.template_id
    template = case.template(id_)
    if template and template.ask_complete:
        return ()
    return (Found("CONFIRMATION_DEFECTIVE", (f"template/{id_}",), {"template": id_}),)


def sound(case: Case, source: Source, ask: Ask) -> bool:
    """True if an ask had items a to f and stated the true route of the data."""
    template = case.template(ask.template_id)
    return bool(template and template.ask_complete and ask.stated_route == route(source))


def _asks(case: Case, source: Source) -> list[Ask]:
    """The asks for a source, the newest last."""
    if not case.facts.asks:
        return []
    found = [ask for ask in case.facts.asks if ask.source_id == source.source_id]
    found.sort(key=attrgetter("request_id"))
    found.sort(key=lambda ask: case.span(ask.at).last)
    return found


def _counts(case: Case, source: Source, ask: Ask, consents: Consents) -> bool:
    """True if an ask counts for the cap: not returned, not a defective one that was answered yes, not this one."""
    send = case.send
    this = ask.request_id == send.request_id and ask.campaign_id in (None, send.campaign_id)
    if this or _returned(case, ask):
        return False
    return sound(case, source, ask) or not any(event.answers == ask.request_id for event in consents.yeses)


def _returned(case: Case, ask: Ask) -> bool:
    return any(event.kind == "ask_undelivered" and event.request_id == ask.request_id for event in case.facts.events)
