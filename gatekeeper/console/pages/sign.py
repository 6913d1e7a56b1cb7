"""Says what a person is about to sign, and takes the touch of the passkey."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console import passkeys
from gatekeeper.console.pages.acts import field
from gatekeeper.console.session import Denied, Form, Session, Viewer
from gatekeeper.console.signings import Signing
from gatekeeper.console.state import Console, console
from gatekeeper.console.view import language, page
from gatekeeper.ground.errors import UsageError

router = APIRouter()
SHOWN = 20
"""The number of items shown of many."""
PROOF = ("sig", "authenticator", "client")


@router.get("/sign/{name}")
def shown(request: Request, session: Viewer, name: str) -> Response:
    """The page that says in words what will be signed, with a button for each passkey of the person."""
    return _page(request, session, _open(console(request), session, name))


@router.post("/sign/{name}")
def sign(request: Request, session: Viewer, form: Form, name: str) -> Response:
    """Writes the records with the signature, or says why the passkey's answer is refused."""
    held = console(request)
    signing = _open(held, session, name)
    key = next((key for key in _keys(request, held, session) if key["id"] == field(form, "key")), None)
    try:
        if key is None:
            raise UsageError("error.passkey_refused")
        signatory = signing.take(signing.touch(key).signatory({name: field(form, name) for name in PROOF}))
    except UsageError as error:
        return _page(request, session, signing, wrong=error)
    if signatory is None:
        return RedirectResponse(f"/sign/{name}", 303)
    if not held.signings.close(signing):
        raise Denied("page.sign_over", 410)
    return RedirectResponse(signing.write(signatory), 303)


def _open(held: Console, session: Session, name: str) -> Signing:
    signing = held.signings.get(name, session.user)
    if signing is None:
        raise Denied("page.sign_over", 410)
    return signing


def _keys(request: Request, held: Console, session: Session) -> list[passkeys.Fields]:
    return passkeys.usable(held.member(session), passkeys.site(held.settings, str(request.url)))


def _page(request: Request, session: Session, signing: Signing, *, wrong: UsageError | None = None) -> Response:
    held, says, lang = console(request), signing.says, language(request)
    with held.model.read() as db:
        names = held.registrations.now(db).names(lang)
    return page(
        request,
        "sign",
        status=422 if wrong else 200,
        address=f"/sign/{signing.name}",
        says=says,
        rows=signing.tables[signing.step],
        step=signing.step + 1,
        steps=len(signing.tables),
        items=says.items[:SHOWN],
        more=len(says.items[SHOWN:]),
        names=names,
        signing=signing.name,
        keys=[_asked(signing, key) for key in _keys(request, held, session)],
        back=signing.back,
        wrong=wrong,
    )


def _asked(signing: Signing, key: passkeys.Fields) -> dict[str, Any]:
    """The request that the page's script passes to the browser, in base64."""
    challenge = b64encode(signing.touch(key).challenge).decode()
    return {
        "id": key["id"],
        "party": key["rp"]["id"],
        "credential": key.get("credential") or "",
        "challenge": challenge,
    }
