"""The pages to sign in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console.session import COOKIE, Denied, address
from gatekeeper.console.state import console
from gatekeeper.console.view import page

router = APIRouter()
LONGEST = 256


@router.get("/signin")
def ask(request: Request, next: str = "/", lost: bool = False) -> Response:
    """The sign-in form; without a user file, a redirect to the queue."""
    if console(request).sessions.users is None:
        return RedirectResponse("/", 303)
    return page(request, "signin", next=_inside(next), lost=lost, wrong=False)


@router.post("/signin")
def sign_in(
    request: Request,
    user: Annotated[str, Form(max_length=LONGEST)] = "",
    password: Annotated[str, Form(max_length=LONGEST)] = "",
    next: Annotated[str, Form(max_length=4096)] = "/",
) -> Response:
    """Starts a session and redirects to `next`; a wrong name and a wrong password get the same answer."""
    held = console(request)
    if held.sessions.users is None:
        return RedirectResponse("/", 303)
    tried = ((held.wrong_by_address, address(request)), (held.wrong_by_user, user))
    if any(limit.full(name) for limit, name in tried):  # count before the check: many requests may come at once
        raise Denied("page.too_many", 429)
    if not held.sessions.users.admits(user, password):
        return page(request, "signin", status=401, next=_inside(next), lost=False, wrong=True)
    for limit, name in tried:
        limit.take_back(name)
    held.sessions.end(request.cookies.get(COOKIE))  # sign-in never reuses an earlier token
    session = held.sessions.begin(user)
    answer = RedirectResponse(_inside(next), 303)
    answer.set_cookie(COOKIE, session.token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


@router.post("/signout")
def sign_out(request: Request) -> Response:
    """Ends the session."""
    console(request).sessions.end(request.cookies.get(COOKIE))
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE)
    return answer


def _inside(path: str) -> str:
    """The path when it stays within the console, else `/`."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() else "/"
