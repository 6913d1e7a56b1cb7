"""Judges a waiting item again by the gate itself, when more is known about its person."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gatekeeper.engine import asks, rejudging
from gatekeeper.engine.act import ActRecord, Answer, answered, failed
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.item import KEPT_MS, ReviewRecord
from gatekeeper.engine.item_acts import AWAITS, done, item_of
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.ground.times import instant
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry, ItemState
from schemas.events import ItemAct, ReviewPlace
from schemas.record import Record

ITSELF = "gatekeeper"
"""Actor of a redecision that the gate makes by itself: the person has answered, or the facts are known now."""


class Reconsidered(NamedTuple):
    """Result of reconsidering a waiting item: the record to write, if any, else the reasons that withhold it now."""

    judged: Judged | None = None
    codes: tuple[str, ...] = ()


NOTHING = Reconsidered()


def reconsider(now: Moment, item: Record) -> Reconsidered:
    """The result of judging a waiting item again, when more is known about the person. Never raises.

    This is the redecision that a colleague could ask for, made by the gate itself. An item that waits for an answer may
    get the redecision. It does so only if that clears the send or ends a release of its key. An item withheld for late
    or unreadable facts gets it with any verdict once these facts are known. That closes it. A defect of ours is written
    too and leaves the item to a colleague. Otherwise the item would come up at every change. Nothing is written if
    `item`, a record of `review`, does not wait, or if its campaign was cancelled since.
    """
    owner, name = (item.key or b"").decode(), dict(item.headers).get("gate-decision-id", b"").decode()
    standing = now.ledger.standing(owner, name)
    if standing is None or standing.offset is None:
        return NOTHING
    rejudged = standing.rejudge is not None and now.at < standing.rejudge
    if standing.rejudge is not None and not rejudged and not asks.answered(now.store, now.ledger, owner):
        return NOTHING
    withheld, asked, cause = None, ActRecord.own(item), _cause(item, standing)
    try:
        if (withheld := item_of(item)) is None:
            return NOTHING
        if now.ledger.marks.cancelled_at(withheld.send.campaign_id, withheld.send.channel) >= withheld.at:
            return NOTHING
        asked = ActRecord.own(item, _act(item, withheld, act_id=cause.id, at=now.at))
        return _reconsidered(now, asked, cause, withheld, standing, rejudged=rejudged)
    except Exception as error:
        left = _left(owner, name, standing, until=withheld.until if withheld else now.at + KEPT_MS)
        return Reconsidered(failed(now, asked, error, entries=lambda: (left,), cause=cause, item=name))


def _reconsidered(
    now: Moment, asked: ActRecord, cause: Cause, withheld: ReviewRecord, standing: ItemState, *, rejudged: bool
) -> Reconsidered:
    answer = replace(done(now, asked, cause, withheld), cause=cause)
    if answer.evaluation is None:
        return NOTHING
    if answer.outcome == "cleared":
        return Reconsidered(answered(now, asked, answer))
    decision, ended = answer.evaluation.decision, answer.evaluation.ended_releases()
    codes = decision.codes if answer.outcome == "withheld" else ()  # an item that waits is reported when the wait ends
    if rejudged and answer.outcome == "withheld" and not rejudging.waits_on(withheld, decision):
        return Reconsidered(answered(now, asked, answer), codes)
    if not ended:
        return Reconsidered(None, codes)
    cause = _cause(asked, standing, *(entry.key for entry in ended))
    asked = ActRecord.own(asked, _act(asked, withheld, act_id=cause.id, at=now.at))
    waits = Answer("refused", AWAITS, answer.evaluation, entries=ended, cause=cause)
    return Reconsidered(answered(now, asked, waits), codes)


def _cause(item: Record, standing: ItemState, *ended: bytes) -> Cause:
    """The cause of the gate's own act about an item. Each question ends once, and each release ends once.

    `ended`: the keys of the releases that end while the item keeps waiting.
    """
    which = "/".join((standing.act_id or "-", *(key.rpartition(b"/")[2].decode() for key in ended)))
    return Cause.of(item, "act", which)


def _act(item: Record, withheld: ReviewRecord, *, act_id: str, at: int) -> ItemAct:
    return ItemAct(
        v=1,
        kind="redecide",
        act_id=act_id,
        at=instant(at),
        by=ITSELF,
        recipient_id=withheld.send.recipient_id,
        campaign_id=withheld.send.campaign_id,
        channel=withheld.send.channel,
        decision_id=withheld.did,
        review=ReviewPlace(partition=item.partition, offset=item.offset),
    )


def _left(recipient_id: str, item: str, standing: ItemState, *, until: int) -> Entry:
    """The entry of an item that still waits and that the gate no longer judges by itself."""
    return entries.act(recipient_id, item, replace(standing, offset=None, rejudge=None), until=until)
