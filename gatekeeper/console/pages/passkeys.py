"""The page of a person's keys, where a passkey is made in the browser."""

from __future__ import annotations

from base64 import b64encode

from fastapi import APIRouter, Request, Response

from gatekeeper.console import passkeys
from gatekeeper.console.pages.acts import field
from gatekeeper.console.session import Denied, Form, Session, Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import page

router = APIRouter()
MADE = ("client", "authenticator", "public", "credential")


@router.get("/passkeys")
def shown(request: Request, session: Viewer) -> Response:
    """The keys of the person by `staff`, and the button that makes a passkey."""
    return _page(request, session)


@router.post("/passkeys")
def made(request: Request, session: Viewer, form: Form) -> Response:
    """Checks a passkey that the browser made, and shows the command by which a manager registers it."""
    held = console(request)
    site = passkeys.site(held.settings, str(request.url))
    if site is None:
        raise Denied("page.passkey_no_site", 409)
    fields = {name: field(form, name) for name in MADE}
    line = passkeys.invitation(fields, site=site, challenge=passkeys.asked(session.token))
    role = "" if held.member(session) else " --role ROLE"
    return _page(request, session, command=f"gatekeeper staff add {session.user}{role} --passkey {line}")


def _page(request: Request, session: Session, *, command: str = "") -> Response:
    held = console(request)
    member, site = held.member(session), passkeys.site(held.settings, str(request.url))
    usable = passkeys.usable(member, site)
    return page(
        request,
        "passkeys",
        address="/passkeys",
        member=member,
        site=site,
        usable=[key["id"] for key in usable],
        known=[key["credential"] for key in usable if key.get("credential")],
        challenge=b64encode(passkeys.asked(session.token)).decode(),
        person=b64encode(session.user.encode()).decode(),
        command=command,
    )
