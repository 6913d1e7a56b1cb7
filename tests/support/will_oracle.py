"""An oracle of consent to a send by post, read from raw events without the code that decides (rules 7.1, 8.1.41).

It reads people of one kind: an own source; the complete form OK and an incomplete one; registered companies and
purposes; each contact point one id; no children, and no end of consents.
It knows independently which words are a no, which yes is proven, when each speaks, and which yes may lift which no.
It shares no code with the product; times are read by the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta, timezone
from typing import Any, NamedTuple

JAPAN = timezone(timedelta(hours=9))
METHODS = ("form", "paper", "phone", "counter", "postcard", "qr", "web", "app", "doi_confirm")
"""Methods by which a person speaks; an import is none."""


class Heard(NamedTuple):
    """A raw event of a person, and when the log took it first."""

    value: dict[str, Any]
    arrived: datetime


def agreed(events: Iterable[Heard], at: datetime) -> bool:
    """Returns whether a proven yes on a complete form stands after every no, and whether each no was lifted.

    A no that was entered more than 31 days after its date needs a yes after that, or somebody who looks at its date.
    """
    events = list(events)
    said_no = [one for one in events if _is_no(one.value) and _no_in_scope(one.value)]
    nos = [_end(one.value) for one in said_no]
    yeses = [one for one in events if _is_yes(one.value) and _proven(one.value, at)]
    standing = [one for one in yeses if all(_spoken(one) > no for no in nos)]
    lifted = not nos or any(_may_lift(one.value, at) for one in standing)
    lifters = [_spoken(one) for one in yeses if _may_lift(one.value, at)]
    doubted = [_entered(one) for one in said_no if _begin(one.value) + timedelta(days=31) < _entered(one)]
    lifted = lifted and all(any(said > entered for said in lifters) for entered in doubted)
    return lifted and any(one.value["notice_id"] == "OK" for one in standing)


def _is_no(value: dict[str, Any]) -> bool:
    if "suppression_id" in value:
        return True
    if value["state"] == "Refused" and value.get("event_type") == "implied":
        return "answers" in value
    return value["state"] in ("Withdrawn", "Refused")


def _no_in_scope(value: dict[str, Any]) -> bool:
    scope = value.get("scope", value)
    company = scope.get("controller_id", scope.get("controller", "*"))
    purpose, channels = scope.get("purpose", "*"), scope.get("channels") or "*"
    point = scope.get("contact_point_id", scope.get("contact_point", "*"))
    return (
        company in ("C1", "*")
        and (purpose == "*" or "mkt.dm.own.".startswith(f"{purpose}."))
        and ("*" in channels or "postal" in channels)
        and point in ("cp-1", "*")
    )


def _is_yes(value: dict[str, Any]) -> bool:
    return (
        value.get("state") in ("Given", "RenewedGiven")
        and value.get("event_type") != "implied"
        and value["controller_id"] == "C1"
        and value["purpose"] == "mkt.dm.own"
        and "postal" in value["channels"]
        and value.get("contact_point_id", "cp-1") == "cp-1"
    )


def _proven(value: dict[str, Any], at: datetime) -> bool:
    """Returns whether a yes is dated, in force, the person's or an agent's own, and has evidence."""
    by_import = value["method"] not in METHODS or value["expressed_by"] == "import"
    if "event_time" not in value or value["expressed_by"] in ("family", "staff"):
        return False
    if "evidence_ref" not in value and (by_import or value["expressed_by"] == "agent"):
        return False
    return _span(value["event_time"])[1] <= at + timedelta(minutes=5)


def _may_lift(value: dict[str, Any], at: datetime) -> bool:
    spoken = value["method"] in METHODS and value["expressed_by"] in ("subject", "agent")
    return spoken and _span(value["event_time"])[0] <= at and _span(value["recorded_at"])[0] <= at


def _spoken(one: Heard) -> datetime:
    return min(_span(one.value["event_time"])[0], _span(one.value["recorded_at"])[1], one.arrived)


def _entered(one: Heard) -> datetime:
    return _span(one.value["recorded_at"])[1] if "recorded_at" in one.value else one.arrived


def _begin(value: dict[str, Any]) -> datetime:
    return _span(value.get("received_at") or value.get("event_time") or value["recorded_at"])[0]


def _end(value: dict[str, Any]) -> datetime:
    return _span(value.get("received_at") or value.get("event_time") or value["recorded_at"])[1]


def _span(text: str) -> tuple[datetime, datetime]:
    if len(text) > 10:
        return (datetime.fromisoformat(text),) * 2
    day = datetime.combine(datetime.fromisoformat(text).date(), time(), JAPAN)
    return day, day + timedelta(days=1) - timedelta(microseconds=1)
