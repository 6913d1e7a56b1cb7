"""The message class of a send: it agrees with purpose and template, and owed mail names its ground (rule 7.3)."""

from __future__ import annotations

import re

from gatekeeper.deciding.case import Case
from gatekeeper.policy.reasons import Found
from schemas.events import Send
from schemas.values import OWED, MessageClass

ADVERTISING = ("marketing", "confirmation")
"""Classes that take a purpose registered as marketing; the others take one that is not."""
GROUNDS = ("recall", "safety", "breach", "statutory", "tax")
"""Grounds of the class safety_legal."""
_REQUEST = re.compile(r"dsr\.[A-Za-z0-9][A-Za-z0-9._:\-]*")


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
    if class_ in OWED and not _grounded(send):
        return _invalid("ground_missing", {"class": class_, "grounds": ", ".join(grounds(class_))})
    return ()


def _advertises(case: Case) -> str:
    """The channels by which the template is registered for marketing, '' for none."""
    template = case.template(case.send.template_id)
    return " ".join(sorted(template.display_ok.get("marketing", ()))) if template else ""


def grounds(message_class: MessageClass) -> tuple[str, ...]:
    """The grounds that a class takes; `dsr.ID` stands for the id of any request of a person."""
    if message_class == "rights_reply":
        return ("dsr.ID",)
    return GROUNDS if message_class == "safety_legal" else ()


def _grounded(send: Send) -> bool:
    if send.message_class == "rights_reply":
        return bool(send.ground and _REQUEST.fullmatch(send.ground))
    return send.ground in GROUNDS


def _invalid(case: str, says: dict[str, str]) -> tuple[Found, ...]:
    return (Found("EVENT_INVALID", (), {"case": case, **says}),)
