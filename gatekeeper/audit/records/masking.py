"""Masks a record that anybody may have written: field names of the contract, ids, codes and instants remain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from string import Formatter
from typing import Any

import jiter
from pydantic import TypeAdapter, ValidationError

from gatekeeper.audit.records.record import READ
from gatekeeper.ground.texts import catalogue
from schemas.audit import AuditRecord
from schemas.codec import canonical
from schemas.values import Any_, Surrogate, ZonedTime

MASK = "?"
_PERSONAL = frozenset(("recipient_id", "token", "delivery", "name", "lines", "postcode", "email", "phone")).union(
    ("address", "representative", "how_obtained", "birth_date", "text", "reason")
)
"""Fields of the contract that are kept out of records. Their names are shown, but never their values."""
_FORM = TypeAdapter[str](Surrogate | ZonedTime | Any_)
_ID = TypeAdapter[str](Surrogate)
_SAYS = re.compile(rb'"(event_id|campaign_id|controller_id)"\s*:\s*"([^"\\]{1,64})"')


def told(value: Any) -> str:
    """A value as JSON, with `?` for each unknown field and each string that is no id, code or instant."""
    return canonical(_masked(value)).decode()


def word(value: Any) -> str:
    """An id, a code or an instant as it stands, `?` for anything else."""
    try:
        return _FORM.validate_python(value)
    except ValidationError:
        return MASK


def id_in(value: bytes | None, field: str) -> str | None:
    """The id in a field of a value that may be broken; None for text of another form.

    `field`: `event_id`, `campaign_id` or `controller_id`.
    """
    try:
        content = jiter.from_json(value or b"")
        raw = content.get(field) if isinstance(content, dict) else None
    except ValueError:
        ids = (id_ for name, id_ in _SAYS.findall(value or b"") if name == field.encode())
        raw = next(ids, b"").decode("utf-8", "replace")
    try:
        return _ID.validate_python(raw)
    except ValidationError:
        return None


def named(field: str) -> str:
    """The name of a field of the contract; `?` for any other, which may be somebody's name."""
    return field if field in _names() else MASK


def tellable(field: str) -> bool:
    """Tells whether records may have a field of this name, so that `told` may show its value."""
    return field in _names() - _PERSONAL


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {named(field): _masked(part) if tellable(field) else MASK for field, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(part) for part in value]
    return word(value) if isinstance(value, str) else value


@cache
def _names() -> frozenset[str]:
    """All field names of records and of the events in them, and all placeholders in the sentences of reasons."""
    schemas = [TypeAdapter(model).json_schema() for model in (AuditRecord, *READ)]
    sentences = [
        sentence for key, both in catalogue().items() if key.startswith("reason.") for sentence in both.values()
    ]
    filled = {field for sentence in sentences for _, field, _, _ in Formatter().parse(sentence) if field}
    return frozenset((*_fields(schemas), *filled, "case"))


def _fields(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _fields(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _fields(part)
