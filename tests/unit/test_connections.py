"""Half-sent requests and idle connections, as anybody on the network may open them: nobody else waits for them."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Queue

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatekeeper.ground.settings import Settings
from gatekeeper.http import acceptor, http_server
from gatekeeper.http.acceptor import GREETINGS, Acceptor
from gatekeeper.http.connections import Connections
from gatekeeper.http.http_server import Server, recognised
from streams.worker.health import serve_health
from tests.support.certificates import certify
from tests.support.flood import attacked
from tests.support.world import until

MOST = 8
SECONDS = 0.2
LONG = pytest.mark.long("the same without TLS")
HEAD = b"GET / HTTP/1.1\r\nhost: gate.example\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: gate.example\r\nconnection: close\r\n\r\n"
HELD = SLOW.replace(b"/slow", b"/held")
FORM = b"POST / HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 100\r\n\r\nuser="


@contextmanager
def console(
    connections: Connections, tls: ssl.SSLContext | None = None, go: threading.Event | None = None
) -> Iterator[tuple[str, int]]:
    """Serves a page that reads the form, one that takes its time, and one that waits for `go`."""

    async def told(request: Request) -> Response:
        if "authorization" in request.headers:
            recognised(request.scope)
        return PlainTextResponse(str(len(await request.body())))

    async def slow(request: Request) -> Response:
        await asyncio.sleep(2 * SECONDS)
        return PlainTextResponse("slow")

    async def held(request: Request) -> Response:
        assert go is not None
        await asyncio.to_thread(go.wait, 60)
        return PlainTextResponse("held")

    async def large(request: Request) -> Response:
        return Response(b"x" * 50_000_000)

    pages = [Route("/", told, methods=["GET", "POST"]), Route("/slow", slow), Route("/held", held)]
    pages += [Route("/large", large)]
    started = threading.Event()
    server = Server(Starlette(routes=pages), started.set, connections=connections, tls=tls)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def health(connections: Connections) -> Iterator[tuple[str, int]]:
    """Serves the worker's health page."""
    settings, ports, over = Settings(http_port=0), Queue[int](), Queue[None]()

    async def served() -> None:
        ports.put(await serve_health(settings, dict, connections=connections))
        await asyncio.to_thread(over.get)

    thread = threading.Thread(target=asyncio.run, args=(served(),), daemon=True)
    thread.start()
    try:
        yield settings.http_host, ports.get(timeout=10)
    finally:
        over.put(None)
        thread.join(10)


def asked(place: tuple[str, int], path: str) -> int:
    return httpx.get(f"http://{place[0]}:{place[1]}{path}", timeout=5).status_code


def dripped(connection: socket.socket, said: bytes) -> int:
    """Sends byte by byte, ten in SECONDS, and returns how many went out before the server closed the connection."""
    connection.settimeout(SECONDS / 10)
    for n, byte in enumerate(said):
        try:
            connection.sendall(bytes((byte,)))
            connection.recv(1)
            return n
        except TimeoutError:
            continue
        except ConnectionError:
            return n
    return len(said)


def is_closed(connection: socket.socket) -> bool:
    """True once the server has closed this connection; waits for it."""
    connection.settimeout(10)
    with suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass
    return True


@pytest.mark.parametrize(
    ("serve", "path", "said"), [(console, "/", FORM), (health, "/healthz", b"")], ids=["console", "health"]
)
def test_many_connections_that_ask_nothing_then_they_close_and_others_are_answered(
    serve, path: str, said: bytes
) -> None:
    with serve(Connections(most=MOST, seconds=SECONDS)) as place, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(place)) for _ in range(5 * MOST)]
        for one in idle:
            with suppress(OSError):  # closed already, to make room
                one.sendall(said)
        assert asked(place, path) == 200
        assert all(is_closed(one) for one in idle)


def test_many_connections_amid_a_handshake_then_they_close_and_others_are_answered(tmp_path: Path) -> None:
    tls, trusting = tls_of(tmp_path)
    with console(Connections(most=MOST, seconds=SECONDS), tls) as (host, port), ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((host, port))) for _ in range(5 * MOST)]
        for number, one in enumerate(idle):
            with suppress(OSError):  # closed already, to make room
                one.sendall((b"\x16\x03\x01", HEAD)[number % 2])
        assert httpx.get(f"https://{host}:{port}/", verify=trusting, timeout=5).status_code == 200
        assert all(is_closed(one) for one in idle)


def test_a_client_that_sends_byte_by_byte_then_its_time_is_not_prolonged() -> None:
    with console(Connections(most=MOST, seconds=SECONDS)) as place, socket.create_connection(place) as slow:
        begun = time.monotonic()
        assert dripped(slow, HEAD * 100) < len(HEAD * 100)
        assert time.monotonic() - begun < 5 * SECONDS


def test_an_answer_that_takes_longer_then_it_comes_despite_idle_connections() -> None:
    with console(Connections(most=MOST, seconds=SECONDS)) as place, ExitStack() as stack:
        slow = stack.enter_context(socket.create_connection(place))
        slow.sendall(SLOW)
        for _ in range(3 * MOST):
            stack.enter_context(socket.create_connection(place, source_address=("127.0.0.2", 0)))
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_its_answer_then_it_is_closed() -> None:
    connections = Connections(most=MOST, seconds=SECONDS)
    with console(connections) as place, socket.create_connection(place) as deaf:
        deaf.sendall(b"GET /large HTTP/1.1\r\nhost: gate.example\r\n\r\n")
        assert asked(place, "/") == 200
        until(lambda: connections.open == 0, "the end of the connection")


def test_all_at_work_then_a_new_one_is_refused_and_room_is_made_when_one_ends() -> None:
    connections, go = Connections(most=2, seconds=60.0), threading.Event()
    with console(connections, go=go) as place:
        with socket.create_connection(place) as one, socket.create_connection(place) as other:
            for held in (one, other):
                held.sendall(HELD)
            until(lambda: len(connections._working) == 2, "both requests to be read")
            with pytest.raises(httpx.TransportError):
                asked(place, "/")
            go.set()
            for held in (one, other):
                held.settimeout(10)
                assert held.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: connections.open == 0, "the end of both")
        assert asked(place, "/") == 200


ASKED = b"GET / HTTP/1.1\r\nhost: gate.example\r\nauthorization: me\r\n\r\n"


def tls_of(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server with a certificate, and that of a client who trusts it."""
    certify(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    return tls, ssl.create_default_context(cafile=str(folder / "ca.pem"))


@pytest.mark.parametrize(
    ("encrypted", "sources"),
    [pytest.param(True, 400, id="TLS-many addresses", marks=LONG), pytest.param(False, 1, id="plain-one address")],
)
def test_a_flood_of_silent_and_dripping_connections_then_a_caller_is_answered(
    tmp_path: Path, encrypted: bool, sources: int
) -> None:
    tls, trusting = tls_of(tmp_path) if encrypted else (None, None)
    connections, peak, answers = Connections(most=MOST, seconds=20.0), 0, 0
    strangers = [f"127.3.{n // 250}.{n % 250 + 1}" for n in range(sources)]
    with console(connections, tls) as place, attacked(place, 400, sources=strangers, tls=trusting) as attack:
        until(lambda: attack.opened > 600, "more connections than there is room for")
        while answers < 5 or attack.opened < 1_000:
            url = f"http{'s' if encrypted else ''}://127.0.0.1:{place[1]}/"
            with suppress(httpx.TransportError):  # of as many addresses as there is room for, each is as good as ours
                answers += httpx.get(url, verify=trusting or False, timeout=10).status_code == 200
            peak = max(peak, sum(type(one) is ssl.SSLObject for one in gc.get_objects()))
            assert connections.open <= MOST
    assert (peak > 0, peak <= GREETINGS + 2 * MOST) == (encrypted, True)


def test_a_flood_that_is_over_then_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[int]()
    monkeypatch.setattr(http_server, "QUIET_SECONDS", 3600)
    monkeypatch.setattr(http_server, "give_back", lambda: given.append(1))
    connections = Connections(most=MOST, seconds=20.0)
    with console(connections) as place:
        assert asked(place, "/") == 200
        with attacked(place, 400, sources=["127.0.0.2"]) as attack:
            until(lambda: attack.opened > 600, "more connections than there is room for")
            assert not given
        monkeypatch.setattr(http_server, "QUIET_SECONDS", 0)
        until(lambda: given, "memory is given back")


def test_a_flood_from_the_address_of_somebody_known_then_that_connection_stays(tmp_path: Path) -> None:
    tls, trusting = tls_of(tmp_path)
    with console(Connections(most=MOST, seconds=20.0), tls) as place, socket.create_connection(place) as plain:
        known = trusting.wrap_socket(plain, server_hostname="127.0.0.1")
        known.settimeout(10)
        with attacked(place, 200, sources=["127.0.0.1"], tls=trusting) as attack:
            for number in range(1, 6):
                known.sendall(ASKED)
                answer = b""
                while not answer.endswith(b"\r\n\r\n0"):
                    more = known.recv(65_536)
                    assert more, "closed"
                    answer += more
                until(lambda number=number: attack.opened > 200 + 60 * number, "further strangers")
        known.close()


@pytest.mark.parametrize("encrypted", [pytest.param(True, marks=LONG), False], ids=["TLS", "plain"])
def test_a_flood_from_many_addresses_then_callers_from_a_known_address_are_answered(
    tmp_path: Path, encrypted: bool
) -> None:
    tls, trusting = tls_of(tmp_path) if encrypted else (None, None)
    strangers = [f"127.3.{n // 250}.{n % 250 + 1}" for n in range(1_000)]
    with console(Connections(most=MOST, seconds=20.0), tls) as place:
        url = f"http{'s' if encrypted else ''}://127.0.0.1:{place[1]}/"

        def ask() -> int:
            given = {"authorization": "me"}
            return httpx.get(url, verify=trusting or False, headers=given, timeout=20).status_code

        assert ask() == 200
        with attacked(place, 800, sources=strangers, tls=trusting) as attack:
            until(lambda: attack.opened > 1_000, "more connections than there is room for")
            assert [ask() for _ in range(10)] == [200] * 10


class Full(socket.socket):
    """A listening socket of a process that has no file left: `refused` says how often it was asked then."""

    left, refused = 3, 0

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.left:
            self.left -= 1
            self.refused += 1
            raise OSError(errno.EMFILE, "no file left")
        return super().accept()


def test_no_file_is_left_then_it_waits_and_accepts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "RETRY_SECONDS", 0.05)
    with Full() as listening:
        listening.bind(("127.0.0.1", 0))

        async def served() -> None:
            loop, heard = asyncio.get_running_loop(), asyncio.Event()

            class Told(asyncio.Protocol):
                def data_received(self, data: bytes) -> None:
                    heard.set()

            began = loop.time()
            accepting = Acceptor(listening, Told, greeting=Connections(most=4, seconds=60.0))
            _, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"x")
            await asyncio.wait_for(heard.wait(), 30)
            assert loop.time() - began >= 0.1, "else it asked without a pause"
            accepting.close()
            writer.close()

        asyncio.run(served())
        assert listening.refused == 3


SMUGGLED = {
    "two lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nhost: gate.example\n\n",
    "a bare blank line": b"GET / HTTP/1.1\r\nhost: gate.example\r\n\n",
    "in a trailer": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\n\r\n",
    "in a chunk": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("said", SMUGGLED.values(), ids=SMUGGLED)
@pytest.mark.parametrize("behind", [b"", FORM.replace(b"100", b"5")], ids=["first", "behind another"])
def test_a_request_that_a_proxy_may_read_otherwise_then_400_and_no_more_is_read(said: bytes, behind: bytes) -> None:
    with console(Connections(most=MOST, seconds=60.0)) as place, socket.create_connection(place) as smuggler:
        smuggler.sendall(behind + said + HEAD + b"\r\n")
        smuggler.settimeout(10)
        answers = b""
        with suppress(ConnectionResetError):
            while more := smuggler.recv(65_536):
                answers += more
        statuses = [one[:3] for one in answers.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200"] * bool(behind) + [b"400"]
