"""The exceptions of the law from the opt-in to e-mail and SMS (特定電子メール法 3(1)(ii)-(iv); domain rule 8.3.55).

No shipped pack has them in force, as nobody has verified them. A version of two managers switches them on.
"""

from __future__ import annotations

from collections.abc import Collection

from gatekeeper.deciding.arrival import WILL_KINDS
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.children import may_be_minor
from gatekeeper.deciding.facts import HeldConsent
from gatekeeper.deciding.rules.source import lane, state
from schemas.events import Source

STATUTORY_EXCEPTION = "STATUTORY_EXCEPTION"
"""The note of a send that goes out by such an exception, without a consent."""
_CHANNELS = ("email", "sms")
_SPOKEN = ("direct.support_call", "direct.observed")
"""The methods of our own by which an address is not given in writing."""


def excepted(case: Case, nos: Collection[HeldConsent]) -> bool:
    """True if the law asks no consent of this person for an e-mail or SMS of the sender.

    `nos`: the person's withdrawals and refusals. Any of them ends the exception, whatever its scope; so does any stop.
    It is not for children, nor for a company that sells by mail order (特定商取引法 12-3). Each source on which the
    send may rest must stand for a consent.
    """
    send, controller = case.send, case.reference.controllers.get(case.send.controller_id)
    return (
        case.policy.statutory_exception is not None
        and send.channel in _CHANNELS
        and controller is not None
        and controller.mail_order is False
        and not nos
        and not any(hit.stop.kind in WILL_KINDS for hit in case.stops)
        and not may_be_minor(case)
        and bool(counting := [source for source in case.facts.sources if case.covers(source)])
        and all(_stands_for_consent(case, source) for source in counting)
    )


def _stands_for_consent(case: Case, source: Source) -> bool:
    """True if a sound source names it: given to us in writing, a customer's, or published for business."""
    if not case.names_contact_point(source) or state(case, source):
        return False
    if lane(source) == "own" and source.collected_by == case.send.controller_id:
        return source.method not in _SPOKEN or source.relationship == "customer"
    return source.method == "public.web" and bool(source.business)
