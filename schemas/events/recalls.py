"""What the gate calls back: the records of `recalls`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.values import Channel, Code, Id, Model, RecipientId, Version, ZonedTime


class Recall(Model):
    """A piece that was cleared and must not go out any more.

    `decision_id`: the decision that cleared it. `recall_id` derives from that alone, so a recall said twice is one.
    `reasons`: why it does not stand; none where a person called it back.
    """

    v: Version
    recall_id: Id
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    event_id: Id
    at: ZonedTime
    reasons: Annotated[tuple[Code, ...], Field(max_length=64)] = ()
    mail_date: ZonedTime | None = None
