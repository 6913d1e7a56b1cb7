"""The message class of a send, which agrees with purpose, template and the ground of owed mail (rule 7.3)."""

from __future__ import annotations

import re

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import HeldEvent
from gatekeeper.ground.times import months_after
from gatekeeper.policy.reasons import Found
from schemas.values import OWED, MessageClass

ADVERTISING = ("marketing", "confirmation")
"""Classes that take a purpose registered as marketing; the others take one that is not."""
GROUNDS = ("recall", "safety", "breach", "statutory", "tax")
"""Grounds of the class safety_legal."""
_REQUEST = "dsr."
_GROUND = {
    "safety_legal": re.compile(rf"(?:{'|'.join(GROUNDS)})(?:\.[A-Za-z0-9][A-Za-z0-9._:\-]*)?"),
    "rights_reply": re.compile(r"dsr\.[A-Za-z0-9][A-Za-z0-9._:\-]*"),
}
_REPLY_MONTHS = 12
"""Months for which a request of a person is the ground of a reply."""


def shows(case: Case, message_class: MessageClass) -> bool:
    """True if the template is registered for that class by the send's channel."""
    template = case.template(case.send.template_id)
    return template is not None and case.send.channel in template.display_ok.get(message_class, ())


def disagreeing(case: Case) -> tuple[Found, ...]:
    """EVENT_INVALID: the class of the send disagrees with its purpose, template or ground (rules 7.3.14, 8.3.49).

    A label alone lowers no requirement: service mail has a purpose and a template that are registered for it. A
    template that is marketing in any channel is marketing in all of them.
    """
    send = case.send
    class_, template = send.message_class, {"class": send.message_class, "template": send.template_id}
    if case.marketing(send.purpose) != (class_ in ADVERTISING):
        return _invalid("class_differs", {"class": class_, "purpose": send.purpose})
    if class_ not in ADVERTISING and (channels := _advertises(case)):
        return _invalid("template_advertises", {**template, "channels": channels})
    if class_ != "marketing" and not shows(case, class_):
        return _invalid("class_not_registered", {**template, "channel": send.channel})
    if class_ in OWED and not (send.ground and _GROUND[class_].fullmatch(send.ground)):
        return _invalid("ground_missing", {"class": class_, "grounds": ", ".join(grounds(class_))})
    if class_ == "safety_legal" and send.ground not in case.reference.grounds:
        return _invalid("ground_unknown", {"ground": str(send.ground)})
    return ()


def unrequested(case: Case) -> tuple[Found, ...]:
    """EVENT_INVALID: a reply to a request of which the person has no record of the last year (rule 8.3.50)."""
    if case.send.message_class != "rights_reply":
        return ()
    request = str(case.send.ground).removeprefix(_REQUEST)
    if any(_asked(case, event, request) for event in case.facts.events):
        return ()
    return _invalid("request_unknown", {"request": request})


def _asked(case: Case, event: HeldEvent, request: str) -> bool:
    """True if this is the person's request of at most a year ago, signed by who received it."""
    if event.kind != "request_received" or event.request_id != request or not (event.asked and event.staff):
        return False
    received = case.span(str(event.at)).first
    return received <= case.at <= months_after(received, _REPLY_MONTHS, case.policy.timezone)


def _advertises(case: Case) -> str:
    """The channels by which the template is registered for marketing, '' for none."""
    template = case.template(case.send.template_id)
    return " ".join(sorted(template.display_ok.get("marketing", ()))) if template else ""


def grounds(message_class: MessageClass) -> tuple[str, ...]:
    """The kinds of ground that a class takes; `dsr.ID` stands for the id of any request of a person."""
    if message_class == "rights_reply":
        return ("dsr.ID",)
    return GROUNDS if message_class == "safety_legal" else ()


def _invalid(case: str, says: dict[str, str]) -> tuple[Found, ...]:
    return (Found("EVENT_INVALID", (), {"case": case, **says}),)
