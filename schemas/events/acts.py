"""What reviewers say: the records of `acts` (domain rules 6.1, 6.8)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.values import (
    Channel,
    Code,
    Id,
    Line,
    Model,
    RecipientId,
    Time,
    Version,
)


class Release(Model):
    """A reviewer's word on one decision: that its reasons need not withhold the piece, or that word taken back.

    It holds for the send key: recipient, campaign and channel.
    """

    v: Version
    kind: Literal["release", "release_revoked"]
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    by: Annotated[tuple[Id, ...], Field(min_length=1, max_length=4)] | Id
    reason: Line
    at: Time
    reasons: Annotated[tuple[Code, ...], Field(max_length=64)] = ()
    evidence_ref: Id | None = None

    @property
    def people(self) -> frozenset[str]:
        """Who stands for it."""
        return frozenset((self.by,) if isinstance(self.by, str) else self.by)
