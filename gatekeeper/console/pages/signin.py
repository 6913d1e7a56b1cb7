"""The pages to sign in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console.provider_file import BACK, PENDING_SECONDS
from gatekeeper.console.session import COOKIE, PROVIDER_SECONDS, WHOLE_SECONDS, Denied, asker
from gatekeeper.console.state import console
from gatekeeper.console.users import Users, browser_mark, is_marked
from gatekeeper.console.view import page

router = APIRouter()
LONGEST = 256
MARK = "gatekeeper-browser"
"""Cookie of a browser in which somebody has signed in: others' wrong attempts do not hinder them there."""
PENDING = "gatekeeper-signin"
"""Cookie of a sign-in at the identity provider that is under way."""
MARKED_SECONDS = 365 * 24 * 3600


@router.get("/signin")
def ask(request: Request, next: str = "/", lost: bool = False) -> Response:
    """The sign-in form, or the link to the identity provider; without sign-in, a redirect to the queue."""
    held = console(request)
    if not held.signs_in:
        return RedirectResponse("/", 303)
    return page(request, "signin", next=_inside(next), lost=lost, wrong=False, provider=held.provider is not None)


@router.get("/signin/provider")
async def to_provider(request: Request, next: str = "/") -> Response:
    """Redirects to the identity provider, which sends the browser back to BACK."""
    provider = console(request).provider
    if provider is None:
        raise Denied("page.no_such_page", 404)
    url, pending = await console(request).providing.run(lambda: provider.begin(_inside(next)), asker(request))
    answer = RedirectResponse(url, 303)
    # `lax`, as the browser comes back from another site
    _set(request, answer, PENDING, pending, path="/signin", max_age=PENDING_SECONDS, samesite="lax")
    return answer


@router.get(BACK)
async def back(request: Request) -> Response:
    """Starts the session of somebody whom the identity provider vouches for, and leads on by a page of our own.

    A redirect would still count as a navigation by the provider, and browsers would keep the session's cookie back.
    """
    held, pending = console(request), request.cookies.get(PENDING)
    provider = held.provider
    if provider is None:
        raise Denied("page.no_such_page", 404)
    if pending is None:
        raise Denied("page.signin_failed")
    query = dict(request.query_params)
    person = await held.providing.run(lambda: provider.finish(pending, query), asker(request))
    held.sessions.end(request.cookies.get(COOKIE))
    session = held.sessions.begin(
        person.user,
        person.access,
        "oidc",
        ground=lambda: provider.access(person.claims),
        stood_on=person.access,
        seconds=PROVIDER_SECONDS,
        leave=person.leave,
    )
    answer = page(request, "signed_in", to=_inside(person.next))
    _set(request, answer, COOKIE, session.token)
    answer.delete_cookie(PENDING, path="/signin")
    return answer


@router.post("/signin")
async def sign_in(
    request: Request,
    user: Annotated[str, Form(max_length=LONGEST)] = "",
    password: Annotated[str, Form(max_length=LONGEST)] = "",
    next: Annotated[str, Form(max_length=4096)] = "/",
) -> Response:
    """Starts a session and redirects to `next`; a wrong name and a wrong password get the same answer.

    Raises Denied (429) after too many wrong attempts, or where it gives way to others whose passwords are checked.
    """
    held = console(request)
    people = held.users
    if people is None:
        return RedirectResponse("/signin" if held.signs_in else "/", 303)
    mark = _mark(people, user, request.cookies.get(MARK))
    tried = (user, asker(request), mark)
    if held.attempts.full(*tried):
        raise Denied("page.too_many", 429)
    slots = held.known_passwords if mark else held.passwords
    try:
        account = await slots.run(lambda: people.admitted(user, password), asker(request))
    except Denied:
        held.attempts.take_back(*tried)  # nothing was checked
        raise
    if account is None:
        return page(request, "signin", status=401, next=_inside(next), lost=False, wrong=True, provider=False)
    held.attempts.take_back(*tried)
    held.sessions.end(request.cookies.get(COOKIE))  # sign-in never reuses an earlier token
    session = held.sessions.begin(
        user,
        account.access,
        "password",
        ground=lambda: people.get(user),
        stood_on=account,
        seconds=WHOLE_SECONDS,
    )
    answer = RedirectResponse(_inside(next), 303)
    _set(request, answer, COOKIE, session.token)
    _set(request, answer, MARK, browser_mark(user, account.password), path="/signin", max_age=MARKED_SECONDS)
    return answer


@router.post("/signout")
def sign_out(request: Request) -> Response:
    """Ends the session, here and at the identity provider."""
    ended = console(request).sessions.end(request.cookies.get(COOKIE))
    request.state.session = None
    answer: Response = RedirectResponse("/signin", 303)
    if ended and ended.leave:  # a form may not redirect to another site, so a page of ours leads on
        answer = page(request, "signed_out", to=ended.leave)
    answer.delete_cookie(COOKIE)
    return answer


def _mark(people: Users, user: str, cookie: str | None) -> str | None:
    """The mark of a browser in which this user has signed in before, else None."""
    account = people.get(user)
    return cookie if account and cookie and is_marked(user, account.password, cookie) else None


def _set(request: Request, answer: Response, name: str, value: str, **more: Any) -> None:
    kept = {"httponly": True, "samesite": "strict", "secure": request.url.scheme == "https", **more}
    answer.set_cookie(name, value, **kept)


def _inside(path: str) -> str:
    """The path when it stays within the console, else `/`."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() else "/"
