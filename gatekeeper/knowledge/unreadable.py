"""Whom a record may be about that cannot be read: more people than meant are no harm, one fewer would be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.codec import VALUE_BYTES
from schemas.values import RecipientId

NAMES = 64
"""At most so many people are withheld by one unreadable record: those that it names first, and its key's."""
_ID = TypeAdapter(RecipientId)
_FIELDS = ("recipient_id", "token")
_NAMES_SOMEBODY = re.compile(rb'"(?:recipient_id|token)"\s*:\s*"([A-Za-z0-9._:\-]{1,64})"')
"""For a value that is no JSON, which can only be searched."""
_NAMES_REFERENCE = re.compile(r"[a-z_]{1,32}/[A-Za-z0-9._:\-]{1,64}")


def named(topic: str, key: bytes | None, value: bytes) -> frozenset[str]:
    """Whom an unreadable record names: by its key, and by every name found in its value.

    `topic`: the registry name; of `reference`, kind/id are returned. Of a value beyond its cap only the key counts,
    and no more than NAMES names.
    """
    read, names = None, {(key or b"").decode("utf-8", "replace")}
    if len(value) <= VALUE_BYTES:
        with suppress(ValueError):
            read = orjson.loads(value)
        found = [name.decode() for name in _NAMES_SOMEBODY.findall(value)]
        if isinstance(read, dict):
            names.update(str(read.get(name)) for name in _FIELDS)
            if topic == "reference" and (id_ := read.get("id") or read.get("terms_id")):
                names.add(f"{read.get('kind')}/{id_}")
        names.update(islice(dict.fromkeys((*found, *_names(read))), NAMES))
    if topic == "reference":
        return frozenset(name for name in names if _NAMES_REFERENCE.fullmatch(name))
    return frozenset(name for name in names - {"None"} if _is_id(name))


def _names(read: Any) -> Iterator[str]:
    """Yields the names in JSON, wherever they stand, however they were written."""
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
