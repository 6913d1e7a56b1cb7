"""Conditions for judging a send at all, and for its controller to send (domain rules 6.4.1, 6.1; J.4.4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import SPOILT_FACTS, WHOLE_BATCH
from gatekeeper.deciding.rules.message_class import disagreeing
from gatekeeper.ground import times
from gatekeeper.policy.packs import PolicyOutage
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from schemas.events.sends import ADDRESSED
from schemas.topics import CLEARED_DAYS, DAY_MS

ADVERTISING = ("marketing", "confirmation")
"""Classes in which nobody is written to without the person's will, so that the address printed must be judged."""
TOKEN_NOT_CHECKED = "TOKEN_NOT_CHECKED"  # noqa: S105 - the code of a note, not a token
TOKEN_KEY = "token_key/"  # noqa: S105 - the beginning of a fault, not a token
"""Beginning of the fault that suppressions name a token key under which the send has no token (rule 7.4.17)."""
GAP = "gap/"
"""Beginning of the fault that a feed owes its withdrawals since a loss; the feed and the record follow."""
UNREAD_ASKED = "unread/asked"
"""The fault of a question while the questions under other ids are not known (rule 8.2.48)."""
FOREIGN = "x"
"""Behind the name of a token key, in that of any other key of the same name, which nobody holds."""
Checkpoint = Literal["intake", "handoff", "drop"]


class Cleared(NamedTuple):
    """A live clearance of the send's key: its decision id, and the event id of the send that it cleared."""

    did: str
    event_id: str | None = None


def unready(case: Case, as_of: int | None) -> list[Found]:
    """FACTS_UNAVAILABLE: a record about the person cannot be read, or the key to compare printed values is missing.

    FACTS_STALE: the facts are older than the promised lag.
    `as_of`: milliseconds since the epoch up to which all facts are known; None = up to now.
    """
    reasons = []
    if case.facts.unreadable:
        reasons.append(Found("FACTS_UNAVAILABLE", case.facts.unreadable, unread(case.facts.unreadable)[0]))
    elif case.facts.printed == "no_key":
        reasons.append(Found("FACTS_UNAVAILABLE", (), {"case": "no_key"}))
    if as_of is not None and as_of * 1000 < case.at - case.policy.max_lag_ms * 1000:
        reasons.append(Found("FACTS_STALE", (), {"as_of": times.local(as_of * 1000, case.policy.timezone)}))
    return reasons


def unread(places: Sequence[str]) -> list[dict[str, str]]:
    """The cases of FACTS_UNAVAILABLE that hide behind its facts, one a cure, with the places that it mends.

    `places`: the facts of the reason. The first case is the reason's own. Records of the person come first, then
    batches, which are everybody's. Gaps and keys come last. Without such places there is no case.
    """
    batch = f"/{WHOLE_BATCH}"
    records = [place for place in places if not place.startswith((TOKEN_KEY, GAP, UNREAD_ASKED))]
    legible = [place for place in records if place != SPOILT_FACTS]
    keys = [place.removeprefix(TOKEN_KEY).removesuffix(batch) for place in places if place.startswith(TOKEN_KEY)]
    foreign = [key for key in keys if key.endswith(FOREIGN)]
    whole = all(place.endswith(batch) for place in legible)
    cases = {
        "spoilt": records if SPOILT_FACTS in records else [],
        "unreadable": [] if whole else legible,
        "batch": [place.removesuffix(batch) for place in legible] if whole else [],
        "gap": [_gap(place.removesuffix(batch)) for place in places if place.startswith(GAP)],
        "asked": [place for place in places if place == UNREAD_ASKED],
        "token_key": [key for key in keys if key not in foreign],
        "foreign_key": foreign,
    }
    return [{"case": case, "what": ", ".join(mended)} for case, mended in cases.items() if mended]


def _gap(fault: str) -> str:
    """The feed that a gap names, with the place of its record."""
    _, kind, name, *place = fault.split("/")
    return f"{kind}/{name} ({'/'.join(place)})"


def ungoverned(country: str | None, bar: PolicyOutage | None) -> Found:
    """POLICY_UNKNOWN: no policy is in force for the country, or a record bars it."""
    if bar is None:
        return Found("POLICY_UNKNOWN", (), {"country": country or "-"})
    facts = (bar.what,) if bar.case == "unreadable" else ()
    return Found("POLICY_UNKNOWN", facts, {"case": bar.case, "policy": bar.id, "what": bar.what})


def invalid(case: Case, checkpoint: Checkpoint = "intake") -> tuple[Found, ...]:
    """EVENT_INVALID: a controller or purpose not registered, a mail date too far, a confirmation without source.

    So is a send whose class disagrees with its purpose, template or ground. A past mail date counts at intake only, as
    a cleared piece may be on its way. `undelivered` is about the piece itself.
    """
    send = case.send
    if send.controller_id not in case.reference.controllers:
        return (Found("EVENT_INVALID", (), {"case": "controller", "controller": send.controller_id}),)
    if (purpose := case.purpose(send.purpose)) is None:
        return (Found("EVENT_INVALID", (), _unregistered(send.purpose, case.reference.purposes.registered)),)
    if purpose.controllers is not None and send.controller_id not in purpose.controllers:
        says = {"case": "purpose_not_of_controller", "purpose": send.purpose, "controller": case.sender}
        return (Found("EVENT_INVALID", (), says),)
    if send.mail_date and checkpoint == "intake" and mailed_before(send.mail_date, case.at, case.policy):
        says = {"case": "mail_date_past", "date": case.day(send.mail_date)}
        return (Found("EVENT_INVALID", (), says),)
    if send.mail_date and case.span(send.mail_date).last > case.at + CLEARED_DAYS * DAY_MS * 1000:
        says = {"case": "mail_date", "date": case.day(send.mail_date), "days": str(CLEARED_DAYS)}
        return (Found("EVENT_INVALID", (), says),)
    if send.message_class == "confirmation" and (send.source_id is None or send.request_id is None):
        return (Found("EVENT_INVALID", (), {"case": "confirmation"}),)
    return disagreeing(case)


def undelivered(case: Case) -> tuple[Found, ...]:
    """EVENT_INVALID: a delivery that is missing, incomplete, of two addresses, or of another token (rule 7.4.17)."""
    if fault := _undelivered(case):
        return (Found("EVENT_INVALID", (), {"case": fault, "channel": case.send.channel}),)
    return ()


def mailed_before(mail_date: str, at: int, policy: Policy) -> bool:
    """True if a mail date is past on the policy's day of `at`, in microseconds (rule 7.4.21)."""
    return times.day(times.span(mail_date, policy.timezone).last, policy.timezone) < times.day(at, policy.timezone)


def _undelivered(case: Case) -> str | None:
    """The fault of the printed address, as a case of EVENT_INVALID; None if it can be judged."""
    send, printed = case.send, case.facts.printed
    if printed in ("token_differs", "several"):
        return printed
    required = case.policy.delivery == "printed" and send.message_class in ADVERTISING and send.channel in ADDRESSED
    return "delivery" if printed == "missing" or (required and printed in (None, "incomplete")) else None


def _unregistered(purpose: str, registered: Iterable[str]) -> dict[str, str]:
    """The values for the sentence about a purpose that is not registered, with the nearest registered one."""
    near = get_close_matches(purpose, sorted(registered), 1)
    says = {"case": "purpose", "purpose": purpose}
    return {**says, "case": "purpose_near", "near": near[0]} if near else says


def suspended(case: Case) -> tuple[Found, ...]:
    """SENDING_SUSPENDED: the controller's sending is frozen at this instant; an end before the start is ignored.

    `stops` tells whether this stops the class of the send, or is a note.
    """
    controller = case.reference.controllers[case.send.controller_id]
    since, until = controller.suspended_since, controller.suspended_until
    if since is None and until is None:
        return ()
    begun = case.span(since).first if since else -(2**62)
    over = bool(until) and begun <= case.span(str(until)).last < case.at
    if begun > case.at or over:
        return ()
    says = {"controller": controller.name or controller.id, "date": case.day(str(since or until))}
    return (Found("SENDING_SUSPENDED", (f"controller/{controller.id}",), says),)


def stops(case: Case) -> bool:
    """True if a suspension of the controller stops the class of the send. One that names no class stops all three."""
    suspends = case.reference.controllers[case.send.controller_id].suspends
    return suspends is None or case.send.message_class in suspends


def unplaced(case: Case) -> tuple[Found, ...]:
    """JURISDICTION_UNKNOWN: the country of the address is unknown; the strictest policy decides."""
    if case.send.contact_point.country is not None:
        return ()
    return (Found("JURISDICTION_UNKNOWN", (), {"policy": case.policy.name}),)


def twice(clearance: Cleared | None, checkpoint: Checkpoint) -> tuple[Found, ...]:
    """DUPLICATE_SEND: at intake, this recipient has a live clearance of this campaign by this channel."""
    if clearance is None or checkpoint != "intake":
        return ()
    return (Found("DUPLICATE_SEND", (clearance.did,), {"clearance": clearance.did}),)
