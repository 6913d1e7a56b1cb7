"""The page of metrics on a port of its own, and what counts the requests of console and service."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.ground import metrics as known
from gatekeeper.ground.metrics_page import Metrics, joined
from gatekeeper.http import metrics_server
from gatekeeper.http.http_server import MeasuredRequests


def test_a_client_with_many_idle_connections_then_no_new_thread_and_others_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as idle:
        metrics_server.serve(Metrics(), listening)
        place = listening.getsockname()[:2]
        assert b"process_cpu" in httpx.get(f"http://{place[0]}:{place[1]}/metrics").content
        threads = threading.active_count()
        for number in range(5 * metrics_server.MAX_CONNECTIONS):
            one = idle.enter_context(socket.create_connection(place))
            one.sendall(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"")
        assert b"process_cpu" in httpx.get(f"http://{place[0]}:{place[1]}/metrics").content
        assert threading.active_count() == threads


def test_requests_then_they_count_by_template_and_class_and_never_by_a_callers_words(tmp_path) -> None:
    app, room, metrics = FastAPI(), APIRouter(prefix="/v1"), Metrics()

    @room.get("/people/{id_}")
    def person(id_: str) -> None:
        if id_ == "defect":
            raise RuntimeError

    app.include_router(room)
    app.mount("/static", StaticFiles(directory=tmp_path))

    async def ask() -> None:
        transport = httpx.ASGITransport(MeasuredRequests(app, metrics), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for path in ("/v1/people/narumi", "/v1/people/defect", "/narumi", "/static/narumi"):
                await client.get(path)

    asyncio.run(ask())
    page = metrics.page().decode()
    assert [line for line in page.splitlines() if line.startswith("gatekeeper_requests_total")] == [
        'gatekeeper_requests_total{route="/v1/people/{id_}",status="2xx"} 1.0',
        'gatekeeper_requests_total{route="/v1/people/{id_}",status="5xx"} 1.0',
        'gatekeeper_requests_total{route="other",status="4xx"} 2.0',
    ]
    assert 'gatekeeper_request_seconds_count{route="/v1/people/{id_}"} 2.0' in page
    assert "narumi" not in page


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Returns values by name and labels."""
    found = [one for family in text_string_to_metric_families(page.decode()) for one in family.samples]
    return {(one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value for one in found}


def test_pages_of_two_processes_then_one_page_with_the_samples_of_both() -> None:
    pages = []
    for process in ("0", "1"):
        shown = Metrics()
        shown.count(known.SENDS_DECIDED, "clear", "", "postal", "marketing", n=2 + int(process))
        shown.observe(known.BARRIER, 0.03)
        pages.append((process, shown.page().decode()))
    found = samples(joined(pages))
    decided = ("gatekeeper_sends_decided_total", "channel=postal", "message_class=marketing")
    of = [found[(*decided, f"process={one}", "reason=", "verdict=clear")] for one in ("0", "1")]
    assert of == [2, 3]
    assert found[("gatekeeper_barrier_seconds_bucket", "le=0.05", "process=1")] == 1
