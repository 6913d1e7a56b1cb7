"""Builds the console from model, feed, sessions and pages, behind its guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as Missing
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.console.feed import DEFECT, Feed
from gatekeeper.console.pages import PAGES
from gatekeeper.console.reference_view import Registrations
from gatekeeper.console.security import SecurityMiddleware
from gatekeeper.console.session import COOKIE, Denied, Sessions, SignInNeeded
from gatekeeper.console.state import Console, console
from gatekeeper.console.users import Users
from gatekeeper.console.view import ROOM, page
from gatekeeper.engine.failures import fingerprint
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.http.http_server import LOOPBACK, recognised
from gatekeeper.index.model import Model
from gatekeeper.index.parts import PARTS
from gatekeeper.policy import packs
from gatekeeper.staff import person_keys
from streams.client.signatory import own_key

if TYPE_CHECKING:
    from gatekeeper.console.identity_provider import Provider

OPEN = ("/signin", "/healthz", "/events", "/manual")
"""Paths that need no sign-in and that answer while the model is still being built."""
EVERYBODY = "console"
log = structlog.get_logger("console")


def create_app(settings: Settings, *, users: Users | None = None, provider: Provider | None = None) -> FastAPI:
    """The application, which starts its feed when it starts.

    `users`, `provider`: who may sign in; without both there is no sign-in.
    Raises UnavailableError (3) when the console's data folder cannot be written. Raises UsageError (2) for a key
    that cannot be read.
    """
    signal = ChangeSignal()
    zone = packs.load(settings.policy).home[0].timezone
    model = Model(settings.index, PARTS, zone=zone)
    feed = Feed(settings, model, signal)
    open_ = users is None and provider is None
    key = person_keys.read(Path(settings.console_key)) if settings.console_key else None
    own = own_key(settings) if open_ and key is None else None
    everybody = own.by if own else settings.user or EVERYBODY
    sessions = Sessions(everybody if open_ else None)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        feed.start()
        yield
        feed.stop()

    app = FastAPI(
        title="gatekeeper", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=life
    )
    registrations = Registrations(model, settings.group, settings.founder)
    app.state.console = Console(
        settings, model, signal, feed, sessions, users, provider, PAGES, registrations, key=key, own=own
    )
    for console_page in PAGES:
        app.include_router(console_page.router)
    app.mount("/static", StaticFiles(directory=ROOM / "static"), name="static")
    app.add_middleware(Door)
    app.add_middleware(SecurityMiddleware, hosts=LOOPBACK if open_ else None, told=_told)
    app.add_exception_handler(SignInNeeded, _sign_in)
    for kind in (Denied, GatekeeperError, Missing, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _told)

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        """Reports readiness of the model, and whether Kafka answers."""
        trouble = feed.progress.trouble
        broken = trouble is not None and trouble.key == DEFECT
        return {"ready": feed.progress.ready and not broken, "broker": trouble is None or broken}

    return app


class Door:
    """ASGI middleware that finds a request's session; it shows a progress page until the model is built."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with a page of its own."""
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        held = console(request)
        looked = "x-live" not in request.headers  # a page's automatic requests do not keep a session alive
        try:
            existing = held.sessions.find(request.cookies.get(COOKIE), touch=looked)
        except GatekeeperError as error:
            await _told(request, error)(scope, receive, send)
            return
        if existing:
            recognised(scope)
        begun = None if existing else held.sessions.anybody()
        session = existing or begun
        if session and held.feed.progress.ready:
            try:
                session = await run_in_threadpool(held.judged, session)
            except GatekeeperError as error:
                await _told(request, error)(scope, receive, send)
                return
        request.state.session = session

        async def with_cookie(message: Message) -> None:
            if begun is not None and message["type"] == "http.response.start":
                safe = "; Secure" if scope["scheme"] == "https" else ""
                value = f"{COOKIE}={begun.token}; HttpOnly; Path=/; SameSite=strict{safe}"
                MutableHeaders(scope=message).append("Set-Cookie", value)
            await send(message)

        answer: ASGIApp = self._app
        if request.method == "POST" and session and held.posts.full(session.token):
            answer = _told(request, Denied("page.too_many", 429))
        elif session and not held.feed.progress.ready and not request.url.path.startswith(OPEN):
            answer = page(request, "progress", status=503, progress=held.feed.progress, refresh=1)
        await answer(scope, receive, with_cookie)


def _sign_in(request: Request, _: Exception) -> Response:
    asked = str(request.url) if request.method == "GET" else request.headers.get("referer", "/")
    address = urlsplit(asked)  # for a form, the page that contains it
    back = f"{address.path}?{address.query}" if address.query else address.path
    lost = "&lost=1" if request.method == "POST" else ""
    return RedirectResponse(f"/signin?next={quote(back, safe='')}{lost}", 303)


def _told(request: Request, error: Exception) -> Response:
    """An error as a page; it shows a sentence of the catalogue and no detail of an unexpected error."""
    if isinstance(error.__cause__, Denied):
        error = error.__cause__  # raised by the guard while FastAPI read a form
    if isinstance(error, Denied):
        return page(request, "error", status=error.status, error=error)
    if isinstance(error, GatekeeperError):
        return page(request, "error", status=error.http_status, error=error)
    if isinstance(error, Missing) and error.status_code in (404, 405):
        return page(request, "error", status=error.status_code, error=Denied("page.no_such_page"))
    if isinstance(error, Missing | RequestValidationError):
        return page(request, "error", status=400, error=Denied("page.request_bad"))
    log.error("page_failed", error=type(error).__name__, code=fingerprint(error))
    return page(request, "error", status=500, error=Denied("page.defect"))
