"""The page /metrics of a process that has no health page of its own, on a port for Prometheus alone."""

from __future__ import annotations

import structlog
from prometheus_client import start_http_server

from gatekeeper.errors import UnavailableError
from gatekeeper.metrics_page import Metrics
from gatekeeper.settings import Settings

log = structlog.get_logger(__name__)


def measured(settings: Settings) -> Metrics:
    """The metrics of this process, served by a thread at GATEKEEPER_METRICS until it ends; nowhere if that is empty.

    The log names the port. Raises UnavailableError (3) if it cannot listen there.
    """
    found = Metrics()
    if not settings.metrics:
        return found
    written, _, port = settings.metrics.rpartition(":")
    host = written.strip("[]")
    try:
        server, _ = start_http_server(int(port), host, found.registry)
    except OSError as error:
        raise UnavailableError("error.metrics_port", host=written, port=port, detail=error) from None
    log.info("metrics_served", port=server.server_port)
    return found
