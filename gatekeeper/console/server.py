"""The console's HTTP server: whose word on the client's address it takes, and which connections it keeps."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatekeeper.connections import Connections
from gatekeeper.console.app import create_app
from gatekeeper.console.security import LOOPBACK
from gatekeeper.console.users import Users
from gatekeeper.errors import UnavailableError, UsageError
from gatekeeper.settings import Settings
from streams.client.reader import Reader

if TYPE_CHECKING:
    from gatekeeper.console.identity_provider import Provider

CLOSE_SECONDS = 2
MAX_CONNECTIONS = 256
REQUEST_SECONDS = 20.0
"""Seconds in which a whole request must arrive, and in which a client must read some of its answer."""


def serve(
    settings: Settings, *, users: Users | None, provider: Provider | None, started: Callable[[str], None]
) -> None:
    """Serves the console until it is interrupted; calls `started` with its address.

    Raises UsageError (2) for an address other than this machine's without sign-in.
    Raises UnavailableError (3) when no broker answers or the port is taken.
    """
    host, port = settings.console_host, settings.console_port
    if users is None and provider is None and host not in LOOPBACK:
        raise UsageError("error.console_open", host=host)
    with Reader(settings) as reader:
        reader.ends("review")  # report an unreachable broker before anybody opens a page
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UnavailableError("error.console_port", host=host, port=port, detail=error) from None
    with listening:
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listening.getsockname()[1]}/"
        app = create_app(settings, users=users, provider=provider)
        Server(app, lambda: started(url), proxies=settings.proxies).run(sockets=[listening])


class Server(uvicorn.Server):
    """Uvicorn server that calls `on_start` once it accepts connections.

    `proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed; nobody else's are.
    """

    def __init__(
        self,
        app: ASGIApp,
        on_start: Callable[[], None],
        *,
        proxies: Sequence[str] = (),
        connections: Connections | None = None,
    ) -> None:
        connections = connections or Connections(most=MAX_CONNECTIONS, seconds=REQUEST_SECONDS)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast(type[asyncio.Protocol], partial(BoundedProtocol, connections)),
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,  # addresses contain people's ids
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to serve, then calls `on_start`."""
        await super().startup(sockets)
        if self.started:
            self._on_start()


class BoundedProtocol(H11Protocol):
    """Uvicorn's protocol of one connection, which reports whether the server works or waits for its client."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._bounded = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admits the connection."""
        super().connection_made(transport)
        self._bounded.opened(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        super().connection_lost(exc)
        self._bounded.closed(self.transport)

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
