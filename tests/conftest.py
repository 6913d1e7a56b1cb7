"""The tests share one real Kafka a run and a repository of its jars; each test has names of its own."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings

from gatekeeper.ground import forks
from streams.kafka import jars, node
from streams.kafka.broker import Broker
from tests.support.shared_kafka import Shared, shared

# A change is judged by the same few examples everywhere; look for new ones with  --hypothesis-profile=many
settings.register_profile("same", max_examples=20, derandomize=True, deadline=None)
settings.register_profile("many", max_examples=1_000, deadline=None)
settings.load_profile("same")

# A port is looked for first and used later, so processes that run side by side look in different places.
_NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw")) % 10
node.PORTS = node.PORTS[_NUMBER * 1_200 :][:1_200]

# What a shell runs in the background ignores Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Lets the collector of garbage look at what tests make, and not at all modules, each time anew."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_runtest_call() -> None:
    """Lets a test fork beside the threads of the runner, of fixtures and earlier tests. One of its own is refused."""
    forks.THREADS = len(os.listdir("/proc/self/task"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker | Shared]:
    """A running Kafka, the same for the whole session; tests that hurt a broker start their own."""
    if running := shared():
        yield running
    else:
        with Broker() as broker:
            yield broker


@pytest.fixture
def prefix() -> str:
    """A prefix for the topics of one test."""
    return f"t{uuid.uuid4().hex}."


class Mirror(ThreadingHTTPServer):
    """A Maven repository of Kafka's jars on loopback, that can be told to serve them badly.

    `faults` names, by jar, what the next answers are: an HTTP status, "damaged", "longer", "cut" or "silent".
    """

    daemon_threads = True

    def __init__(self, cache: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.cache = cache
        self.faults: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/maven"


class _Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        path = self.path.removeprefix("/maven/")
        jar = next(jar for jar in jars.locked() if jar.path == path)
        self.server.asked.append(jar.name)
        waiting = self.server.faults.get(jar.name)
        fault = waiting.pop(0) if waiting else None
        if isinstance(fault, int):
            self.send_error(fault)
            return
        data = (self.server.cache / jar.name).read_bytes()
        if fault == "damaged":
            data = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        if fault == "longer":
            data += b"x"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "silent":
            self.server.over.wait()
        with contextlib.suppress(ConnectionError):  # whoever asked has waited long enough
            self.wfile.write(data[:1000] if fault == "cut" else data)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A running repository, which MAVEN_MIRROR_URL names."""
    cache = jars.fetch()[0].parent
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Mirror(cache) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("MAVEN_MIRROR_URL", server.address)
        yield server
        server.over.set()
        server.shutdown()
        thread.join()
