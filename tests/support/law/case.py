"""A send with the events that may bear on it, and how the values of these are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from typing import Any, NamedTuple

JAPAN = timezone(timedelta(hours=9))
SKEW = timedelta(minutes=5)
MONTH = timedelta(days=31)
RELEASED_FOR = timedelta(hours=72)
CHECKED_WITHIN = timedelta(days=30)
WINDOWS = {"postal": timedelta(days=30), "email": timedelta(days=14)}
CHANNELS = ("postal", "email", "sms", "phone", "fax", "push", "visit", "social")
METHODS = ("form", "paper", "phone", "counter", "postcard", "qr", "web", "app", "doi_confirm", "email_reply", "chat")
WRITTEN = ("form", "paper", "postcard", "qr", "web", "app", "doi_confirm", "email_reply")
BASES = ("consent", "other", "opt_out", "opt_out_filing")
CHECK = ("checked_at", "name", "address", "representative", "how_obtained")
ADULT_NOW = 16
SIXTEEN_SINCE = date(2026, 12, 2)
BOUGHT = ("indirect.purchased_list", "indirect.partner")
PASSED_ON = ("indirect.referral", "indirect.gift_recipient")
SHARED = ("indirect.joint_use", "indirect.succession", "indirect.entrusted")
ABSENCES = {"CONSENT_MISSING", "THIRD_PARTY_UNCONFIRMED", "PUBLIC_SOURCE_UNCONFIRMED", "REFERRAL_UNCONFIRMED"}
REVIEWED = {
    "NO_DATED_BACK", "AGE_UNCERTAIN", "NAME_NEAR_STOP", "PRINT_UNACCOUNTED", "SOURCE_CONFLICT",
    "CREATIVE_PERSON_UNRELEASED", "RELEASE_EXPIRED",
}  # fmt: skip
ASKED = ABSENCES | {
    "SUCCESSION_NOT_COVERED", "JOINT_USE_NOT_COVERED", "NOTICE_ITEMS_MISSING", "PURPOSE_NOT_COVERED",
    "CONTROLLER_MISMATCH", "CHANNEL_NOT_CONSENTED", "CONTACT_POINT_NOT_COVERED", "CONSENT_EVIDENCE_MISSING",
    "CONSENT_EXPIRED", "CONSENT_BY_OTHER", "CONSENT_AS_CHILD",
}  # fmt: skip
"""SOFT reasons that a question to the person heals. All others but those in REVIEWED are HARD."""
WILL = {
    "objection": "SUBJECT_OBJECTED",
    "cessation": "CESSATION_REQUESTED",
    "erasure": "SUBJECT_ERASED",
    "refusal_returned": "POSTAL_REFUSAL_RETURNED",
    "external": "EXTERNAL_PREFERENCE_LISTED",
}
SAID = {*WILL.values(), "CONSENT_WITHDRAWN", "CONSENT_REFUSED"}
OF_SOURCE = {
    "SOURCE_UNKNOWN", "SOURCE_ILLICIT", "SOURCE_BATCH_QUARANTINED", "SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING",
    "PROVIDER_OPTOUT_CHAIN", "ENTRUSTED_OWN_USE", "ENTRUSTED_COMMINGLED", "JOINT_USE_TERMS_MISSING",
    "JOINT_USE_PARTY_OUT_OF_RANGE", "SOURCE_NOT_YET", "RETENTION_OVER",
}  # fmt: skip
LIFECYCLE = {
    f"CONFIRMATION_{end}"
    for end in ("PENDING", "LAPSED", "UNDELIVERED", "DEFECTIVE", "CHANNEL_UNLAWFUL", "CAP_REACHED")
}
NO_ROUTE = "NO_ROUTE"
"""No code of the catalogue: a question is barred as no source covers the contact point."""
WORDS = {"health", "medical", "religion", "disease", "diabetes", "hospital", "prescription", "dementia", "pregnancy"}
"""Words of 要配慮個人情報, as rule 7.5.28 names them; not all of the pack's."""
WORDS_JA = ("糖尿病", "健康", "病院")
PHRASES = ("健康食品", "動物病院", "health_food")
RANKS = ("clear", "confirm", "review", "block")
SURE, FLOOR = 1000, 900

BEFORE = datetime.min.replace(tzinfo=JAPAN)
FIRST = datetime(1900, 1, 1, tzinfo=JAPAN)
ENDS = ("corrected", "rejected")


class Place(NamedTuple):
    """A home with the name printed there, or a mailbox. `name` None: everybody there."""

    where: str
    room: str = ""
    name: str | None = None


class Heard(NamedTuple):
    """A raw event of a topic, and when the log took it first."""

    topic: str
    value: dict[str, Any]
    arrived: datetime


class Case(NamedTuple):
    """One send at one instant, all events that may bear on it, and where the tokens of these are.

    `printed`: the place as the send prints it, then those of each name in it. `places`: of tokens. `duty`: the channel
    asks for consent. `lenient`: the policy asks for no notice and no confirmation. `excepted`: the exceptions of rule
    8.3.55 are in force. `score`: how surely a stop of one place meets another.
    """

    send: Mapping[str, Any]
    printed: Sequence[Place]
    events: Sequence[Heard]
    places: Mapping[str, Place]
    reference: Sequence[Mapping[str, Any]]
    at: datetime
    duty: bool
    lenient: bool
    excepted: bool
    score: Callable[[Place, Place], int]


class HeardRelease(NamedTuple):
    """A reviewer's release: the reasons that it names, those that the decision had, and the facts that were shown."""

    named: frozenset[str]
    had: frozenset[str]
    seen: Mapping[str, frozenset[str]]
    evidence: bool
    by: str
    at: datetime


class Span(NamedTuple):
    """The first and the last microsecond of a written time."""

    first: datetime
    last: datetime


@cache
def span(text: str) -> Span:
    if len(text) == 10:
        day = date.fromisoformat(text)
        return Span(datetime.combine(day, time.min, JAPAN), datetime.combine(day, time.max, JAPAN))
    found = datetime.fromisoformat(text)
    found = found if found.tzinfo else found.replace(tzinfo=JAPAN)
    return Span(found, found)


def worst(codes: Iterable[str]) -> int:
    """Returns the place in RANKS of the verdict of these reasons."""
    ranks = (2 if code in REVIEWED else 1 if code in ASKED else 3 for code in codes)
    return max(ranks, default=0)


def nameless(place: Place) -> bool:
    """True for a mailbox or a number, which carries no name."""
    return "@" in place.where or place.where.isdigit()


def is_sensitive(code: str, registered: Iterable[str] = ()) -> bool:
    """True if an attribute of an audience tells what J.8.3 protects (rules 7.5.28, 8.3.53).

    `registered`: phrases of the company, which take out nothing if they are no longer than the word in them.
    """
    text = code.lower()
    for phrase in (*PHRASES, *(one for one in registered if one not in WORDS_JA)):
        text = text.replace(phrase, " ")
    parts = {*text.replace(".", " ").replace("_", " ").replace("-", " ").split()}
    alone = parts & {"race", "checkup"}
    if alone and (parts == alone or parts & {"ethnic", "medical", "health"}):
        return True
    return bool(parts & WORDS) or any(word in text for word in WORDS_JA)


def is_at(purpose: str, wide: str) -> bool:
    return f"{purpose}.".startswith(f"{wide}.")


def is_no(value: Mapping[str, Any]) -> bool:
    if value.get("kind") != "consent" or value["state"] not in ("Withdrawn", "Refused"):
        return False
    return not (value["state"] == "Refused" and value.get("event_type") == "implied" and not value.get("answers"))


def is_yes(value: Mapping[str, Any]) -> bool:
    return value.get("state") in ("Given", "RenewedGiven") and value.get("event_type") != "implied"


def no_time(value: Mapping[str, Any]) -> Span:
    return span(value.get("event_time") or value["recorded_at"])


def counted(value: Mapping[str, Any]) -> Span:
    """Returns from when a stop counts, and until when no yes is later; of a consent that says no, when it was said."""
    if "suppression_id" not in value:
        return no_time(value)
    times = [span(value[name]) for name in ("received_at", "effective_at") if value.get(name)]
    return Span(min(times).first, times[0].last)


def spoken(one: Heard) -> datetime:
    """Returns the earliest word of a yes (rule 7.1.2)."""
    if not one.value.get("event_time"):
        return FIRST
    return min(span(one.value["event_time"]).first, span(one.value["recorded_at"]).last, one.arrived)


def seen(one: Heard) -> datetime:
    """Returns when the form of a yes was seen, by what the yes says of itself."""
    return min(span(one.value["event_time"]).first, span(one.value["recorded_at"]).last)


def said_last(one: Heard) -> datetime:
    return span(one.value["event_time"]).last if one.value.get("event_time") else FIRST


def said_at(no: Mapping[str, Any]) -> Span:
    return span(no["received_at"]) if "suppression_id" in no else no_time(no)


def listed(by: Any) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by or ())


def proven(value: Mapping[str, Any], people: int) -> bool:
    return len({*listed(value.get("by"))}) >= people and bool(value.get("evidence_ref"))


def word(stop: Mapping[str, Any]) -> Any:
    """Returns what a version of a stop says, without who ended it and when it was entered."""
    return {k: v for k, v in stop.items() if k not in ("by", "evidence_ref", "state", "recorded_at", "readings", "v")}


def parties(source: Mapping[str, Any]) -> set[str]:
    named = [source.get("collected_by"), source.get("provided_by")]
    named += [(source.get("succession") or {}).get("predecessor"), (source.get("entrustment") or {}).get("entruster")]
    return {one for one in named if one}


def class_of(source: Mapping[str, Any]) -> int:
    method = source["method"]
    if method.startswith("direct."):
        return 0
    return 1 if method in SHARED else 3 if method == "unknown.legacy" else 2


def end_of_day(instant: datetime) -> datetime:
    return datetime.combine(instant.astimezone(JAPAN).date(), time.max, JAPAN)


def birth(text: str | None, at: datetime) -> date | None:
    """Returns a birth date in its youngest reading, None if it cannot be."""
    if not text or text == "1900-01-01":
        return None
    year = int(text[:4])
    if len(text) == 10:
        day = date.fromisoformat(text)
    elif len(text) == 7:
        month = int(text[5:])
        day = (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    else:
        day = date(year, 12, 31)
    today = at.astimezone(JAPAN).date()
    first = date(year, int(text[5:7]) if len(text) > 4 else 1, int(text[8:10]) if len(text) > 7 else 1)
    return min(day, today) if year >= 1905 and first <= today else None


def age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
