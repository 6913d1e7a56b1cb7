"""Starts the console: its port, who may reach it, and its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekeeper.console import queue_metrics
from gatekeeper.console.app import create_app
from gatekeeper.console.users import Users
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.http import http_server, metrics_server
from gatekeeper.http.http_server import LOOPBACK
from streams.client.reader import Reader

if TYPE_CHECKING:
    from gatekeeper.console.identity_provider import Provider


def serve(
    settings: Settings, *, users: Users | None, provider: Provider | None, started: Callable[[str], None]
) -> None:
    """Serves the console until it is interrupted; calls `started` with its address.

    Raises UsageError (2) for an address other than this machine's without sign-in.
    Raises UnavailableError (3) when no broker answers, the port is taken, or another console has the data folder.
    """
    host, port = settings.console_host, settings.console_port
    if users is None and provider is None and host not in LOOPBACK:
        raise UsageError("error.console_open", host=host)
    metrics = metrics_server.measured(settings)
    with Reader(settings) as reader:
        reader.ends("review")  # report an unreachable broker before anybody opens a page
    with AtomicStore(settings.index).alone(), http_server.listening(host, port) as socket:
        url = http_server.address(socket, host)
        app = create_app(settings, users=users, provider=provider)
        metrics.find(lambda: queue_metrics.values(app.state.console))
        counted = http_server.MeasuredRequests(app, metrics)
        http_server.Server(counted, lambda: started(url), proxies=settings.proxies).run(sockets=[socket])
