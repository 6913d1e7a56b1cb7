"""The one codec: bytes and headers to models and back, with the input rules of the contract.

A record is refused, never repaired, for any of these:

* It is over its byte cap, not UTF-8 JSON, or filed under another key.
* It has a key twice in one object, or is nested deeper than MAX_DEPTH.
* A field is unknown, missing or of another type.
* A number is out of bounds or not an integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any, Generic, TypeVar

import jiter
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.record import Record
from schemas.topics import TOPICS, logical_name, subject_key

SEND_BYTES = 16 * 1024
VALUE_BYTES = 64 * 1024
KEY_BYTES = 256
MAX_DEPTH = 32
"""Objects and lists within each other, at most. No model of the contract has more than ten."""
MAX_HEADERS = 64
HEADER_BYTES = 16 * 1024
"""Most bytes of all header names and values, plus HEADER_COST for each. The platform's headers are passed on."""
HEADER_COST = 16
"""Bytes that a header takes besides its name and value, on the wire or in memory."""


class Unreadable(Exception):
    """A record that cannot be read. `fault`: the kind of fault. `place`: the field. The error holds no value."""

    def __init__(self, fault: str, place: str = "") -> None:
        super().__init__(f"{fault} at {place}" if place else fault)
        self.fault = fault
        self.place = place


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[M]):
    """A value decoded once: its model, and its JSON as published, where an absent field and null differ.

    Nobody changes `json`, as the model may hold parts of it.
    """

    model: M
    json: Mapping[str, Any]


def encode(model: BaseModel) -> bytes:
    """The wire form of a model: JSON in UTF-8, absent fields left out."""
    return orjson.dumps(model.model_dump(mode="json", by_alias=True, exclude_none=True))


def parsed(model: M) -> Parsed[M]:
    """A model with the JSON of its wire form, absent fields left out."""
    return Parsed(model, model.model_dump(mode="json", by_alias=True, exclude_none=True))


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785 for values without floats): sorted ASCII keys, no white space."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def headers_fault(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The fault of a record's headers: `headers_too_many`, `headers_too_long`, or None."""
    if len(headers) > MAX_HEADERS:
        return "headers_too_many"
    size = sum(len(name) if name.isascii() else len(name.encode()) for name, _ in headers)
    size += sum(len(value) for _, value in headers if value) + HEADER_COST * len(headers)
    return "headers_too_long" if size > HEADER_BYTES else None


def read(record: Record) -> Parsed[Any]:
    """Reads one record of an input topic; raises Unreadable as `parse` does, and for its headers."""
    fault = record.refused.fault if record.refused else headers_fault(record.headers)
    if fault:
        raise Unreadable(fault)
    return parse(logical_name(record.topic), record.key, record.value)


def decode(topic: str, key: bytes | None, value: bytes | None) -> Any:
    """Reads one record of `topic` (registry name) into its model; raises Unreadable as `parse` does."""
    return parse(topic, key, value).model


def parse(
    topic: str, key: bytes | None, value: bytes | None, *, adapter: TypeAdapter[Any] | None = None
) -> Parsed[Any]:
    """Reads one record of `topic` (registry name).

    A record without key takes the key of its value; a record with another key is refused. `adapter`: reads the value,
    None for the topic's own. Raises Unreadable with the fault and the field's place.
    """
    if value is None:
        raise Unreadable("value_missing")
    if len(value) > (SEND_BYTES if topic == "sends" else VALUE_BYTES):
        raise Unreadable("value_too_long")
    if key is not None and len(key) > KEY_BYTES:
        raise Unreadable("key_too_long")
    adapter = adapter or TOPICS[topic].adapter
    if adapter is None:
        raise LookupError(f"topic {topic} carries no model of its own")
    # a key that stands twice is refused: a value that reads differently elsewhere must not pass
    content = _json(value)
    try:
        model = adapter.validate_python(content)
    except ValidationError as error:
        raise Unreadable("nested_too_deep") if _is_deep(content) else _unreadable(topic, error) from None
    if key is not None and key != subject_key(topic, model).encode():
        raise Unreadable("key_differs", "key")
    return Parsed(model, content)


def _json(value: bytes) -> Any:
    try:
        return jiter.from_json(value, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        if "uplicate" in str(error):
            raise Unreadable("key_twice") from None
        raise Unreadable("nested_too_deep" if "recursion limit" in str(error) else "not_json") from None


def _is_deep(value: Any) -> bool:
    """True if a value holds more than MAX_DEPTH objects and lists within each other."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for node in level for inner in _inside(node)]
    return any(isinstance(node, dict | list) for node in level)


def _inside(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _unreadable(topic: str, error: ValidationError) -> Unreadable:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # other names in a value come from outside and may be anything, a person's name included
    known = takewhile(lambda part: isinstance(part, int) or part in _names(topic), first["loc"])
    place = ".".join(str(part) for part in known)
    fault = {
        "missing": "field_missing",
        "extra_forbidden": "field_unknown",
        "union_tag_invalid": "kind_unknown",
        "union_tag_not_found": "kind_missing",
        "text_unprintable": "text_unprintable",
    }.get(first["type"], "field_invalid")
    return Unreadable(fault, place)


@cache
def _names(topic: str) -> frozenset[str]:
    """The names of all fields that a topic's values can have, and of their kinds."""
    names: set[str] = set()
    adapter = TOPICS[topic].adapter
    inside = [adapter.json_schema()] if adapter else []
    while inside:
        node = inside.pop()
        if isinstance(node, dict):
            names.update(node.get("properties", ()), node.get("discriminator", {}).get("mapping", ()))
        inside.extend(_inside(node))
    return frozenset(names)
