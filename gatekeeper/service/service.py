"""Starts the service: its port, who may reach it, and its pages."""

from __future__ import annotations

import asyncio
import math
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatekeeper.ground import times
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.metrics import FACTS_AGE, FACTS_WITHHOLDING, REQUESTS_REFUSED, Values
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.http import http_server, metrics_server
from gatekeeper.http.http_server import LOOPBACK
from gatekeeper.keys import Keys
from gatekeeper.knowledge.known_facts import KnownFacts
from gatekeeper.service import problem
from gatekeeper.service.callers import Callers
from gatekeeper.service.event_ids import EventIds
from gatekeeper.service.openapi import paths
from gatekeeper.service.problem import Problem
from gatekeeper.service.service_parts import PartsOf, ServiceParts
from gatekeeper.store.faults import Faults
from streams.client import people
from streams.client.reader import Reader
from streams.serving.live_state import LiveState
from streams.worker.kept_facts import KeptFacts
from streams.worker.process_exit import fail

WITHHOLDING = 100
"""Records that withhold sends and are looked at for `/readyz`, at most."""
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def serve(settings: Settings, *, release: str, started: Callable[[str, bool], None]) -> None:
    """Serves until it is interrupted; calls `started` with its address, and True if anybody on this machine may call.

    Raises UsageError (2) for a file of callers that cannot be used, or none where others could call. It raises the same
    without a key for event ids, and if acts may be unsigned although somebody is registered.
    Raises UnavailableError (3) when no broker answers or the port is taken.
    """
    host, port = settings.serve_host, settings.serve_port
    callers = Callers(Path(settings.serve_callers) if settings.serve_callers else None)
    if callers.open and host not in LOOPBACK:
        raise UsageError("error.serve_open", host=host)
    tls = _tls(settings)
    metrics = metrics_server.measured(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn stops in order, and then raises the signal again
    with Reader(settings) as reader:
        reader.ends("audit")  # report an unreachable broker before anybody calls
    people.demand(settings)
    with http_server.listening(host, port) as socket:
        url = http_server.address(socket, host, scheme="https" if tls else "http")
        app = create_app(settings, callers, release=release, url=settings.serve_url or url, metrics=metrics)
        counted = http_server.MeasuredRequests(app, metrics)
        http_server.Server(counted, lambda: started(url, callers.open), tls=tls).run(sockets=[socket])


def create_app(
    settings: Settings,
    callers: Callers,
    *,
    release: str,
    url: str,
    on_failure: Callable[[BaseException], None] = fail,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The application, which connects when it starts. `on_failure`: called with any error that ends its reading.

    `url`: the address by which callers find it. `metrics`: those of the process; without them, they are shown nowhere.
    Raises UsageError (2) without a key for event ids.
    """
    measured, event_ids = metrics or Metrics(), EventIds(Keys(settings.key_folder).events())

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        try:
            kept = await asyncio.to_thread(KeptFacts.of, settings, Faults()) if settings.data else None
            live = LiveState(settings, kept=kept, measured=measured)
            app.state.parts = ServiceParts(live, callers, event_ids, url, metrics=measured)
            await live.start(on_failure)
            measured.find(lambda: _ages(live))
            measured.find(lambda: _withholding(live))
        except Exception as error:
            on_failure(error)
            raise
        yield
        await app.state.parts.live.stop()

    app = paths(release, lifespan=life)
    problem.handle(app, measured)
    app.add_middleware(RequestGuard, alone=callers.open, metrics=measured)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, bool]:
        """Tells that the process lives."""
        return {"alive": True}

    @app.get("/readyz", include_in_schema=False)
    async def readyz(parts: PartsOf) -> JSONResponse:
        """Tells whether it answers, and up to when it knows all facts."""
        live = parts.live
        as_of = times.instant(live.facts.as_of) if live.facts.as_of else None
        state = {"ready": live.ready, "facts_as_of": as_of, "withholding": _widest(live.facts.store)}
        return JSONResponse(state, 200 if live.ready else 503)

    return app


def _widest(store: KnownFacts) -> list[dict[str, str]]:
    """The oldest record that withholds everybody, the oldest that withholds a company, and what to do.

    Strangers read this. So it has no number of people, of records or of managers, and no company.
    """
    if not (store.withhold_everybody or store.token_keys.unmatched or any(True for _ in store.gaps)):
        return []
    records = [record for record in store.withholding(WITHHOLDING) if record.withholds in ("everybody", "companies")]
    oldest = {record.withholds: record for record in reversed(records)}
    return [
        {
            "record": record.record,
            "since": times.instant(record.since),
            "withholds": whom,
            "do": f"gatekeeper deadletter resolve {record.record}",
        }
        for whom, record in sorted(oldest.items(), reverse=True)
    ]


def _ages(live: LiveState) -> Values:
    """The metrics of the facts' age; any thread may ask."""
    return {FACTS_AGE: {(): (live.clock.now() - live.facts.as_of) / 1000 if live.facts.as_of else math.inf}}


def _withholding(live: LiveState) -> Values:
    """The number of facts that withhold sends; any thread may ask."""
    counts = live.facts.store.withholding_counts
    return {FACTS_WITHHOLDING: {(whom,): n for whom, n in counts.items()}}


class RequestGuard:
    """ASGI middleware: headers of every answer, and no pages of other sites in a browser of this machine.

    Its refusals are counted as those of pages are.
    `alone`: nobody says who calls. So a browser must not call for a page that it shows, nor by a foreign name. A proxy
    must not call either, as others may stand behind it.
    """

    def __init__(self, app: ASGIApp, *, alone: bool, metrics: Metrics) -> None:
        self._app, self._alone, self._metrics = app, alone, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with a refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer: ASGIApp = self._app
        if self._alone and _of_others(Headers(scope=scope)):
            refused = Problem(403, "not_for_browsers")
            self._metrics.count(REQUESTS_REFUSED, refused.name)
            answer = JSONResponse(refused.body, refused.status, media_type=problem.MEDIA)
        await answer(scope, receive, headed)


def _of_others(headers: Headers) -> bool:
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return True
    forwarded = any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    foreign = "origin" in headers or headers.get("sec-fetch-site", "none") != "none"
    return host not in LOOPBACK or foreign or forwarded


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS with our certificate, None without one; raises UsageError (2) for files that cannot be used."""
    certificate, key, ca = settings.serve_certificate, settings.serve_certificate_key, settings.serve_client_ca
    if not certificate:
        if key or ca:
            raise UsageError("error.serve_tls", file=key or ca)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key or None)
        if ca:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_OPTIONAL  # a key or a token may say who calls
    except (OSError, ssl.SSLError) as error:
        raise UsageError("error.serve_certificate", file=certificate, detail=type(error).__name__) from None
    return context
