"""The facts of a person that decide() reads, in the events' judged form.

The judged form of an event is its canonical JSON without the recipient id, tokens, birth date and free text.
The audit record stores the very bytes that decide() read, so a replay reads them again and finds the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from pydantic import BaseModel

from gatekeeper.deciding import arrival
from schemas.audit import Address, Printing, Snapshot
from schemas.codec import canonical
from schemas.events import (
    Ask,
    Consent,
    Entrustment,
    PersonEvent,
    ProviderCheck,
    Release,
    Scope,
    Source,
    SourceContactPoint,
    Succession,
    Suppression,
)

WHOLE_BATCH = "*"
"""Last part of the name of an unreadable record that stands for its whole batch and may concern anybody."""
CERTAIN = 1000
"""The score of a stop that names the person, or of a token that the send or a source of the person names."""

_CHECK_TEXTS = ("name", "address", "representative", "how_obtained")
_STATES = ("active", "quarantined", "deleted", "illicit")
"""States of a source, the strongest last: a deleted source is not read, but an illicit one stays illicit."""


class HeldConsent(Consent):
    """A consent event as the store holds it.

    `arrived`: milliseconds since the epoch when the log took it; None where no rule may read that (deciding/arrival).
    """

    arrived: int | None = None


class HeldSuppression(Suppression):
    """A suppression as the store holds it; `arrived` as for a consent event."""

    arrived: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A suppression that names the person, with the certainty of the match (per mille).

    `elsewhere`: the suppression names only another contact point, which a source of the person names.
    """

    stop: HeldSuppression
    score: int
    elsewhere: bool = False


class Ages(NamedTuple):
    """A person's age in completed years, at most 25; the birth date itself is no fact.

    `now`: on the day of the decision, None if no source tells a birth date. `sources`: the ids of those that do.
    `by_day`: on the days (YYYY-MM-DD) from which the person's consents may speak.
    """

    now: int | None = None
    sources: tuple[str, ...] = ()
    by_day: Mapping[str, int] = MappingProxyType({})

    def on(self, day: str) -> int:
        """The age on a day (YYYY-MM-DD); on one that is not listed, that of the last listed day before it, else 0."""
        return max((years for listed, years in self.by_day.items() if listed <= day), default=0)


NO_AGES = Ages()
"""The ages of a person of whom no source tells a birth date."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one person that bear on one send.

    `contact_point_from`: ids of the sources that name the send's contact point with the same token as the printed
    value, under whatever id.
    `points`: the contact points that any source ever gave, deleted ones too, each with the times of its acquisition.
    `addresses`: the addresses behind these ids; () if each id is one address, and the send's is the one on file.
    `late`: companies registered after a refusal that names them, with the arrival of the record (milliseconds).
    `left`: by company the groups that refusals name and that it has left, with the arrival of the record.
    `contact_point_near`: ids of the sources that name a similar spelling, with the score (per mille).
    `printed`: result of comparing the send's delivery; None if the send has none, and its own token was used.
    `unreadable`: records that could not be read; while there is one, the facts are incomplete.
    `snapshot`: all facts as canonical JSON of `schemas.audit.Snapshot`.
    `erased`: milliseconds since the epoch when the person was erased, None if never erased or readmitted since.

    The events have the fields of the contract's classes except recipient id, token and birth date; reading one of
    these is an error.
    """

    sources: tuple[Source, ...]
    consents: tuple[HeldConsent, ...]
    suppressions: tuple[Hit, ...]
    contact_point_from: frozenset[str]
    unreadable: tuple[str, ...]
    snapshot: bytes
    events: tuple[PersonEvent, ...] = ()
    asks: tuple[Ask, ...] = ()
    releases: tuple[Release, ...] = ()
    contact_point_near: Mapping[str, int] = field(default_factory=dict)
    points: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    late: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    printed: Printing | None = None
    erased: int | None = None
    ages: Ages = NO_AGES


class KnownSources(NamedTuple):
    """The sources of a person. `read`: without deleted ones.

    `points`: the contact points that any source ever gave, deleted ones too, each with the times of its acquisition.
    """

    read: tuple[Source, ...]
    points: Mapping[str, tuple[str | None, ...]]


class Token(NamedTuple):
    """A token that an event names, with its contact point ("" for a stop) and the certainty of the match."""

    token: str
    point: str
    score: int = CERTAIN


def judged(topic: str, value: bytes, arrived: int | None = None) -> tuple[bytes, list[Token]]:
    """The judged form of a readable event, and the tokens that were kept out of it.

    `arrived`: milliseconds since the epoch when the log took it, for an event that came by a topic.
    """
    event: dict[str, Any] = orjson.loads(value)
    event.pop("recipient_id", None)
    event.pop("birth_date", None)
    tokens: list[Token] = []
    if topic == "suppressions":
        tokens = _tokens(event, "")
    elif topic == "confirmations":
        # the source names the address; the text and its delivery are for the print house
        for name in ("contact_point", "contact_point_id", "text", "answer_code", "delivery"):
            event.pop(name, None)
    elif topic == "acts":
        event.pop("reason")  # free text; the act itself keeps it
    if topic == "sources":
        for point in event.get("contact_points", ()):
            tokens += _tokens(point, point["id"])
        if check := event.get("check"):
            for name in _CHECK_TEXTS:  # the rules only ask for its presence
                if (check.get(name) or "").strip():
                    check[name] = "stated"
                else:
                    check.pop(name, None)
    if b"null" in value or b"[]" in value:  # one meaning, one form
        event = {name: field for name, field in event.items() if field is not None and field != []}
    if arrived is not None and arrival.matters(topic, event, arrived):
        event["arrived"] = arrived
    return canonical(event), tokens


def _tokens(named: dict[str, Any], point: str) -> list[Token]:
    token, readings = named.pop("token", None), named.pop("readings", None) or ()
    less = [Token(reading["token"], point, reading["score"]) for reading in readings]
    return [Token(token, point), *less] if token else []


@lru_cache(maxsize=16384)
def sources(lines: bytes) -> KnownSources:
    """Reads the sources of one person from their judged forms, one per line.

    All versions of one source are kept, each in the strongest state that any of them has.
    """
    found = [orjson.loads(line) for line in lines.splitlines()]
    strongest: dict[str, int] = {}
    for event in found:
        id_ = event["source_id"]
        strongest[id_] = max(strongest.get(id_, 0), _STATES.index(event.get("state", "active")))
    states = {id_: _STATES[place] for id_, place in strongest.items()}
    kept = ({**event, "state": states[event["source_id"]]} for event in found)
    points: dict[str, tuple[str | None, ...]] = {}
    for event in found:
        for point in event.get("contact_points", ()):
            points[point["id"]] = (*points.get(point["id"], ()), event.get("acquired_at"))
    return KnownSources(tuple(_source(event) for event in kept if event["state"] != "deleted"), points)


@lru_cache(maxsize=16384)
def consents(lines: bytes) -> tuple[HeldConsent, ...]:
    """Reads the consent events of one person from their judged forms, one per line."""
    return tuple(_made(HeldConsent, orjson.loads(line)) for line in lines.splitlines())


@lru_cache(maxsize=4096)
def events(lines: bytes) -> tuple[PersonEvent, ...]:
    """Reads the other events of one person from their judged forms, one per line."""
    return tuple(_made(PersonEvent, orjson.loads(line)) for line in lines.splitlines())


@lru_cache(maxsize=4096)
def asks(lines: bytes) -> tuple[Ask, ...]:
    """Reads the asks to one person from their judged forms, one per line."""
    return tuple(_made(Ask, orjson.loads(line)) for line in lines.splitlines())


@lru_cache(maxsize=1024)
def releases(lines: bytes) -> tuple[Release, ...]:
    """Reads the reviewers' releases of the person's sends from their judged forms, one per line."""
    return tuple(_made(Release, orjson.loads(line)) for line in lines.splitlines())


def hits(stops: Mapping[bytes, int], elsewhere: Collection[bytes] = ()) -> tuple[Hit, ...]:
    """Reads suppressions from their judged forms, sorted by these."""
    return tuple(Hit(_suppression(line), stops[line], line in elsewhere) for line in sorted(stops))


def snapshot(
    *,
    source_lines: bytes,
    consent_lines: bytes,
    stops: Mapping[bytes, int],
    contact_point_from: Iterable[str],
    unreadable: Sequence[str],
    refs: bytes,
    elsewhere: Collection[bytes] = (),
    event_lines: bytes = b"",
    ask_lines: bytes = b"",
    release_lines: bytes = b"",
    contact_point_near: Mapping[str, int] | None = None,
    addresses: Iterable[Address] = (),
    late: Mapping[str, int] | None = None,
    left: Mapping[str, Mapping[str, int]] | None = None,
    printed: Printing | None = None,
    erased: int | None = None,
    ages: Ages = NO_AGES,
) -> bytes:
    """The canonical JSON of a Snapshot, joined from the judged forms without encoding them again."""
    stopped = b",".join(
        b'{%b"event":%b,"score":%d}' % (b'"elsewhere":true,' if line in elsewhere else b"", line, stops[line])
        for line in sorted(stops)
    )
    parts = []
    if addresses:
        parts.append(b'"addresses":%b,' % canonical([one.model_dump(exclude_defaults=True) for one in addresses]))
    if ages.now is not None:
        told = canonical(ages.sources), canonical(ages.by_day)
        parts.append(b'"age":%d,"age_from":%b,"age_on":%b,' % (ages.now, *told))
    if ask_lines:
        parts.append(b'"asks":[%b],' % ask_lines.replace(b"\n", b","))
    parts.append(b'"consents":[%b],' % consent_lines.replace(b"\n", b","))
    parts.append(b'"contact_point_from":%b,' % canonical(sorted(contact_point_from)))
    if contact_point_near:
        parts.append(b'"contact_point_near":%b,' % canonical(contact_point_near))
    if erased is not None:
        parts.append(b'"erased":%d,' % erased)
    if event_lines:
        parts.append(b'"events":[%b],' % event_lines.replace(b"\n", b","))
    if late:
        parts.append(b'"late":%b,' % canonical(late))
    if left:
        parts.append(b'"left":%b,' % canonical(left))
    if printed:
        parts.append(b'"printed":"%b",' % printed.encode())
    parts.append(b'"refs":%b,' % refs)
    if release_lines:
        parts.append(b'"releases":[%b],' % release_lines.replace(b"\n", b","))
    parts.append(b'"sources":[%b],"suppressions":[%b],' % (source_lines.replace(b"\n", b","), stopped))
    parts.append(b'"unreadable":%b' % canonical(sorted(unreadable)))
    return b"{%b}" % b"".join(parts)


def read_snapshot(recorded: bytes) -> Facts:
    """The facts of a recorded snapshot, as decide() saw them; for replay."""
    found = Snapshot.model_validate_json(recorded)
    stops = {canonical(stop.event): stop.score for stop in found.suppressions}
    elsewhere = {canonical(stop.event) for stop in found.suppressions if stop.elsewhere}
    known = sources(_lines(found.sources))
    return Facts(
        sources=known.read,
        points=known.points,
        addresses=found.addresses,
        late=found.late,
        left=found.left,
        consents=consents(_lines(found.consents)),
        suppressions=hits(stops, elsewhere),
        contact_point_from=frozenset(found.contact_point_from),
        contact_point_near=found.contact_point_near,
        printed=found.printed,
        unreadable=found.unreadable,
        snapshot=recorded,
        events=events(_lines(found.events)),
        asks=asks(_lines(found.asks)),
        releases=releases(_lines(found.releases)),
        erased=found.erased,
        ages=Ages(found.age, found.age_from, found.age_on),
    )


def _lines(found: Iterable[dict[str, Any]]) -> bytes:
    return b"\n".join(canonical(event) for event in found)


def _source(event: dict[str, Any]) -> Source:
    for name, model in _PARTS:
        if name in event:
            event[name] = _made(model, event[name])
    if "contact_points" in event:
        event["contact_points"] = [_made(SourceContactPoint, point) for point in event["contact_points"]]
    return _made(Source, event)


@lru_cache(maxsize=4096)
def _suppression(line: bytes) -> HeldSuppression:
    event = orjson.loads(line)
    return _made(HeldSuppression, {**event, "scope": _made(Scope, event.get("scope", {}))})


M = TypeVar("M", bound=BaseModel)


def _made(model: type[M], event: dict[str, Any]) -> M:
    """An event in the bare form of its class; the event was validated on arrival."""
    bare = _BARE[model]
    fields = bare.__dataclass_fields__
    kept = {name: tuple(value) if type(value) is list else value for name, value in event.items() if name in fields}
    return cast("M", bare(**kept))


def changed(event: M, **fields: Any) -> M:
    """The event with other values in these fields."""
    return cast("M", replace(cast("Any", event), **fields))


def _bare(model: type[BaseModel]) -> type[Any]:
    """A class with the fields and properties of one of the contract's, and nothing else.

    A rule reads a field in a third of the time that pydantic takes, and a person takes 4 KB instead of 7.
    """
    fields = [
        (name, Any) if info.is_required() else (name, Any, field(default=info.default))
        for name, info in model.model_fields.items()
        if name not in _KEPT_OUT
    ]
    properties = {name: one for name, one in vars(model).items() if isinstance(one, property)}
    return make_dataclass(model.__name__, fields, namespace=properties, kw_only=True, slots=True)


_PARTS = (("check", ProviderCheck), ("succession", Succession), ("entrustment", Entrustment))
_MODELS = (
    Source,
    SourceContactPoint,
    ProviderCheck,
    Succession,
    Entrustment,
    HeldConsent,
    PersonEvent,
    HeldSuppression,
    Scope,
    Ask,
    Release,
)
_KEPT_OUT = ("recipient_id", "token", "readings", "birth_date", "reason")
"""Fields that the judged form never has, so no code can read them by mistake."""
_BARE: Mapping[type[BaseModel], type[Any]] = {model: _bare(model) for model in _MODELS}
