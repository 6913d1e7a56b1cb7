"""One act about all items of a filter or a selection: preview, confirmation, and the result of each item."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console import ask_draft, choices, filters, own_signature
from gatekeeper.console.bulk_runs import BulkRun
from gatekeeper.console.pages.acts import Actor, asking, call_of, field, refused, unfitting, write
from gatekeeper.console.session import Denied, Form, Session, Viewer
from gatekeeper.console.signings import SaidBefore
from gatekeeper.console.state import console
from gatekeeper.console.typed import Wrong
from gatekeeper.console.view import language, page, told
from gatekeeper.engine.release_count import HOUR_MS
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.ground.words import narrow
from gatekeeper.index import items
from gatekeeper.review.actions import GOOD, SAMPLES, TYPED_ABOVE, ActRequest, ActResult
from gatekeeper.review.review_item import ActOnItem, Item
from gatekeeper.staff.act_kinds import ACT_KINDS

router = APIRouter()
MAX_ITEMS = 20_000
"""The largest number of items in one bulk act."""
SHOWN = 500
"""The number of rows shown of a run; once all are answered, those that failed come first."""


@router.get("/bulk")
def ask(request: Request, session: Actor, kind: str = "") -> Response:
    """The preview: number of items, samples, refusals, and the form to confirm."""
    if kind not in choices.ACTS:
        raise Denied("page.request_bad", 400)
    session.demand(kind)
    return _preview(request, session, kind, filters.written(request), console(request).model.cursor())


@router.post("/bulk")
def do(request: Request, session: Actor, form: Form) -> Response:
    """Writes the acts about the items shown; items that arrived after the preview are not included."""
    held, lang = console(request), language(request)
    call, written, shown = call_of(held, session, form), field(form, "filter"), field(form, "until")
    if call.kind not in choices.ACTS:
        raise Denied("page.request_bad", 400)
    generation, _, until = shown.partition("-")
    if generation != held.model.generation or not until.isdecimal():
        stale = Wrong(text("page.bulk_stale", lang))
        return _preview(request, session, call.kind, written, held.model.cursor(), wrong=stale)
    with held.model.read() as db:
        registered = held.registrations.now(db)
    call = replace(call, template=registered.may_ask)
    todo, rows = _split(request, call, written, int(until))
    count = field(form, "count")
    confirmed = int(count) if count.isdecimal() and len(count) <= len(str(MAX_ITEMS)) else 0
    wrong = None
    try:
        if todo:
            call.act(todo[0])
    except UsageError as error:
        wrong = unfitting(error, lang)
    if ACT_KINDS[call.kind].needs_reason and not call.reason:
        wrong = Wrong(text("page.needs_reason", lang), "reason")
    elif any(row.code == "evidence" for row in rows.values()):
        wrong = refused("evidence", lang)
    elif len(todo) > confirmed:
        wrong = Wrong(text("page.bulk_stale", lang))
    elif confirmed > TYPED_ABOVE and narrow(field(form, "typed")).replace(",", "") != count:
        wrong = Wrong(text("page.bulk_type", lang, count=count), "typed")
    if wrong:
        typed = {"reason": call.reason, "evidence": call.evidence or ""}
        return _preview(request, session, call.kind, written, shown, wrong=wrong, typed=typed, run=call.run)
    with held.model.read() as db:
        known = items.run(db, call.run)
        released = items.released(db, session.user, instant(held.now() - HOUR_MS))
    policy = registered.packs(held.settings.policy).at(held.now())
    # `bulk` is the confirmed number, also when the same form is sent again for the remaining items
    call = replace(call, bulk=max(confirmed, len(known.keys() | {item.id for item in todo})))
    left = [item for item in todo if item.id not in known]
    calls = [(call, item) for item in left]

    def after() -> str:
        held.runs.put(BulkRun(call.run, call.kind, session.user, rows, written))
        return f"/runs/{call.run}"

    if own_signature.needed(session, call, left, policy, released):
        says = SaidBefore(call.kind, count=len(left), items=left, command=f"gatekeeper {ACT_KINDS[call.kind].command}")
        return asking(request, session, calls, says, after, _address(written, call.kind))
    address = after()  # the run is there before its acts, so that nobody who follows it is told that it is unknown
    write(held, session, calls)
    return RedirectResponse(address, 303)


@router.get("/runs/{name}")
def run(request: Request, session: Viewer, name: str) -> Response:
    """The result of each item of a run, as far as the worker has answered."""
    held, lang = console(request), language(request)
    kept = held.runs.get(name)
    with held.model.read() as db:
        written = items.run(db, name)
        cursor = held.model.cursor()
        rows = {**(kept.rows if kept else {}), **{id_: _result(id_, doing) for id_, doing in written.items()}}
        seen = items.seen(db, session.access, rows)
    rows = {id_: row for id_, row in rows.items() if id_ in seen}
    if not rows and not (kept and kept.by == session.user):
        raise Denied("page.run_unknown", 404)
    proposed = filters.joined((("state", "proposed"), ("run", name)))
    waiting = sum(row.outcome is None for row in rows.values())
    order = list(rows.values())
    if not waiting:  # sorting earlier would move rows while somebody reads them
        order.sort(key=lambda row: row.outcome in GOOD)
    with held.model.read() as db:
        to_approve = filters.search(request, proposed).count(db)
        about = items.some(db, [row.id for row in order[:SHOWN]])
        names = held.registrations.now(db).names(lang)
    counts = Counter((row.outcome, told(row.outcome, row.code, lang)) for row in rows.values())
    return page(
        request,
        "run",
        good=GOOD,
        kind=kept.kind if kept else next(iter(written.values())).kind,
        rows=[(row, about.get(row.id), told(row.outcome, row.code, lang)) for row in order[:SHOWN]],
        names=names,
        more=max(0, len(order) - SHOWN),
        proposed=proposed,
        to_approve=to_approve,
        counts=counts.most_common(),
        done=sum(row.outcome in GOOD for row in rows.values()),
        failed=sum(row.outcome not in GOOD for row in rows.values()) - waiting,
        waiting=waiting,
        total=len(rows),
        filter=kept.filter if kept else "",
        cursor=cursor,
        refresh=2 if waiting else None,
    )


def _result(id_: str, doing: ActOnItem) -> ActResult:
    return ActResult(id_, doing.act_id, doing.outcome, doing.code, doing.did)


def _preview(
    request: Request,
    session: Session,
    kind: str,
    written: str,
    until: str,
    *,
    wrong: Wrong | None = None,
    typed: dict[str, str] | None = None,
    run: str | None = None,
) -> Response:
    held, lang = console(request), language(request)
    with held.model.read() as db:
        registered = held.registrations.now(db)
    call = ActRequest(kind, session.user, "-", "x", "run", instant(held.now()), template=registered.may_ask)
    todo, rows = _split(request, call, written, int(until.partition("-")[2]))
    cannot = Counter(told("refused", row.code, lang) for row in rows.values() if row.outcome == "refused")
    with held.model.read() as db:
        proof = items.record(db, todo[0].id) if kind == "ask" and todo else None
    policy = registered.packs(held.settings.policy).at(held.now())
    record, most = orjson.loads(proof["value"]) if proof else None, policy.four_eyes_bulk
    return page(
        request,
        "bulk",
        status=422 if wrong else 200,
        address=_address(written, kind),
        kind=kind,
        count=len(todo),
        samples=todo[:SAMPLES],
        late=sum(item.answer_too_late(policy, held.now()) is not None for item in todo) if kind == "ask" else 0,
        names=registered.names(lang),
        draft=ask_draft.drafted(record, registered, policy, at=held.now(), blank=text("page.draft_code", lang)),
        cannot=cannot.most_common(),
        filter=written,
        until=until,
        needs_reason=ACT_KINDS[kind].needs_reason,
        needs_evidence=kind == "release" and any(replace(call, evidence=None).refusal(item) for item in todo),
        needs_typing=len(todo) > TYPED_ABOVE,
        most=most if ACT_KINDS[kind].signers > 1 and most is not None and len(todo) > most else None,
        partly=sum(bool(item.staying) for item in todo) if kind == "release" else 0,
        run=run or uuid4().hex[:12],
        wrong=wrong,
        typed=typed or {"reason": "", "evidence": ""},
    )


def _address(written: str, kind: str) -> str:
    return "/bulk?" + "&".join(part for part in (written, f"kind={kind}") if part)


def _split(request: Request, call: ActRequest, written: str, until: int) -> tuple[list[Item], dict[str, ActResult]]:
    """The items to act on, and a row for each item found; raises Denied (400) for more than MAX_ITEMS."""
    search = filters.search(request, written, kind=call.kind, until=until)
    with console(request).model.read() as db:
        if search.count(db) > MAX_ITEMS:
            raise Denied("page.bulk_large", 400)
        matching = list(search.items(db))
    todo, rows = [], {}
    for item in matching:
        row = rows[item.id] = ActResult(item.id, call.act_id(item.id))
        try:
            code = call.refusal(item)
        except UsageError:
            code = None  # the form is wrong, not the item: the caller reports it
        if code:
            row.outcome, row.code = "refused", code
        else:
            todo.append(item)
    return todo, rows
