"""The records of `reference` that wait for a signature or have none; a manager signs them with a passkey."""

from __future__ import annotations

import json
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from gatekeeper.console import own_signature
from gatekeeper.console.pages.acts import field
from gatekeeper.console.session import Denied, Form, Session, may
from gatekeeper.console.signings import SaidBefore
from gatekeeper.console.state import Console, console
from gatekeeper.console.view import language, page
from gatekeeper.staff import roles
from streams.client.passkey_prompt import PasskeySignatory
from streams.operations import endorsement
from streams.operations.endorsement import Endorsable, Endorsed

router = APIRouter()
PolicyManager = Annotated[Session, Depends(may("activate"))]
"""A manager, as the worker knows them."""


@router.get("/records")
def shown(request: Request, session: PolicyManager, signed: str = "") -> Response:
    """The records that somebody may sign, and the signatures that count for nothing. `signed`: the one just signed."""
    endorsed = _endorsed(console(request))
    mine = [row for row in endorsed.endorsable() if _theirs(session, row.value)]
    rows = [(row, roles.person(session.user) not in row.signers) for row in mine]
    refused = endorsed.log.endorsements.refused if session.may_everywhere("activate") else []
    known = endorsed.newest.get(signed)
    theirs = known is not None and _theirs(session, known.record.value or b"")
    done = endorsed.names(language(request)).get(signed) if theirs else None
    return page(request, "records", rows=rows, refused=refused, founded=endorsed.founded, signed=done or signed)


@router.post("/records")
def sign(request: Request, session: PolicyManager, form: Form) -> Response:
    """Leads to the page that shows a record and takes the signature."""
    held, lang = console(request), language(request)
    endorsed, name, offset = _endorsed(held), field(form, "name"), field(form, "offset")
    row = next((row for row in endorsed.endorsable() if (row.name, str(row.offset)) == (name, offset)), None)
    if row is None or not _theirs(session, row.value) or roles.person(session.user) in row.signers:
        raise Denied("page.record_signed", 409)
    record = row.outgoing

    def write(signatory: PasskeySignatory) -> str:
        endorsement.add(held.settings, signatory.endorsement(record))
        return f"/records?signed={name}"

    command = f"gatekeeper reference sign {name}"
    says = SaidBefore("endorse", name, row.called(lang), fields=_changes(endorsed, row), command=command)
    return own_signature.ask(held, session, [record], says, write=write, back="/records")


def _endorsed(held: Console) -> Endorsed:
    with held.model.read() as db:
        return held.registrations.now(db).endorsed


def _theirs(session: Session, value: bytes) -> bool:
    """True for a record about controllers of this user alone; one of no single controller needs all of them."""
    mine, about = session.access.controllers("activate"), roles.scope(orjson.loads(value))
    return mine is None or (about is not None and about <= mine)


def _changes(endorsed: Endorsed, row: Endorsable) -> list[tuple[str, str, str]]:
    """Each field of a record with its value in force and its new value, the changed ones first."""
    new, known = orjson.loads(row.value), endorsed.newest.get(row.name)
    old = orjson.loads(known.record.value or b"{}") if known and row.state == "waiting" else {}
    lines = [(name, _text(old.get(name)), _text(new.get(name))) for name in dict.fromkeys([*new, *old])]
    return sorted(lines, key=lambda line: line[1] == line[2])


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
