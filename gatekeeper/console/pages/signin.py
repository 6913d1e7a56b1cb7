"""The pages to sign in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console.session import COOKIE, WHOLE_SECONDS, Denied, asker
from gatekeeper.console.state import console
from gatekeeper.console.users import Users, browser_mark, is_marked
from gatekeeper.console.view import page

router = APIRouter()
LONGEST = 256
MARK = "gatekeeper-browser"
"""Cookie of a browser in which somebody has signed in: others' wrong attempts do not hinder them there."""
MARKED_SECONDS = 365 * 24 * 3600


@router.get("/signin")
def ask(request: Request, next: str = "/", lost: bool = False) -> Response:
    """The sign-in form; without a user file, a redirect to the queue."""
    if console(request).sessions.users is None:
        return RedirectResponse("/", 303)
    return page(request, "signin", next=_inside(next), lost=lost, wrong=False)


@router.post("/signin")
async def sign_in(
    request: Request,
    user: Annotated[str, Form(max_length=LONGEST)] = "",
    password: Annotated[str, Form(max_length=LONGEST)] = "",
    next: Annotated[str, Form(max_length=4096)] = "/",
) -> Response:
    """Starts a session and redirects to `next`; a wrong name and a wrong password get the same answer.

    Raises Denied (429) after too many wrong attempts, or while too many passwords are being checked.
    """
    held = console(request)
    people = held.sessions.users
    if people is None:
        return RedirectResponse("/", 303)
    mark = _mark(people, user, request.cookies.get(MARK))
    tried = (user, asker(request), mark)
    if held.attempts.full(*tried):
        raise Denied("page.too_many", 429)
    slots = held.known_passwords if mark else held.passwords
    found = await slots.run(lambda: people.admitted(user, password))
    if found is None:
        return page(request, "signin", status=401, next=_inside(next), lost=False, wrong=True)
    held.attempts.take_back(*tried)
    held.sessions.end(request.cookies.get(COOKIE))  # sign-in never reuses an earlier token
    session = held.sessions.begin(
        user, found.access, "password", lambda: people.get(user), found, seconds=WHOLE_SECONDS
    )
    answer = RedirectResponse(_inside(next), 303)
    _set(request, answer, COOKIE, session.token)
    _set(request, answer, MARK, browser_mark(user, found.password), path="/signin", max_age=MARKED_SECONDS)
    return answer


@router.post("/signout")
def sign_out(request: Request) -> Response:
    """Ends the session."""
    console(request).sessions.end(request.cookies.get(COOKIE))
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE)
    return answer


def _mark(people: Users, user: str, cookie: str | None) -> str | None:
    """The mark of a browser in which this user has signed in before, else None."""
    known = people.get(user)
    return cookie if known and cookie and is_marked(user, known.password, cookie) else None


def _set(request: Request, answer: Response, name: str, value: str, **more: Any) -> None:
    answer.set_cookie(name, value, httponly=True, samesite="strict", secure=request.url.scheme == "https", **more)


def _inside(path: str) -> str:
    """The path when it stays within the console, else `/`."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() else "/"
