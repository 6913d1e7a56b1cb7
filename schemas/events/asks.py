"""What the gate asks a person: the records of `confirmations` (domain rule 6.1)."""

from __future__ import annotations

from typing import Literal

from schemas.events.sends import SendContactPoint
from schemas.values import (
    Channel,
    Code,
    Id,
    Model,
    RecipientId,
    Time,
    Version,
)


class Ask(Model):
    """A confirmation asked of a person: about which source, where, with what template and route stated (J.8.7)."""

    v: Version
    request_id: Id
    recipient_id: RecipientId
    source_id: Id
    channel: Channel
    template_id: Id
    stated_route: Code
    at: Time
    contact_point: SendContactPoint | Id | None = None
    contact_point_id: Id | None = None
    campaign_id: Id | None = None
    controller_id: Id | None = None
    decision_id: Id | None = None
    kind: Literal["ask"] | None = None
