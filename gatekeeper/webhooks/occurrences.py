"""The events that follow from the seal and from records of `recalls` and `audit`, and the outbox's tables for them.

Every function writes inside of `Outbox.change`. Times are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.engine.outputs import INFORMATIONAL
from gatekeeper.ground import times
from gatekeeper.ground.errors import UsageError
from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import Outbox, event_id
from schemas.codec import Unreadable, decode
from schemas.events import Recall
from schemas.record import Record
from schemas.topics import DAY_MS
from schemas.webhooks import (
    CampaignDecidedWebhook,
    DeadlineNearWebhook,
    DecidedCampaign,
    LateSeal,
    NearDeadline,
    RecalledPiece,
    RecallWebhook,
    SealLateWebhook,
)

QUIET_MS = 10 * 60_000
"""Milliseconds without a new send of a campaign, after which it counts as decided."""
NEAR_MS = 2 * DAY_MS
"""Milliseconds before sends are too late in which their deadline is near: from the day before their mail date."""
CLOSED = ("cleared", "withheld", "upheld", "undone", "recalled")
"""Outcomes of acts after which an item of the queue waits no more."""


class _InputPlace(msgspec.Struct, gc=False):
    partition: int
    offset: int
    timestamp: int


class _PrimaryCode(msgspec.Struct, gc=False):
    code: str


class _MailDate(msgspec.Struct, gc=False):
    mail_date: str | None = None


class _ActedItem(msgspec.Struct, gc=False):
    outcome: str
    item: str | None = None


class _DecidedSend(msgspec.Struct, gc=False):
    """The fields of an audit record that say which campaign it concerns, and whether a person must act."""

    did: str
    src: _InputPlace
    stage: str
    campaign: str | None
    verdict: str | None
    reasons: tuple[_PrimaryCode, ...]
    controller: str | None = None
    mode: str = "live"
    send: _MailDate | None = None
    act: _ActedItem | None = None


_READER = msgspec.json.Decoder(_DecidedSend)


def recalled(outbox: Outbox, record: Record, endpoints: Sequence[Endpoint], *, now: int) -> None:
    """Queues the event of a record of `recalls`; an unreadable one is passed over."""
    try:
        recall = decode("recalls", record.key, record.value)
    except Unreadable:
        return
    assert isinstance(recall, Recall)
    names = RecalledPiece.model_fields
    data = RecalledPiece(**{name: getattr(recall, name) for name in names})
    at = times.instant(times.span(recall.at, "UTC").first // 1000)
    event = RecallWebhook(type="recall", timestamp=at, data=data)
    outbox.put(
        event,
        event_id("recall", recall.recall_id, recall.event_id),  # a place on `sends` may have had another send before
        endpoints,
        now=now,
        campaign=recall.campaign_id,
        companies=(recall.controller_id,),
    )


def audited(outbox: Outbox, record: Record, *, zone: str, now: int) -> None:
    """Counts a record of `audit`: the newest send of its campaign, and the items that wait for people."""
    try:
        audit = _READER.decode(record.value or b"")
        due = _due(audit, zone)
    except (*FOREIGN, msgspec.MsgspecError):  # not a worker's record
        return
    if audit.campaign is None or audit.mode != "live":
        return
    if audit.stage == "intake":
        place = audit.src
        outbox.db.execute(
            "INSERT INTO campaign VALUES (?, ?, ?, ?, NULL) ON CONFLICT (id) DO UPDATE SET last = excluded.last,"
            " part = excluded.part, offset = excluded.offset"
            " WHERE (excluded.last, excluded.part, excluded.offset) > (last, part, offset)",
            (audit.campaign, place.timestamp, place.partition, place.offset),
        )
        outbox.db.execute("INSERT OR IGNORE INTO company VALUES (?, ?)", (audit.campaign, audit.controller or ""))
    if audit.act is not None and audit.act.outcome in CLOSED:
        outbox.db.execute("DELETE FROM item WHERE id = ?", (audit.act.item,))
    if due is not None and due > now and audit.send is not None:
        row = (audit.did, audit.campaign, audit.send.mail_date, due)
        outbox.db.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?)", row)


def _due(audit: _DecidedSend, zone: str) -> int | None:
    """The time after which a withheld send is too late. None without one, or if nobody can act on it."""
    new = audit.stage == "intake" or (audit.act is not None and audit.act.outcome == "withheld")
    if not new or audit.verdict not in ("confirm", "review") or audit.send is None or audit.send.mail_date is None:
        return None
    if tuple(reason.code for reason in audit.reasons) == INFORMATIONAL:
        return None
    return times.span(audit.send.mail_date, zone).last // 1000 + 1


def quiet(outbox: Outbox, *, begun: int, now: int) -> bool:
    """True if a campaign is quiet, and no event has told yet that its sends are decided."""
    query = "SELECT 1 FROM campaign WHERE last >= ? AND last + ? <= ? AND told IS NOT last"
    return outbox.db.execute(query, (begun, QUIET_MS, now)).fetchone() is not None


def decided(outbox: Outbox, endpoints: Sequence[Endpoint], *, begun: int, horizon: int, now: int) -> None:
    """Queues an event for each campaign whose sends are all decided. `horizon`: all sends before it are."""
    rows = outbox.db.execute(
        "SELECT id, last, part, offset FROM campaign WHERE last >= ? AND last + ? <= ? AND told IS NOT last",
        (begun, QUIET_MS, horizon),
    ).fetchall()
    for campaign, last, part, offset in rows:
        data = DecidedCampaign(campaign_id=campaign, last_send_at=times.instant(last), partition=part, offset=offset)
        event = CampaignDecidedWebhook(type="campaign.decided", timestamp=times.instant(now), data=data)
        id_, companies = event_id(event.type, campaign, part, offset, last), outbox.companies(campaign)
        outbox.put(event, id_, endpoints, now=now, campaign=campaign, companies=companies)
        outbox.db.execute("UPDATE campaign SET told = last WHERE id = ?", (campaign,))


def near(outbox: Outbox, endpoints: Sequence[Endpoint], *, now: int) -> None:
    """Queues an event for each campaign and mail date that is near, if sends wait. New sends make another event.

    It waits until no send of the campaign has come for QUIET_MS, so that its number is no mere beginning.
    """
    rows = outbox.db.execute(
        "SELECT campaign, mail_date, item.due, count(*), part, offset, last FROM item"
        " JOIN campaign ON campaign.id = campaign"
        " WHERE item.due > ?1 AND item.due <= ?1 + ?2 AND last + ?3 <= ?1 GROUP BY campaign, mail_date",
        (now, NEAR_MS, QUIET_MS),
    ).fetchall()
    for campaign, mail_date, due, waiting, part, offset, last in rows:
        if not outbox.news(f"deadline/{campaign}/{mail_date}", f"{part}/{offset}/{last}", now=now):
            continue
        data = NearDeadline(campaign_id=campaign, mail_date=mail_date, due=times.instant(due), waiting=waiting)
        event = DeadlineNearWebhook(type="review.deadline_near", timestamp=times.instant(now), data=data)
        id_ = event_id(event.type, campaign, mail_date, part, offset, last)
        companies = outbox.companies(campaign)
        outbox.put(event, id_, endpoints, now=now, campaign=campaign, companies=companies)


def sealed(outbox: Outbox, seal: SealStatus, endpoints: Sequence[Endpoint], *, decided: int | None, now: int) -> None:
    """Queues the event of a late seal, once for each. So it does for each reason why the log cannot be read.

    `decided`: the time of the newest decision. Nothing is told while a key or setting of this machine is wrong, because
    the seal cannot be known then.
    """
    if isinstance(seal.error, UsageError):
        return
    if not seal.late(decided=decided, now=now) and seal.error is None:
        outbox.news("seal", "", now=now)
        return
    size, at = seal.witnessed or (None, None)
    data = LateSeal(
        size=None if seal.error else seal.size,
        sealed_at=None if seal.error else times.instant(seal.at),
        witnessed_size=size,
        witnessed_at=None if at is None else times.instant(at),
        error=seal.error.key if seal.error else None,
    )
    event = SealLateWebhook(type="seal.late", timestamp=times.instant(now), data=data)
    if outbox.news("seal", f"{data.error}/{data.sealed_at}", now=now):
        # an unreadable log has no time of its own: each beginning of that is a fact
        fact = (data.error, now) if data.error else (data.size, data.sealed_at)
        outbox.put(event, event_id(event.type, *fact), endpoints, now=now)
