"""The events that the gate posts to endpoints: ids, codes, places and times, and nothing about a person.

The envelope is that of Standard Webhooks: `type`, `timestamp`, `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from schemas.audit import ErrorKey
from schemas.values import Channel, Code, Count, Id, Instant, Many, Model, ZonedTime


class RecalledPiece(Model):
    """A cleared piece that must not go out any more.

    `recall_id`: the same for every copy of this recall. `decision_id`: the decision that cleared it. `event_id`,
    `campaign_id`, `channel`, `mail_date`: of the send. `reasons`: why the clearance no longer holds; empty if a person
    called the piece back.
    """

    recall_id: Id
    decision_id: Id
    event_id: Id
    campaign_id: Id
    channel: Channel
    reasons: Many[Code] = ()
    mail_date: ZonedTime | None = None


class DecidedCampaign(Model):
    """A campaign of which every send is decided that had arrived, and none has come for ten minutes.

    `last_send_at`: when its newest send arrived. `partition`, `offset`: the place of that send on `sends`.
    """

    campaign_id: Id
    last_send_at: Instant
    partition: Count
    offset: Count


class NearDeadline(Model):
    """Withheld sends of a campaign that are too late two days from now, unless somebody acts.

    `mail_date`: that of the sends. `due`: from then on they are too late. `waiting`: the number of sends that wait.
    """

    campaign_id: Id
    mail_date: ZonedTime
    due: Instant
    waiting: Count


class RefusedPartition(Model):
    """A partition whose worker does not go on.

    `reason`: the error, as `gatekeeper partition show` explains it. `since`: its beginning. `resumable`: a person ends
    it by `gatekeeper partition resume`; others end by themselves once their cause is gone.
    """

    partition: Count
    reason: ErrorKey
    since: Instant
    resumable: bool


class LateSeal(Model):
    """A sealed log that is behind the decisions, or cannot be read.

    `size`, `sealed_at`: the newest seal. `witnessed_size`, `witnessed_at`: the newest one that a witness cosigned, left
    out without one. `error`: why the log cannot be read; nothing else is known then.
    """

    size: Count | None = None
    sealed_at: Instant | None = None
    witnessed_size: Count | None = None
    witnessed_at: Instant | None = None
    error: ErrorKey | None = None


class TriedEndpoint(Model):
    """A trial by `gatekeeper webhooks try`, which says nothing of the gate. `endpoint`: its id in the file."""

    endpoint: Id


class RecallWebhook(Model):
    """A cleared piece is called back. `timestamp`: when it was."""

    type: Literal["recall"]
    timestamp: Instant
    data: RecalledPiece


class CampaignDecidedWebhook(Model):
    """All sends of a campaign are decided. `timestamp`: when that was seen."""

    type: Literal["campaign.decided"]
    timestamp: Instant
    data: DecidedCampaign


class DeadlineNearWebhook(Model):
    """Withheld sends wait, and their mail date is near. `timestamp`: when that was seen."""

    type: Literal["review.deadline_near"]
    timestamp: Instant
    data: NearDeadline


class PartitionRefusedWebhook(Model):
    """A partition is refused. `timestamp`: when that was seen."""

    type: Literal["partition.refused"]
    timestamp: Instant
    data: RefusedPartition


class SealLateWebhook(Model):
    """The seal is late. `timestamp`: when that was seen."""

    type: Literal["seal.late"]
    timestamp: Instant
    data: LateSeal


class TrialWebhook(Model):
    """A trial. `timestamp`: when it was sent."""

    type: Literal["trial"]
    timestamp: Instant
    data: TriedEndpoint


WebhookType = Literal["recall", "campaign.decided", "review.deadline_near", "partition.refused", "seal.late"]
"""The events that an endpoint can ask for; every endpoint takes a `trial` as well."""
WEBHOOK_TYPES: tuple[WebhookType, ...] = get_args(WebhookType)
WEBHOOKS: Mapping[str, type[Model]] = MappingProxyType(
    {
        "recall": RecallWebhook,
        "campaign.decided": CampaignDecidedWebhook,
        "review.deadline_near": DeadlineNearWebhook,
        "partition.refused": PartitionRefusedWebhook,
        "seal.late": SealLateWebhook,
        "trial": TrialWebhook,
    }
)
"""The model of each event by its type."""
WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
"""The headers of each request, by Standard Webhooks. The id is the same each time an event is posted."""
