"""The worker's health page: /healthz and /readyz, answered whatever others do with their connections."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.metrics_page import CONTENT_TYPE
from gatekeeper.ground.settings import Settings
from gatekeeper.http.acceptor import Acceptor
from gatekeeper.http.connections import Connection, Connections

MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 5.0
"""Seconds after which a connection is closed. The answer comes at once, and each connection gets one."""
BACKLOG = 100
"""Connections that wait for their turn, at most."""


async def serve_health(
    settings: Settings,
    readiness: Callable[[], Awaitable[Mapping[str, Any]]],
    *,
    metrics: Callable[[], Awaitable[bytes]] | None = None,
    listening: Sequence[socket.socket] = (),
    connections: Connections | None = None,
) -> int:
    """Answers /healthz and /readyz with JSON, on the port returned.

    `readiness`: gives the answer of /readyz, with True under `ready` for the status 200. `metrics`: gives the page
    /metrics. `listening`: sockets to answer on, instead of those of the settings. Raises UnavailableError (3) if it
    cannot listen.
    """
    bounded = connections or Connections(most=MAX_CONNECTIONS, seconds=CONNECTION_SECONDS)
    greeting = Connections(most=bounded.most, seconds=bounded.seconds)

    async def healthz(_: web.Request) -> web.Response:
        return _told({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        report = await readiness()
        return _told(report, status=200 if report["ready"] else 503)

    pages = web.Application()
    pages.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    if metrics is not None:
        page = metrics

        async def measured(_: web.Request) -> web.Response:
            answer = web.Response(body=await page(), headers={"Content-Type": CONTENT_TYPE})
            answer.force_close()
            return answer

        pages.add_routes([web.get("/metrics", measured)])
    runner = web.AppRunner(pages, access_log=None)
    await runner.setup()
    assert runner.server is not None
    make: Callable[[], asyncio.Protocol] = runner.server
    sockets = listening or await listen(settings)
    for listener in sockets:
        Acceptor(listener, lambda: OneAnswer(make(), bounded), greeting=greeting)
    return port_of(sockets)


async def listen(settings: Settings) -> list[socket.socket]:
    """The sockets of the health page, which listen; raises UnavailableError (3) if they cannot."""
    where = {"host": settings.http_host, "port": settings.http_port}
    try:
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, settings.http_host, settings.http_port, start_serving=False
        )
        sockets = [listener.dup() for listener in server.sockets]
        server.close()
        for listener in sockets:
            listener.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError("error.http_port_busy", **where) from None
        raise UnavailableError("error.http_unusable", detail=error, **where) from None
    return sockets


def port_of(listening: Sequence[socket.socket]) -> int:
    """The port of listening sockets."""
    port: int = listening[0].getsockname()[1]
    return port


def _told(report: Mapping[str, Any], *, status: int = 200) -> web.Response:
    answer = web.json_response(report, status=status)
    answer.force_close()
    return answer


class OneAnswer(asyncio.Protocol):
    """A connection for one answer: the server's own protocol, closed by `connections` when its time is over."""

    def __init__(self, served: asyncio.Protocol, connections: Connections) -> None:
        self._served = served
        self._connections = connections
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admits the connection."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._connection = Connection.from_peer(transport.get_extra_info("peername"), transport.abort)
        self._served.connection_made(transport)
        self._connections.opened(self._connection)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        if self._connection is not None:
            self._connections.closed(self._connection)
        self._served.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hands on what the client sent."""
        self._served.data_received(data)

    def eof_received(self) -> bool | None:
        """Passes on the end of the client's input."""
        return self._served.eof_received()

    def pause_writing(self) -> None:
        """Hands on that the client does not read."""
        self._served.pause_writing()

    def resume_writing(self) -> None:
        """Hands on that the client reads again."""
        self._served.resume_writing()
