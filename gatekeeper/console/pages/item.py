"""The page of one item: reasons for the verdict, facts at the time of decision, remedies, and acts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response

from gatekeeper.audit.explanation.wording import FactLine, Wording
from gatekeeper.audit.tlog import merkle
from gatekeeper.console import filters, forms, given_reasons
from gatekeeper.console.inquiries import by_time
from gatekeeper.console.session import Denied, Session, Viewer
from gatekeeper.console.state import Console, console
from gatekeeper.console.typed import Wrong
from gatekeeper.console.view import language, page, told
from gatekeeper.ground import times
from gatekeeper.ground.times import clock, instant
from gatekeeper.identity import too_much
from gatekeeper.index import items
from gatekeeper.review.actions import GOOD, ActRequest, remedies
from gatekeeper.review.review_item import Item, proof_of
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.decision import Decision
from schemas.events import Send
from streams.client.reader import Reader

router = APIRouter()
CLAIM_MS = 15 * 60_000
"""Time for which a claim is shown; a claim is a soft lease and keeps nobody from acting."""
REVEAL_MS = 5 * 60_000
"""Time for which one reveal shows contact details."""
KEYS = {kind: row.key for kind, row in ACT_KINDS.items() if row.key}
CURES = {"confirm": "ask", "review": "release", "block": "uphold"}
"""The act that ends most items with a verdict."""
SAFE = ("uphold", "claim")
"""Acts that let nothing out: the button of the first possible one stands out where no other cures the item."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Act offered to the user, with its shortcut key; `why_not`: why this item does not allow the act, else None."""

    kind: str
    key: str
    why_not: str | None
    needs_reason: bool
    needs_evidence: bool


@router.get("/items/{id_}")
def shown(request: Request, session: Viewer, id_: str, after: str = "", reveal: str = "") -> Response:
    """The page of one item. `after`: id of the act just done. `reveal`: id of the act that shows contact details."""
    return item_page(request, session, id_, written=filters.written(request), after=after, reveal=reveal)


def item_page(
    request: Request,
    session: Session,
    id_: str,
    *,
    written: str,
    after: str = "",
    reveal: str = "",
    status: int = 200,
    wrong: Wrong | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    """The page of one item. `wrong`: what is wrong with a form. `typed`: the text typed into that form."""
    held, now = console(request), console(request).now()
    lang = language(request)
    with held.model.read() as db:
        item = visible(db, session, id_)
        decision = items.decision(db, id_)
        proof = items.record(db, id_)
        doings = items.doings(db, id_)
        words = given_reasons.places(db, [doing.act_id for doing in doings])
        before = _before(db, session, after)
        registered = held.registrations.now(db)
        names = registered.names(lang)
        earlier, later = filters.search(request, written).neighbours(db, item) if written else (None, None)
        cursor = held.model.cursor()
    offers = _offers(item, session, now, lang, under_way=items.under_way(doings), template=registered.may_ask)
    policy = registered.packs(held.settings.policy).at(now)
    asks = any(offer.kind == "ask" and not offer.why_not for offer in offers)
    record = orjson.loads(proof["value"]) if proof else None
    facts = (record or {}).get("facts") or {}
    delivery, masked_in = _revealed(held, session, item, reveal, now) if reveal else (None, 0)
    return page(
        request,
        "item",
        status=status,
        address=f"/items/{id_}?{written}",
        item=item,
        due=item.due(held.zone()),
        now=now,
        decision=decision,
        remedies={reason.code: remedies(reason, item) for reason in decision.reasons},
        names=names,
        forms=list(forms.shown(facts, registered.of_kind("notice"), item.purpose, held.settings.forms)),
        earlier=earlier,
        later=later,
        line=by_time(_history(facts, item, Wording(lang, names)), held.zone()),
        under_way=items.under_way(doings),
        words=held.words(words),
        doings=[
            (doing, clock(doing.at, held.zone()), told(doing.outcome, doing.code, lang), proof_of(doing, lang))
            for doing in doings
        ],
        claimed=claimed(item, now),
        ask_late=item.answer_too_late(policy, now) if asks else None,
        offers=offers,
        first=_first(item, offers),
        proof=proof,
        leaf=merkle.root([proof["value"]]).hex() if proof else None,
        delivery=delivery,
        too_much=_too_much(decision, delivery),
        masked_in=-(-masked_in // 1000),
        revealing=reveal,
        run=uuid4().hex[:12],
        filter=written,
        before=before,
        before_says=told(before[1].outcome, before[1].code, lang) if before and before[1] else None,
        good=GOOD,
        undone=[kind for kind, row in ACT_KINDS.items() if row.undoable],
        after=after,
        wrong=wrong,
        typed=typed or {"reason": "", "evidence": ""},
        cursor=cursor,
    )


def visible(db: sqlite3.Connection, session: Session, id_: str) -> Item:
    """An item that this user may see; raises Denied (404) for any other, as for one that does not exist."""
    item = items.one(db, id_)
    if item is None or not session.may("see", item):
        raise Denied("error.item_unknown", 404)
    return item


@router.get("/forms/{hash_}")
def form(request: Request, session: Viewer, hash_: str) -> Response:
    """The picture of a form by its hash."""
    picture = forms.picture(console(request).settings.forms, hash_)
    if picture is None:
        raise Denied("page.form_missing", 404)
    return Response(picture[0], media_type=picture[1])


@router.get("/items/{id_}/audit.json")
def proof(request: Request, session: Viewer, id_: str) -> Response:
    """The exact bytes of the audit record, which are a leaf of its manifest's tree."""
    with console(request).model.read() as db:
        record = items.record(db, id_)
    about = orjson.loads(record["value"]) if record else {}
    if record is None or not session.access.covers("see", about.get("controller"), about.get("campaign")):
        raise Denied("error.item_unknown", 404)
    headers = {"Content-Disposition": f'attachment; filename="{record["did"]}.json"'}
    return Response(record["value"], media_type="application/json", headers=headers)


def _too_much(decision: Decision, revealed: Send | str | None) -> tuple[str, ...]:
    """The printed text that is too much by PRINT_UNACCOUNTED, while contact details are shown (rule 8.4.57)."""
    if not isinstance(revealed, Send) or revealed.delivery is None:
        return ()
    unaccounted = any(reason.code == "PRINT_UNACCOUNTED" and not reason.facts for reason in decision.reasons)
    return too_much(revealed.delivery) if unaccounted else ()


def _history(facts: dict[str, Any], item: Item, tell: Wording) -> list[FactLine]:
    """The facts known of the person at the decision, then the decision itself."""
    lines = [line for line in tell.facts(facts, item.source) if facts.get(line.kind)] if facts else []
    return [*lines, FactLine("decided", instant(item.seen), tell.say(f"verdict_{item.verdict}"))]


def _offers(item: Item, session: Session, now: int, lang: Any, *, under_way: bool, template: bool) -> list[Offer]:
    """The acts offered to this user; evidence and reason are assumed, since they are not typed yet."""
    offers = []
    for kind, row in ACT_KINDS.items():
        if not row.key or not session.may(kind, item):
            continue
        call = ActRequest(kind, session.user, "-", "x", "run", instant(now), bulk=1, template=template)
        code = call.refusal(item, under_way=under_way)
        if code == row.closed != "closed":
            continue  # there is nothing to undo or to approve
        evidence = kind == "release" and replace(call, evidence=None).refusal(item) == "evidence"
        why_not = told("refused", code, lang) if code else None
        offers.append(Offer(kind, row.key, why_not, row.needs_reason, evidence))
    first = _first(item, offers)
    return sorted(offers, key=lambda offer: (offer.kind != first, ACT_KINDS[offer.kind].lets_out))


def possible(item: Item, session: Session, now: int, *, template: bool) -> list[str]:
    """The acts that this user may do about an item now, and that its state allows. `template`: as of ActRequest."""
    kinds = []
    for kind in KEYS:
        call = ActRequest(kind, session.user, "-", "x", "run", instant(now), bulk=1, template=template)
        if session.may(kind, item) and call.refusal(item) is None:
            kinds.append(kind)
    return kinds


def _first(item: Item, offers: list[Offer]) -> str | None:
    """The act whose button stands out: what cures the item, else a safe one; never one that lets mail out."""
    wanted = ("redecide",) if item.state == "undone" else (CURES.get(item.verdict), *SAFE)
    ready = {offer.kind for offer in offers if not offer.why_not and not ACT_KINDS[offer.kind].lets_out}
    return next((kind for kind in wanted if kind in ready), None)


def claimed(item: Item, now: int) -> str | None:
    """The user with a current claim on an item, None without a claim within CLAIM_MS."""
    if item.state != "open" or item.by is None or item.at is None:
        return None
    return item.by if now - times.span(item.at, "UTC").first // 1000 < CLAIM_MS else None


def _before(db: sqlite3.Connection, session: Session, after: str) -> tuple[Item, Any] | None:
    """The item acted on just before, and that act with its outcome."""
    id_ = after.rpartition(".")[2]
    item = items.one(db, id_) if after else None
    return (item, items.answer(db, id_, after)) if item and session.may("see", item) else None


def _revealed(held: Console, session: Session, item: Item, act_id: str, now: int) -> tuple[Send | str, int]:
    """The send with contact details, and the milliseconds left to show them, once the reveal is on record.

    Otherwise the key of a sentence, and 0. Contact details are read from `review` each time and stored nowhere.
    """
    with held.model.read() as db:
        act = items.answer(db, item.id, act_id)
    if act is None or act.outcome is None:
        return "reveal_waits", 0
    left = REVEAL_MS - (now - times.span(act.at, "UTC").first // 1000)
    if act.kind != "reveal" or act.outcome != "recorded" or act.by != (session.user,) or left <= 0:
        return "reveal_over", 0
    with Reader(held.settings) as reader:
        record = reader.at("review", partition=item.place.partition, offset=item.place.offset)
    return (Send.model_validate_json(record.value or b""), left) if record else ("reveal_gone", 0)
