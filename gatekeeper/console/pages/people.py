"""Pages that look up a letter by inquiry code or a person by id, and record a person's withdrawal."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from gatekeeper.audit.explanation.trail_search import SearchTerm
from gatekeeper.audit.records import inquiry
from gatekeeper.console import inquiries
from gatekeeper.console.pages.acts import field
from gatekeeper.console.proofs import proven_chapters
from gatekeeper.console.session import Denied, Form, Session, Viewer, may
from gatekeeper.console.state import console
from gatekeeper.console.typed import UNFIT, Wrong
from gatekeeper.console.view import language, page
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text
from gatekeeper.ground.words import Words, narrow
from gatekeeper.index import record_places as index
from gatekeeper.letters.paper import answered, css
from schemas.values import RecipientId
from streams.client.reader import Reader
from streams.operations import withdrawals

router = APIRouter()
_ID = TypeAdapter(RecipientId)
_PLACE = re.compile(r"(\d{1,9})\.(\d{1,18})")


Everywhere = Annotated[Session, Depends(may("see", everywhere=True))]
"""A user who may see all controllers: a person's history, and a stop, belong to no single one."""
Stopper = Annotated[Session, Depends(may("withdraw", everywhere=True))]


def looking(request: Request, session: Viewer) -> Session:
    """The session of a user who looks up a letter or a person; raises Denied (429) after too many look-ups."""
    if console(request).looks.full(session.user):
        raise Denied("page.too_many", 429)
    return session


Looking = Annotated[Session, Depends(looking)]


@router.get("/people")
def ask(request: Request, session: Viewer) -> Response:
    """The forms to look up a letter or a person."""
    return page(request, "people", wrong=None)


@router.post("/people")
def sought(request: Request, session: Looking, form: Form) -> Response:
    """Redirects to the letter or person typed. The text enters an address only after it proves a code or an id."""
    code, recipient = field(form, "code").strip(), field(form, "recipient").strip()
    try:
        address = f"/letters/{_printed(_start(code))}" if code else f"/people/{_named(recipient)}"
    except UsageError as error:
        sentence = Words(language(request), console(request).zone()).said(error)
        return page(request, "people", status=422, wrong=Wrong(sentence, "code" if code else "recipient"))
    return RedirectResponse(address, 303)


@router.get("/letters/{code}")
def letter(request: Request, session: Looking, code: str) -> Response:
    """The colleague's page on a letter's decision, or a choice when one code matches several letters."""
    held = console(request)
    cursor = held.model.cursor()
    mine, gone, dids = _mine(request, session, code)
    recipient, erased = _whose(request, mine[0], dids)
    if len(mine) > 1:
        return page(request, "letters", letters=mine, now=held.now(), cursor=cursor)
    return page(
        request,
        "letter",
        letter=mine[0],
        gone=gone,
        recipient=recipient if session.may_everywhere("see") else None,
        erased=erased,
        now=held.now(),
        typed={"reason": "", "evidence": ""},
        wrong=None,
        cursor=cursor,
    )


@router.get("/letters/{code}/paper")
def on_paper(request: Request, session: Looking, code: str) -> Response:
    """The letter that answers the customer, on paper; a choice when one code matches several letters.

    Raises Denied (404) for the letter of an erased person.
    """
    mine, _, dids = _mine(request, session, code)
    if len(mine) > 1:
        return page(request, "letters", letters=mine, now=console(request).now())
    if _whose(request, mine[0], dids)[1]:
        raise Denied("error.letter_erased", 404)
    return HTMLResponse(answered(mine[0].answer(), whole=False, fonts="/static/font.css"))


@router.get("/letters/{code}/proof")
def proof(request: Request, session: Looking, code: str) -> Response:
    """The proof of a letter's records with seal and witness; a choice when one code matches several letters."""
    mine, _, _ = _mine(request, session, code)
    if len(mine) > 1:
        return page(request, "letters", letters=mine, now=console(request).now())
    dids = [chapter.did for chapter in mine[0].chapters]
    proven = proven_chapters(console(request), dids, language(request))
    return page(request, "proof", letter=mine[0], proven=proven)


@router.get("/letter.css")
def style() -> Response:
    """The style sheet of letters."""
    return Response(css(), media_type="text/css")


def _mine(request: Request, session: Session, code: str) -> tuple[list[inquiries.PieceHistory], int, list[str]]:
    """The pieces with a code that the user may see.

    The other values are the number of records that are no longer kept, and the decision ids.
    Raises Denied (404) without any.
    """
    held = console(request)
    with held.model.read() as db:
        dids = index.beginning(db, _start(code))
    if not dids:
        raise Denied("page.letter_unknown", 404)
    with Reader(held.settings) as reader:
        histories, gone = inquiries.letters(held, reader, dids, language(request))
    mine = [history for history in histories if session.access.covers("see", history.controller, history.campaign)]
    if not mine:
        raise Denied("page.letter_expired" if session.may_everywhere("see") else "page.letter_unknown", 404)
    return mine, gone, dids


def _whose(request: Request, letter: inquiries.PieceHistory, dids: list[str]) -> tuple[str | None, bool]:
    """The recipient of a letter, None for an unknown one; and True for an erased recipient."""
    with console(request).model.read() as db:
        recipient, erased = index.whose(db, [place.did for place in index.piece(db, dids)])
    return recipient, erased or letter.erased


@router.get("/people/{recipient}")
def person(request: Request, session: Looking, _: Everywhere, recipient: str, stopped: str = "") -> Response:
    """The history of a person. `stopped`: the place of the person's withdrawal on `acts`, as partition.offset."""
    return _person(request, _named(recipient), stopped=stopped)


@router.post("/people/{recipient}/stop")
def stop(request: Request, session: Stopper, form: Form, recipient: str) -> Response:
    """Writes a person's withdrawal of all consent; the redirect means that Kafka acknowledged it and that it binds."""
    typed = {"reason": field(form, "reason").strip(), "evidence": narrow(field(form, "evidence"))}
    try:
        done = withdrawals.write(
            console(request).settings,
            withdrawals.WithdrawalStatement(_named(recipient), "console"),
            by=session.user,
            reason=typed["reason"],
            evidence=typed["evidence"] or None,
            signatory=console(request).signatory(session),
        )
    except UsageError as error:
        unfit = UNFIT.get(str(error.values.get("option")))
        if unfit is None:
            raise
        key, name = unfit
        return _person(request, recipient, wrong=Wrong(text(key, language(request)), name), typed=typed)
    place = done.pair.act
    return RedirectResponse(f"/people/{recipient}?stopped={place.partition}.{place.offset}", 303)


def _person(
    request: Request,
    recipient: str,
    *,
    stopped: str = "",
    wrong: Wrong | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    held = console(request)
    cursor = held.model.cursor()  # before anything is read, so that an erasure meanwhile shows the page anew
    with Reader(held.settings) as reader:
        history = inquiries.person(held, reader, recipient, language(request))
        match = _PLACE.fullmatch(stopped)
        stop = inquiries.stop(reader, recipient, int(match[1]), int(match[2])) if match else None
    return page(
        request,
        "person",
        status=422 if wrong else 200 if history.known or stop else 404,
        person=history,
        stop=stop,
        recipient=recipient,
        now=held.now(),
        wrong=wrong,
        typed=typed or {"reason": "", "evidence": ""},
        cursor=cursor,
    )


def _start(code: str) -> str:
    """The decision id of a code, or its beginning; raises UsageError (400) for text that is neither."""
    return SearchTerm.read(code).beginning or inquiry.read(code)


def _printed(start: str) -> str:
    """A code as printed, with its check letter; a whole decision id stays as it is."""
    return inquiry.make(start) if len(start) == inquiry.LENGTH else start


def _named(recipient: str) -> str:
    """The recipient id; raises UsageError (400) for an invalid id, without repeating the typed text."""
    try:
        return _ID.validate_python(narrow(recipient))
    except ValidationError:
        raise UsageError("page.recipient_wrong") from None
