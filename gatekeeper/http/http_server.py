"""The HTTP server of console, service and metrics: trusted proxies, TLS, bounded connections, strict requests."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import Any

import h11
import uvicorn
from h11._receivebuffer import ReceiveBuffer
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.metrics import REQUEST_TIME, REQUESTS
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.http.acceptor import GREETINGS, Acceptor
from gatekeeper.http.connections import Connection, Connections

CLOSE_SECONDS = 2
MAX_CONNECTIONS = 256
REQUEST_SECONDS = 20.0
"""Seconds in which a whole request must arrive, and in which a client must read some of its answer."""
KEEP_ALIVE_SECONDS = 15
"""Seconds for which an idle connection is kept: more than clients keep theirs, or a request could meet its end."""
QUIET_SECONDS = 30.0
"""Seconds after a flood of connections until the memory that it took is given back."""
CERTIFICATE = "certificate"
"""The key of a request's state with the SHA-256 (hex) of the client's certificate, if the client showed one."""
RECOGNISED = "recognised"
"""The key of a request's state with what is called once its sender is known; see `recognised`."""
HEAD_BYTES = 64 << 10
"""The bytes of a request's head, at most."""
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


def give_back() -> None:
    """Gives free memory back to the system, where the C library can (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def recognised(scope: Scope) -> None:
    """Tells the server that a request's sender is somebody known: strangers then cannot push out the connection."""
    if recognise := scope.get("state", {}).get(RECOGNISED):
        recognise()


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
        super().__init__(
            uvicorn.Config(
                app,
                http=H11Protocol,
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
        self._on_start, self._tls = on_start, tls
        self._connections = connections or Connections(most=MAX_CONNECTIONS, seconds=REQUEST_SECONDS)
        self._acceptors = list[Acceptor]()
        bounded = self._connections
        self._greeting = Connections(most=GREETINGS, seconds=bounded.seconds, regulars=bounded.regulars)
        self._given_back = float("-inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to serve on these sockets, then calls `on_start`."""
        await super().startup([])
        for listener in sockets or ():
            self._acceptors.append(Acceptor(listener, self._protocol, greeting=self._greeting, tls=self._tls))
        if self.started:
            self._on_start()

    async def on_tick(self, counter: int) -> bool:
        """Tells whether to end, asked ten times a second; gives memory back once a flood is over."""
        flooded = max(self._greeting.full_at, self._connections.full_at)
        if self._given_back < flooded < monotonic() - QUIET_SECONDS:
            self._given_back = flooded
            await asyncio.to_thread(give_back)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts no more, and ends when the answers under way are given."""
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        state = self.lifespan.state
        return BoundedProtocol(self._connections, config=self.config, server_state=self.server_state, app_state=state)


class BoundedProtocol(H11Protocol):
    """Uvicorn's protocol of one connection, which reports whether the server works or waits for its client."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self.conn = StrictHttp(h11.SERVER, HEAD_BYTES)
        self._bounded = connections
        self._connection: Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admits the connection, whose handshake is over."""
        self._connection = Connection.from_peer(transport.get_extra_info("peername"), transport.abort)
        self._bounded.opened(self._connection)
        state: dict[str, Any] = {RECOGNISED: partial(self._bounded.recognised, self._connection)}
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (shown := tls.getpeercert(binary_form=True)):
            state[CERTIFICATE] = sha256(shown).hexdigest()
        self.app_state = {**self.app_state, **state}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        super().connection_lost(exc)
        self._bounded.closed(self._connection)

    def data_received(self, data: bytes) -> None:
        """Takes data; the server works once a whole request is there."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Waits for the next request, unless it is already there."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Waits for the client to read its answer."""
        super().pause_writing()
        self._bounded.waits(self._connection)

    def resume_writing(self) -> None:
        """Goes on with the answer."""
        super().resume_writing()
        self._look()

    def _look(self) -> None:
        works = self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
        if works and not self.transport.is_closing():
            self._bounded.works(self._connection)
        else:  # a client that does not take the end of its answer is waited for, too
            self._bounded.waits(self._connection)


class StrictHttp(h11.Connection):
    """Refuses a request (400) that a proxy in front could read in another way. So none hides a second one.

    It must not have Content-Length together with Transfer-Encoding, and its lines must end with CR LF.
    """

    def __init__(self, role: type[h11.SERVER], most: int) -> None:
        super().__init__(role, most)
        self._receive_buffer = StrictLines()

    def next_event(self) -> Any:
        """The next event of the client; raises RemoteProtocolError for one that it must not send."""
        event = super().next_event()
        if isinstance(event, h11.Request) and {b"content-length", b"transfer-encoding"} <= dict(event.headers).keys():
            raise h11.RemoteProtocolError("two lengths of one body")
        return event


class StrictLines(ReceiveBuffer):
    """The bytes received, of which only lines that end with CR LF are taken."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines of a head or trailer that is whole; raises RemoteProtocolError for a line that ends otherwise."""
        before = len(self)
        lines = super().maybe_extract_lines()
        if lines is not None and before - len(self) != sum(len(line) + 2 for line in lines) + 2:
            raise h11.RemoteProtocolError("a line without CR")
        return lines
