"""The redacted form of an event, which the store keeps and decide() reads.

It is the event's canonical JSON without the recipient id, tokens, birth date and free text.
The audit record stores the very bytes that decide() read, so a replay reads them again and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import msgspec
from pydantic import BaseModel

from gatekeeper.deciding import arrival
from gatekeeper.deciding.facts import (
    CERTAIN,
    AskedElsewhere,
    HeldConsent,
    HeldEvent,
    HeldRelease,
    HeldSuppression,
    Hit,
    KnownSources,
)
from schemas.codec import canonical
from schemas.events import (
    Ask,
    Entrustment,
    ProviderCheck,
    Scope,
    Source,
    SourceContactPoint,
    Succession,
)
from schemas.values import Model

_CHECK_TEXTS = ("name", "address", "representative", "how_obtained")
_STATES = ("active", "quarantined", "deleted", "illicit")
"""States of a source, the strongest last: a deleted source is not read, but an illicit one stays illicit."""


BESIDE = 0
"""The score of a token of what may be printed beside an address. It stands for no address."""


class Token(NamedTuple):
    """A token that an event names. `point`: its contact point, "" for a stop. `score`: of the match, or BESIDE."""

    token: str
    point: str
    score: int = CERTAIN


def redacted(
    topic: str, said: Mapping[str, Any], arrived: int | None = None, *, value: bytes | None = None
) -> tuple[bytes, list[Token]]:
    """The redacted form of a readable event as bytes, and the tokens that were kept out of it.

    Takes the arguments of `redacted_fields`.
    """
    event, tokens = redacted_fields(topic, said, arrived, value=value)
    return canonical(event), tokens


def redacted_fields(
    topic: str, said: Mapping[str, Any], arrived: int | None = None, *, value: bytes | None = None
) -> tuple[dict[str, Any], list[Token]]:
    """The fields of the redacted form of a readable event, and the tokens that were kept out of it.

    `said`: the event's JSON as published, which stays as it is. `arrived`: milliseconds since the epoch when the log
    took it, for an event that came by a topic. `value`: its bytes, None for an event of our own. An empty list that is
    spelled `[ ]` stays, as in every form that was recorded before.
    """
    event = dict(said)
    event.pop("recipient_id", None)
    event.pop("birth_date", None)
    tokens: list[Token] = []
    if topic == "suppressions":
        tokens = _tokens(event, "")
        for name in ("row", "lacks"):  # of a list's row: the same stop, whichever release read it
            event.pop(name, None)
    elif topic == "confirmations":
        # the source names the address; the text and its delivery are for the print house
        for name in ("contact_point", "contact_point_id", "text", "answer_code", "delivery"):
            event.pop(name, None)
    elif topic == "acts":
        event.pop("reason")  # free text; the act itself keeps it
    if topic == "sources":
        if points := [dict(point) for point in event.get("contact_points", ())]:
            event["contact_points"] = points
        for point in points:
            tokens += _tokens(point, point["id"])
        if check := dict(event.get("check") or {}):
            event["check"] = check
            for name in _CHECK_TEXTS:  # the rules only ask for its presence
                if (check.get(name) or "").strip():
                    check[name] = "stated"
                else:
                    check.pop(name, None)
    if value is None or b"null" in value or b"[]" in value:  # one meaning, one form
        event = {name: field for name, field in event.items() if field is not None and field != []}
    if arrived is not None and arrival.matters(topic, event, arrived):
        event["arrived"] = arrived
    return event, tokens


def _tokens(named: dict[str, Any], point: str) -> list[Token]:
    token, readings = named.pop("token", None), named.pop("readings", None) or ()
    less = [Token(reading["token"], point, reading["score"]) for reading in readings]
    beside = [Token(value, point, BESIDE) for value in named.pop("beside", None) or ()]
    return [Token(token, point), *less, *beside] if token else []


def sources(lines: bytes) -> KnownSources:
    """Reads the sources of one person from their redacted forms, one per line.

    All versions of one source are kept, each in the strongest state that any of them has.
    """
    versions = _all(Source, lines)
    strongest: dict[str, int] = {}
    points: dict[str, tuple[str | None, ...]] = {}
    for source in versions:
        strongest[source.source_id] = max(strongest.get(source.source_id, 0), _STATES.index(source.state))
        for point in source.contact_points:
            points[point.id] = (*points.get(point.id, ()), source.acquired_at)
    if not any(strongest.values()):
        return KnownSources(versions, points)
    states = {id_: _STATES[rank] for id_, rank in strongest.items()}
    kept = [
        source if source.state == states[source.source_id] else changed(source, state=states[source.source_id])
        for source in versions
    ]
    read, deleted = ([source for source in kept if (source.state == "deleted") == gone] for gone in (False, True))
    return KnownSources(tuple(read), points, tuple(deleted))


def consents(lines: bytes) -> tuple[HeldConsent, ...]:
    """Reads the consent events of one person from their redacted forms, one per line."""
    return _all(HeldConsent, lines)


def events(lines: bytes) -> tuple[HeldEvent, ...]:
    """Reads the other events of one person from their redacted forms, one per line."""
    return _all(HeldEvent, lines)


@lru_cache(maxsize=4096)
def asks(lines: bytes) -> tuple[Ask, ...]:
    """Reads the asks to one person from their redacted forms, one per line."""
    return _all(Ask, lines)


def asked(lines: bytes) -> tuple[AskedElsewhere, ...]:
    """Reads the questions under other ids from their redacted forms, one per line."""
    return _all(AskedElsewhere, lines)


@lru_cache(maxsize=1024)
def releases(lines: bytes) -> tuple[HeldRelease, ...]:
    """Reads the reviewers' releases of the person's sends from their redacted forms, one per line."""
    return _all(HeldRelease, lines)


def hits(
    stops: Mapping[bytes, int], elsewhere: Collection[bytes] = (), named: Mapping[bytes, int] = MappingProxyType({})
) -> tuple[Hit, ...]:
    """Reads suppressions from their redacted forms, sorted by these."""
    return tuple(Hit(_suppression(line), stops[line], line in elsewhere, named.get(line)) for line in sorted(stops))


@lru_cache(maxsize=4096)
def _suppression(line: bytes) -> HeldSuppression:
    return _all(HeldSuppression, line)[0]


@lru_cache(maxsize=1024)
def objection(id_: str, received_at: str) -> HeldSuppression:
    """An objection to everything, which no event says by itself."""
    said = {"v": 1, "kind": "objection", "suppression_id": id_, "received_at": received_at}
    return _suppression(canonical(said))


M = TypeVar("M", bound=BaseModel)


def _all(model: type[M], lines: bytes) -> tuple[M, ...]:
    """The events, one per line, in the bare form of their class; the events were validated on arrival."""
    if not lines:
        return ()
    decode = _READ[model]
    return tuple([decode(line) for line in lines.split(b"\n")])


def changed(event: M, **fields: Any) -> M:
    """The event with other values in these fields."""
    return cast("M", msgspec.structs.replace(cast("Any", event), **fields))


def word(event: M) -> M:
    """The event as it was said: equal for a copy, and for one that was entered at another time."""
    return changed(event, recorded_at=None, arrived=None)


def _bare(model: type[BaseModel]) -> type[Any]:
    """A class with the fields and properties of one of the contract's, and nothing else.

    It is read from JSON in one step, without a second validation.
    """
    fields: list[Any] = []
    for name, info in model.model_fields.items():
        if name not in _KEPT_OUT:
            kind, default = _kind(info.annotation), info.default
            if isinstance(default, BaseModel):
                default = _BARE[type(default)]()
            fields.append((name, kind) if info.is_required() else (name, kind, default))
    members = (pair for base in reversed(model.__mro__) for pair in vars(base).items() if issubclass(base, Model))
    properties = {name: member for name, member in members if isinstance(member, property)}
    return msgspec.defstruct(model.__name__, fields, namespace=properties, kw_only=True, frozen=True, gc=False)


def _kind(annotation: Any) -> Any:
    """The type of a field of the bare form. Lists become tuples, parts their bare form, and the rest stays."""
    if annotation in _BARE:
        return _BARE[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inside[0])
    if origin is tuple:
        return tuple.__class_getitem__((_kind(inside[0]), ...))
    if origin in (Union, UnionType):
        kinds = {_kind(arg) for arg in inside}
        lists = [kind for kind in kinds if get_origin(kind) is tuple]
        parts = [kind for kind in kinds if kind in _BARE.values()]
        if lists:
            return lists[0] | str
        return parts[0] | None if parts and set(inside) <= {*_BARE, NoneType} else Any
    return Any


_MODELS: tuple[type[BaseModel], ...] = (
    SourceContactPoint,
    ProviderCheck,
    Succession,
    Entrustment,
    Scope,
    Source,
    HeldConsent,
    HeldEvent,
    HeldSuppression,
    Ask,
    AskedElsewhere,
    HeldRelease,
)
"""The classes of the contract that a person's facts have, each after its parts."""
_KEPT_OUT = ("recipient_id", "token", "readings", "beside", "birth_date", "reason", "row", "lacks")
"""Fields that the redacted form never has, so no code can read them by mistake."""
_BARE: dict[type[BaseModel], type[Any]] = {}
for _model in _MODELS:
    _BARE[_model] = _bare(_model)
_READ: Mapping[type[BaseModel], Callable[[bytes], Any]] = {
    model: msgspec.json.Decoder(bare).decode for model, bare in _BARE.items()
}
