"""Reads what can be read of a record, and finds the people whom an unreadable one may concern.

Too many are no harm; one too few would be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from gatekeeper.knowledge.file_arrival import OWN_FORMS
from schemas.codec import VALUE_BYTES, Parsed, Unreadable, parse
from schemas.record import Record
from schemas.values import CODE_PATTERN, RecipientId

NAMES = 64
"""People whom one unreadable record withholds, at most: the first names in it, and its key."""
_ID = TypeAdapter(RecipientId)
_FIELDS = ("recipient_id", "token")
_NAMES_SOMEBODY = re.compile(rb'"(?:recipient_id|token)"\s*:\s*"([A-Za-z0-9._:\-]{1,64})"')
"""Search pattern for a value that is no JSON."""
_NAMES_A_FEED = re.compile(rb'"kind"\s*:\s*"gap"')
_NAMES_REFERENCE = re.compile(r"[a-z_]{1,32}/[A-Za-z0-9._:\-]{1,64}")


def understood(record: Record) -> tuple[Parsed[Any], str | None]:
    """The record, and the kind of a stop that no rule reads: it is read as an objection (rule 8.3.52).

    Raises Unreadable. Such a stop with a last day is unreadable, as it would bind too little.
    """
    topic, key, value = record.topic, record.key, record.value
    try:
        return parse(topic, key, value, adapter=OWN_FORMS.get(topic)), None
    except Unreadable as unreadable:
        if (topic, unreadable.place) != ("suppressions", "kind"):
            raise
        try:
            said = orjson.loads(value or b"")
        except ValueError:  # it has a number that only the other reader takes
            raise unreadable from None
        kind = said.get("kind")
        if not isinstance(kind, str) or not re.fullmatch(CODE_PATTERN, kind) or said.get("effective_until"):
            raise
        return parse(topic, key, orjson.dumps({**said, "kind": "objection"})), kind


def named(topic: str, key: bytes | None, value: bytes) -> frozenset[str]:
    """The names in an unreadable record: its key, and every name found in its value.

    `topic`: the registry name; for `reference` the names are kind/id. If the value exceeds its cap, only the key
    counts. At most NAMES names of the value count.
    """
    read, names = None, {(key or b"").decode("utf-8", "replace")}
    if len(value) <= VALUE_BYTES:
        with suppress(ValueError):
            read = orjson.loads(value)
        mentioned = [name.decode() for name in _NAMES_SOMEBODY.findall(value)]
        if isinstance(read, dict):
            names.update(_text(read.get(name)) for name in _FIELDS)
            if topic == "reference" and (id_ := _text(read.get("id")) or _text(read.get("terms_id"))):
                names.add(f"{_text(read.get('kind'))}/{id_}")
        names.update(islice(dict.fromkeys((*mentioned, *_names(read))), NAMES))
    if topic == "reference":
        return frozenset(name for name in names if _NAMES_REFERENCE.fullmatch(name))
    return frozenset(filter(_is_id, names))


def names_a_feed(topic: str, value: bytes | None) -> bool:
    """True for an unreadable record that may be a gap of a feed. Its key is no person then."""
    return topic == "consents" and _NAMES_A_FEED.search(value or b"") is not None


def _text(value: Any) -> str:
    """A name that may be spelled as a number; '' for anything else, of which a text may be endlessly deep."""
    return str(value) if isinstance(value, str | int | float) else ""


def _names(read: Any) -> Iterator[str]:
    """Yields the names in JSON, at any depth and in any spelling."""
    inside = [read]
    while inside:
        node = inside.pop()
        if isinstance(node, dict):
            yield from (node[name] for name in _FIELDS if isinstance(node.get(name), str))
        inside.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())


def _is_id(text: str) -> bool:
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True
