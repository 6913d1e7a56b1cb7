"""The page /metrics of a process that has no health page of its own, on a port for Prometheus alone."""

from __future__ import annotations

import socket
import threading

import structlog
from prometheus_client import make_asgi_app

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.http import http_server
from gatekeeper.http.connections import Connections

MAX_CONNECTIONS = 16
CONNECTION_SECONDS = 5.0
"""Seconds for which the server waits for a client; Prometheus asks at once."""
log = structlog.get_logger(__name__)


def measured(settings: Settings) -> Metrics:
    """The metrics of this process, served by a thread at GATEKEEPER_METRICS until it ends; nowhere if that is empty.

    The log names the port. Raises UnavailableError (3) if it cannot listen there.
    """
    metrics = Metrics()
    if not settings.metrics:
        return metrics
    written, _, port = settings.metrics.rpartition(":")
    host = written.strip("[]")
    try:
        listening = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UnavailableError("error.metrics_port", host=written, port=port, detail=error) from None
    serve(metrics, listening)
    log.info("metrics_served", port=listening.getsockname()[1])
    return metrics


def serve(metrics: Metrics, listening: socket.socket) -> None:
    """Answers on this socket with the page, by one thread; idle connections cost no other, and keep nobody out."""
    connections = Connections(most=MAX_CONNECTIONS, seconds=CONNECTION_SECONDS)
    server = http_server.Server(make_asgi_app(metrics.registry), lambda: None, connections=connections)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True).start()
