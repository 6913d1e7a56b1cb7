"""Records of `recalls`: cleared pieces that must not go out any more."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.values import Channel, Code, Id, Many, Model, RecipientId, Version, ZonedTime


class Recall(Model):
    """A cleared piece that must not go out any more.

    `decision_id`: the decision that cleared it. `recall_id`: derives from that id alone, so a repeated recall counts
    once. `recipient_id`, `campaign_id`, `channel`, `event_id`, `mail_date`: of the send. `controller_id`: too; recalls
    before 0.4.0 have none. `at`: when. `reasons`: why the clearance no longer holds; empty if a person called the piece
    back.
    """

    v: Version
    recall_id: Id
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    event_id: Id
    at: ZonedTime
    reasons: Annotated[Many[Code], Field(max_length=64)] = ()
    mail_date: ZonedTime | None = None
    controller_id: Id | None = None
