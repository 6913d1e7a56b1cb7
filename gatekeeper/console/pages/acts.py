"""Writes an act about one item, which the worker answers. The page goes on to the next item of the filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from gatekeeper.console import filters, own_signature
from gatekeeper.console.pages.item import item_page, visible
from gatekeeper.console.session import Denied, Form, Session, may
from gatekeeper.console.signings import SaidBefore
from gatekeeper.console.state import Console, console
from gatekeeper.console.typed import UNFIT, Wrong
from gatekeeper.console.view import language, told
from gatekeeper.engine.release_count import HOUR_MS
from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.ground.words import narrow
from gatekeeper.index import items
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.review.actions import ActRequest, ReviewAct
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import ACT_KINDS
from streams.client.passkey_prompt import PasskeySignatory
from streams.client.signatory import Signatory
from streams.operations import reviews

router = APIRouter()
KINDS = frozenset(kind for kind, row in ACT_KINDS.items() if row.about == "item")
Actor = Annotated[Session, Depends(may(*KINDS))]
"""A user who may do some act about an item."""
_RUN = re.compile(r"[A-Za-z0-9]{1,24}")


@router.post("/items/{id_}/acts")
def act(request: Request, session: Actor, form: Form, id_: str) -> Response:
    """Writes an act about an item, or says why the act is not possible. The form keeps the typed text."""
    held, written = console(request), field(form, "filter")
    call = call_of(held, session, form)
    with held.model.read() as db:
        item = visible(db, session, id_)
        answer = items.answer(db, id_, call.act_id(id_))
        under_way = items.under_way(items.doings(db, id_))
        registered = held.registrations.now(db)
        released = items.released(db, session.user, instant(held.now() - HOUR_MS))
    call = replace(call, template=registered.may_ask)
    policy = registered.packs(held.settings.policy).at(held.now())
    if not session.may(call.kind, item):
        raise session.denied(call.kind)
    if answer is None:
        wrong = why_not(call, item, language(request), under_way=under_way)
        if wrong:
            typed = {"reason": call.reason, "evidence": call.evidence or ""}
            return item_page(request, session, id_, written=written, status=422, wrong=wrong, typed=typed)
        if own_signature.needed(session, call, [item], policy, released):
            says = SaidBefore(call.kind, items=[item], command=f"gatekeeper {ACT_KINDS[call.kind].command}")
            back = f"/items/{id_}?{written}"
            return asking(request, session, [(call, item)], says, lambda: _after(request, call, item, written), back)
        write(held, session, [(call, item)])
    return RedirectResponse(_after(request, call, item, written), 303)


def asking(
    request: Request,
    session: Session,
    calls: list[tuple[ActRequest, Item]],
    says: SaidBefore,
    after: Callable[[], str],
    back: str,
) -> Response:
    """Leads to the page that takes the person's own signature of these acts, before they are written.

    `after`: the address of the page after them. `back`: that of the page before.
    """
    held = console(request)
    acts = [call.dated(instant(held.now())).act(item) for call, item in calls]

    def signed(signatory: PasskeySignatory) -> str:
        _write(held, acts, signatory)
        return after()

    call = calls[0][0]
    says = replace(says, reason=call.reason, evidence=call.evidence or "")
    return own_signature.ask(held, session, map(reviews.outgoing, acts), says, write=signed, back=back)


def _after(request: Request, call: ActRequest, item: Item, written: str) -> str:
    """The address of the page after an act: the next item of the filter, or this one."""
    held, act_id = console(request), call.act_id(item.id)
    if call.kind == "reveal":
        return _address(item.id, written, reveal=act_id)
    if ACT_KINDS[call.kind].states is None:  # it leaves the item as it is
        return _address(item.id, written, after=act_id)
    following = _next(held, filters.search(request, written), item) if written else None
    return _address(following or item.id, written, after=act_id)


def call_of(held: Console, session: Session, form: FormData) -> ActRequest:
    """The act that a form asks for.

    Raises Denied (403) for an act that this user may not do, and Denied (400) for an unknown act.
    """
    kind, run = field(form, "kind"), field(form, "run")
    if kind not in KINDS or not _RUN.fullmatch(run):
        raise Denied("page.request_bad", 400)
    session.demand(kind)
    evidence = narrow(field(form, "evidence")) or None
    return ActRequest(kind, session.user, field(form, "reason").strip(), evidence, run, instant(held.now()), bulk=1)


def field(form: FormData, name: str) -> str:
    """A field of a form, '' for a missing field."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def why_not(call: ActRequest, item: Item, lang: Any, *, under_way: bool) -> Wrong | None:
    """The fault of an act about this item now, None when the worker may accept it."""
    if ACT_KINDS[call.kind].needs_reason and not call.reason:
        return Wrong(text("page.needs_reason", lang), "reason")
    try:
        code = call.refusal(item, under_way=under_way)
    except UsageError as error:
        return unfitting(error, lang)
    return refused(code, lang) if code else None


def refused(code: str, lang: Any) -> Wrong:
    """The fault when the worker is bound to refuse an act with this code."""
    return Wrong(told("refused", code, lang), "evidence" if code == "evidence" else "")


def unfitting(error: UsageError, lang: Any) -> Wrong:
    """The fault when an act does not allow the value of a field."""
    key, name = UNFIT.get(str(error.values.get("option")), ("page.unfit_other", ""))
    return Wrong(text(key, lang), name)


def write(held: Console, session: Session, calls: list[tuple[ActRequest, Item]]) -> None:
    """Writes acts; raises IncompleteError (504) when Kafka did not acknowledge some, which may still be written."""
    _write(held, (call.dated(instant(held.now())).act(item) for call, item in calls), held.signatory(session))


def _write(held: Console, acts: Iterable[ReviewAct], signatory: Signatory) -> None:
    lost = 0
    for window in reviews.write(held.settings, acts, signatory):
        lost += sum(not acknowledged for _, acknowledged in window)
    if lost:
        raise IncompleteError("page.acts_unknown", count=lost)


def _next(held: Console, search: ItemSearch, item: Item) -> str | None:
    """The id of the next item of the search that has no pending act, None when there is none."""
    with held.model.read() as db:
        return search.after(db, item)


def _address(id_: str, written: str, **more: str) -> str:
    return f"/items/{id_}?" + "&".join(part for part in (written, filters.joined(more.items())) if part)
