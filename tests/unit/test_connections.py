"""Half-sent requests and idle connections, as anybody on the network may open them: nobody else waits for them."""

from __future__ import annotations

import asyncio
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

from gatekeeper.connections import Connections, client
from gatekeeper.http_server import Server
from gatekeeper.settings import Settings
from streams.worker.health import serve_health
from tests.support.certificates import certify
from tests.support.world import until

MOST = 8
SECONDS = 0.4
HEAD = b"GET / HTTP/1.1\r\nhost: gate.example\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: gate.example\r\nconnection: close\r\n\r\n"
FORM = b"POST / HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 100\r\n\r\nuser="


@contextmanager
def console(connections: Connections, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, int]]:
    """Serves a page that reads the form, and one that takes its time."""

    async def told(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def slow(request: Request) -> Response:
        await asyncio.sleep(2 * SECONDS)
        return PlainTextResponse("slow")

    async def large(request: Request) -> Response:
        return Response(b"x" * 50_000_000)

    pages = [Route("/", told, methods=["GET", "POST"]), Route("/slow", slow), Route("/large", large)]
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


SERVERS = pytest.mark.parametrize(("serve", "path"), [(console, "/"), (health, "/healthz")], ids=["console", "health"])


def asked(place: tuple[str, int], path: str) -> int:
    return httpx.get(f"http://{place[0]}:{place[1]}{path}", timeout=5).status_code


def refused(place: tuple[str, int], path: str) -> bool:
    try:
        asked(place, path)
    except httpx.TransportError:
        return True
    return False


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
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


@SERVERS
@pytest.mark.parametrize("said", [b"", HEAD, FORM], ids=["nothing", "half a head", "half a form"])
def test_many_connections_that_ask_for_nothing_then_others_are_answered_and_they_are_closed(
    serve, path: str, said: bytes
) -> None:
    with serve(Connections(most=MOST, seconds=SECONDS)) as place, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(place)) for _ in range(5 * MOST)]
        for one in idle:
            with suppress(OSError):  # closed already, to make room
                one.sendall(said)
        assert asked(place, path) == 200
        assert all(is_closed(one) for one in idle)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", HEAD], ids=["nothing", "half a greeting", "no TLS"])
def test_many_connections_that_never_finish_their_handshake_then_others_are_answered_and_they_are_closed(
    tmp_path: Path, said: bytes
) -> None:
    certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    with console(Connections(most=MOST, seconds=SECONDS), tls) as (host, port), ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((host, port))) for _ in range(5 * MOST)]
        for one in idle:
            with suppress(OSError):  # closed already, to make room
                one.sendall(said)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        assert httpx.get(f"https://{host}:{port}/", verify=trusting, timeout=5).status_code == 200
        assert all(is_closed(one) for one in idle)


def test_a_request_that_comes_with_the_end_of_the_handshake_then_it_is_answered(tmp_path: Path) -> None:
    certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = trusting.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with console(Connections(most=MOST, seconds=SECONDS), tls) as place, socket.create_connection(place) as plain:
        while True:
            try:
                ours.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65_536))
        ours.write(HEAD + b"connection: close\r\n\r\n")
        plain.sendall(outgoing.read())  # the end of the handshake and the request, as one
        answer = b""
        while not answer:  # and no longer: the server waits for the end of TLS, which a client owes it
            assert incoming.write(plain.recv(65_536)), "closed without an answer"
            with suppress(ssl.SSLWantReadError):
                answer = ours.read(65_536)
        assert answer.startswith(b"HTTP/1.1 200")


@SERVERS
def test_a_client_that_sends_byte_by_byte_then_its_time_is_not_prolonged(serve, path: str) -> None:
    with serve(Connections(most=MOST, seconds=SECONDS)) as place, socket.create_connection(place) as slow:
        begun = time.monotonic()
        assert dripped(slow, HEAD * 100) < len(HEAD * 100)
        assert time.monotonic() - begun < 5 * SECONDS


def test_an_answer_that_takes_longer_then_it_comes_and_idle_connections_do_not_push_it_out() -> None:
    with console(Connections(most=MOST, seconds=SECONDS)) as place, ExitStack() as stack:
        slow = stack.enter_context(socket.create_connection(place))
        slow.sendall(SLOW)
        for _ in range(3 * MOST):
            stack.enter_context(socket.create_connection(place, source_address=("127.0.0.2", 0)))
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


@SERVERS
def test_one_client_takes_all_connections_then_the_connection_of_another_stays(serve, path: str) -> None:
    with serve(Connections(most=MOST, seconds=10 * SECONDS)) as place, ExitStack() as stack:
        other = stack.enter_context(socket.create_connection(place))
        for _ in range(3 * MOST):
            stack.enter_context(socket.create_connection(place, source_address=("127.0.0.2", 0)))
        other.sendall(f"GET {path} HTTP/1.1\r\nhost: gate.example\r\n\r\n".encode())
        other.settimeout(10)
        assert other.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_address_then_the_client_behind_it(address: str, name: str) -> None:
    assert client(address) == name


def test_a_client_that_does_not_read_its_answer_then_it_is_closed() -> None:
    connections = Connections(most=MOST, seconds=SECONDS)
    with console(connections) as place, socket.create_connection(place) as deaf:
        deaf.sendall(b"GET /large HTTP/1.1\r\nhost: gate.example\r\n\r\n")
        assert asked(place, "/") == 200
        until(lambda: connections.open == 0, "the end of the connection")


def test_all_at_work_then_a_new_one_is_refused_and_room_is_made_when_one_ends() -> None:
    with console(Connections(most=2, seconds=SECONDS)) as place:
        with socket.create_connection(place) as one, socket.create_connection(place) as other:
            for slow in (one, other):
                slow.sendall(SLOW)
            until(lambda: refused(place, "/"), "both requests to be read")
            for slow in (one, other):
                slow.settimeout(10)
                assert slow.recv(100).startswith(b"HTTP/1.1 200")
        assert asked(place, "/") == 200
