"""The event that a person asked for a right, which a reply names as its ground (rule 8.3.50)."""

from __future__ import annotations

from uuid import uuid4

from schemas.events import PersonEvent


def received(recipient_id: str, request_id: str, *, asked: str, by: str, at: str) -> PersonEvent:
    """The event that a person asked for a right. `asked`: its code. `at`: when the request came in."""
    return PersonEvent(
        v=1,
        kind="request_received",
        recipient_id=recipient_id,
        record_id=f"request-{uuid4().hex}",
        request_id=request_id,
        asked=asked,
        at=at,
        by=by,
    )
