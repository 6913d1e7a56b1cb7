"""Requirements of a channel and a piece: opt-in, display, releases of the people shown (特定電子メール法; J.8.6)."""

from __future__ import annotations

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.facts import HeldConsent
from gatekeeper.deciding.rules.message_class import shows
from gatekeeper.deciding.scope import is_known
from gatekeeper.policy.reasons import Found

OPT_IN = ("email", "sms")


def opted_in(case: Case, consents: Consents, effective: HeldConsent | None) -> tuple[Found, ...]:
    """EMAIL_OPT_IN_MISSING: nobody agreed to e-mail or SMS of this sender (rules 6.4.3, 8.2.42, 8.3.55).

    A faulty yes counts, as its own reason tells of it; one that names something unknown does not. `effective`: the
    consent on which the send rests. If it is another party's, a yes to the sender must stand beside it.
    """
    send = case.send
    if send.channel not in OPT_IN or consents.excepted:
        return ()
    said = any(
        send.channel in event.channels and is_known(case, event) and _to_sender(case, event)
        for event in consents.proof.yeses
    )
    another = effective is not None and not _to_sender(case, effective)
    if said and not (another and not consents.standing((send.controller_id,)).stands):
        return ()
    return (Found("EMAIL_OPT_IN_MISSING", (), {"controller": case.sender, "channel": send.channel}),)


def _to_sender(case: Case, event: HeldConsent) -> bool:
    """True for a yes to the sender. So is one to the predecessor of a succession that has closed."""
    deals = (source.succession for source in case.facts.sources if source.succession)
    return event.controller_id == case.send.controller_id or any(
        deal.predecessor == event.controller_id and case.span(deal.closed_at).last <= case.at for deal in deals
    )


def record(case: Case, consent: HeldConsent, after: int, consents: Consents) -> tuple[Found, ...]:
    """EMAIL_CONSENT_RECORD_MISSING: the consent in force has no evidence on file that could be shown.

    `after`: the end of the latest refusal in scope; no click of up to then lends its evidence.
    """
    if case.send.channel not in OPT_IN or consents.proof.evidence(consent, after) is not None:
        return ()
    return (Found("EMAIL_CONSENT_RECORD_MISSING", (consent.record_id,), {"consent": consent.record_id}),)


def displayed(case: Case) -> tuple[Found, ...]:
    """DISPLAY_ITEMS_MISSING: the template lacks the sender, a contact, or the way to stop."""
    if shows(case, "marketing"):
        return ()
    says = {"template": case.send.template_id, "channel": case.send.channel}
    return (Found("DISPLAY_ITEMS_MISSING", (f"template/{case.send.template_id}",), says),)


def unreleased(case: Case) -> tuple[Found, ...]:
    """CREATIVE_PERSON_UNRELEASED: the piece shows a person who never agreed to that, or no longer does."""
    id_ = case.send.template_id
    template = case.template(id_)
    if template and template.persons and any(not person.release or person.withdrawn for person in template.persons):
        return (Found("CREATIVE_PERSON_UNRELEASED", (f"template/{id_}",), {"template": id_}),)
    return ()
