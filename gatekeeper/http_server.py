"""The HTTP server of console and service: whose word it takes on a client, and which connections it keeps."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatekeeper.connections import Connections
from gatekeeper.errors import UnavailableError
from gatekeeper.metrics import REQUEST_TIME, REQUESTS
from gatekeeper.metrics_page import Metrics

CLOSE_SECONDS = 2
MAX_CONNECTIONS = 256
REQUEST_SECONDS = 20.0
"""Seconds in which a whole request must arrive, and in which a client must read some of its answer."""
KEEP_ALIVE_SECONDS = 15
"""Seconds for which an idle connection is kept: more than clients keep theirs, or a request could meet its end."""
CERTIFICATE = "certificate"
"""The key of a request's state with the SHA-256 (hex) of the client's certificate, if the client showed one."""
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises UnavailableError (3) if it cannot listen."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UnavailableError("error.console_port", host=host, port=port, detail=error) from None


def address(found: socket.socket, host: str, *, scheme: str = "http") -> str:
    """The address of a socket that listens on this host."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{found.getsockname()[1]}/"


class MeasuredRequests:
    """ASGI middleware that counts the requests answered, by the template of their path. It stands outside of an app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and measures until the first byte of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = monotonic()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.count(REQUESTS, route, f"{message['status'] // 100}xx")
                self._metrics.observe(REQUEST_TIME, monotonic() - began, route)
            await send(message)

        await self._app(scope, receive, measured)


class Server(uvicorn.Server):
    """Uvicorn server that calls `on_start` once it accepts connections.

    `proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed; nobody else's are.
    `tls`: None for plain HTTP.
    """

    def __init__(
        self,
        app: ASGIApp,
        on_start: Callable[[], None],
        *,
        proxies: Sequence[str] = (),
        connections: Connections | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        connections = connections or Connections(most=MAX_CONNECTIONS, seconds=REQUEST_SECONDS)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast(type[asyncio.Protocol], partial(BoundedProtocol, connections, tls)),
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,  # addresses contain people's ids
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                timeout_graceful_shutdown=CLOSE_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to serve, then calls `on_start`."""
        await super().startup(sockets)
        if self.started:
            self._on_start()


class BoundedProtocol(H11Protocol):
    """Uvicorn's protocol of one connection, which reports whether the server works or waits for its client.

    The handshake of TLS is made here: uvicorn's own would not count a connection before its end.
    """

    def __init__(self, connections: Connections, tls: ssl.SSLContext | None, **given: Any) -> None:
        super().__init__(**given)
        self._bounded, self._tls = connections, tls
        self._greeting: asyncio.Task[None] | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admits the connection, and begins its handshake."""
        self._bounded.opened(transport)
        if self._tls is None:
            super().connection_made(transport)
        else:
            self._greeting = asyncio.get_running_loop().create_task(self._greeted(transport, self._tls))

    async def _greeted(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            loop = asyncio.get_running_loop()
            transport = await loop.start_tls(plain, self, tls, server_side=True, ssl_handshake_timeout=REQUEST_SECONDS)
        except OSError:
            transport = None  # this is no client of TLS, or not one that we trust
        finally:
            self._bounded.closed(plain)
        if transport is None or transport.is_closing():
            return
        if shown := transport.get_extra_info("ssl_object").getpeercert(binary_form=True):
            self.app_state = {**self.app_state, CERTIFICATE: sha256(shown).hexdigest()}
        self._bounded.opened(transport)
        super().connection_made(transport)
        if self._early:
            self.data_received(bytes(self._early))
            self._early.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        if self.transport is not None:
            super().connection_lost(exc)
            self._bounded.closed(self.transport)

    def data_received(self, data: bytes) -> None:
        """Takes data; the server works once a whole request is there."""
        if self.transport is None:
            self._early += data  # the first data can arrive with the end of the handshake
            return
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Waits for the next request, unless it is already there."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Waits for the client to read its answer."""
        super().pause_writing()
        self._bounded.waits(self.transport)

    def resume_writing(self) -> None:
        """Goes on with the answer."""
        super().resume_writing()
        self._look()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            self._bounded.waits(self.transport)
        else:
            self._bounded.works(self.transport)
