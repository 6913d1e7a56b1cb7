"""The facts that a reason points to, each with a digest of it as it stands (domain rule 8.1.39).

A copy has the same digest, and so has a fact that was entered again. A later version of the same id has another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from gatekeeper.deciding.case import Case
from gatekeeper.policy.reasons import Found
from schemas.codec import canonical

PRINTED = "printed"
"""The name of what is printed, to which PRINT_UNACCOUNTED points."""
_ENTERED = ("arrived", "recorded_at")
"""Fields that say when an event was entered, and not what was said."""


def digests(case: Case, reason: Found) -> Mapping[str, frozenset[str]]:
    """The digests of the facts that a reason points to, by id; of an id all versions that count."""
    texts = {PRINTED: case.facts.printed_text} if reason.code == "PRINT_UNACCOUNTED" else {}
    found = {name: frozenset((text,)) for name, text in texts.items() if text}
    return {**found, **{id_: frozenset(_stands(case, id_)) for id_ in reason.facts}}


def all_digests(case: Case, reason: Found) -> tuple[str, ...]:
    """The same in one list, as an item of the queue and a release have it."""
    return tuple(sorted(frozenset().union(*digests(case, reason).values())))


def _stands(case: Case, id_: str) -> Iterable[str]:
    """Yields the digests of all that has this id: of reference data by their hash, else of the id alone."""
    facts = case.facts
    events: list[Any] = [source for source in facts.sources if source.source_id == id_]
    events += [event for event in facts.consents if event.record_id == id_]
    events += [hit.stop for hit in case.stops if hit.stop.suppression_id == id_]
    if events:
        digests = case.reference.digests
        yield from (_digest(event, digests.get(f"batch/{getattr(event, 'batch_id', None)}")) for event in events)
    else:
        yield _hash(canonical([id_, case.reference.digests.get(id_)]))


def _digest(event: Any, batch: str | None) -> str:
    """The digest of an event as it was said; a field without a value says nothing. `batch`: the hash of its list."""
    said = {
        name: field
        for name, field in msgspec.to_builtins(event).items()
        if name not in _ENTERED and field not in (None, [], {}, ())
    }
    for point in said.get("contact_points", ()):
        if not point["further"]:  # digests of before have no such field
            del point["further"]
    return _hash(canonical([said, batch] if batch else said))


def _hash(value: bytes) -> str:
    return sha256(value).hexdigest()[:32]
