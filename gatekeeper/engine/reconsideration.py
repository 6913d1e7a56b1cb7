"""An item that waits, judged again by the gate itself since more is known of its person."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gatekeeper.engine import asks, rejudging
from gatekeeper.engine.act import ActRecord, Answer, answered
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.failures import fingerprint
from gatekeeper.engine.item import KEPT_MS, ReviewRecord
from gatekeeper.engine.item_acts import AWAITS, done, item_of
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry, ItemState
from gatekeeper.times import instant
from schemas.events import ItemAct, ReviewPlace
from schemas.record import Record

ITSELF = "gatekeeper"
"""Who redecides a send whose person has answered, or whose facts are known now."""


class Reconsidered(NamedTuple):
    """What becomes of an item that waits: what is to be written, if anything, and else what withholds it now."""

    judged: Judged | None = None
    codes: tuple[str, ...] = ()


NOTHING = Reconsidered()


def reconsider(now: Moment, item: Record) -> Reconsidered:
    """Returns what becomes of an item that waits, judged again since more is known of the person.

    It is the redecision that a colleague could ask for, done by the gate itself. Of an item that waits for an
    answer it is written only where something comes of it: the send is cleared, or a hard fact ends a release of its
    key. Of one that late or unreadable facts withheld, it is written whatever the verdict is now that they are
    known, and closes that item. So is a defect of ours, which leaves the item to a colleague, or it would come
    again at every touch. Nothing is written where `item`, a record of `review`, does not wait (any more), or its
    campaign was cancelled since. Never raises.
    """
    owner, name = (item.key or b"").decode(), dict(item.headers).get("gate-decision-id", b"").decode()
    standing = now.memory.standing(owner, name)
    if standing is None or standing.offset is None:
        return NOTHING
    rejudged = standing.rejudge is not None and now.at < standing.rejudge
    if standing.rejudge is not None and not rejudged and not asks.answered(now.store, now.memory, owner):
        return NOTHING
    found, asked, cause = None, ActRecord.own(item), _cause(item, standing)
    try:
        if (found := item_of(item)) is None:
            return NOTHING
        if now.memory.cancelled_at(found.send.campaign_id, found.send.channel) >= found.at:
            return NOTHING
        asked = ActRecord.own(item, _act(item, found, act_id=cause.id, at=now.at))
        return _reconsidered(now, asked, cause, found, standing, rejudged=rejudged)
    except Exception as error:
        left = _left(owner, name, standing, until=found.until if found else now.at + KEPT_MS)
        code = f"{type(error).__name__}-{fingerprint(error)}"
        return Reconsidered(answered(now, asked, Answer("failed", code, entries=(left,), cause=cause), item=name))


def _reconsidered(
    now: Moment, asked: ActRecord, cause: Cause, found: ReviewRecord, standing: ItemState, *, rejudged: bool
) -> Reconsidered:
    answer = replace(done(now, asked, cause, found), cause=cause)
    if answer.evaluation is None:
        return NOTHING
    if answer.outcome == "cleared":
        return Reconsidered(answered(now, asked, answer))
    decision, ended = answer.evaluation.decision, answer.evaluation.ended_releases()
    codes = decision.codes if answer.outcome == "withheld" else ()  # one that waits is told when that ends
    if rejudged and answer.outcome == "withheld" and not rejudging.waits_on(found, decision):
        return Reconsidered(answered(now, asked, answer), codes)
    if not ended:
        return Reconsidered(None, codes)
    cause = _cause(asked, standing, *(entry.key for entry in ended))
    asked = ActRecord.own(asked, _act(asked, found, act_id=cause.id, at=now.at))
    waits = Answer("refused", AWAITS, answer.evaluation, entries=ended, cause=cause)
    return Reconsidered(answered(now, asked, waits), codes)


def _cause(item: Record, standing: ItemState, *ended: bytes) -> Cause:
    """The cause of what the gate does by itself about an item: one end a question, each release ends once.

    `ended`: the keys of the releases that it ends, while the item waits on.
    """
    which = "/".join((standing.act_id or "-", *(key.rpartition(b"/")[2].decode() for key in ended)))
    return Cause.of(item, "act", which)


def _act(item: Record, found: ReviewRecord, *, act_id: str, at: int) -> ItemAct:
    return ItemAct(
        v=1,
        kind="redecide",
        act_id=act_id,
        at=instant(at),
        by=ITSELF,
        recipient_id=found.send.recipient_id,
        campaign_id=found.send.campaign_id,
        channel=found.send.channel,
        decision_id=found.did,
        review=ReviewPlace(partition=item.partition, offset=item.offset),
    )


def _left(recipient_id: str, item: str, standing: ItemState, *, until: int) -> Entry:
    """The entry of an item that still waits, and that the gate no longer judges by itself."""
    return entries.act(recipient_id, item, replace(standing, offset=None, rejudge=None), until=until)
