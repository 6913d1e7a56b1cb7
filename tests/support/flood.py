"""Connections by the thousand that ask for nothing, as a stranger opens them: silent, half greeted, greeted, dripping.

`python -m tests.support.flood --connections 5000` floods `gatekeeper serve`, and measures its memory and how long a
known caller waits.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import itertools
import json
import multiprocessing
import resource
import select
import socket
import ssl
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.http.http_server import QUIET_SECONDS
from gatekeeper.service.caller_keys import digest, new_key
from streams.kafka.broker import Broker
from tests.support.certificates import certify
from tests.support.service import question, service
from tests.support.world import World

KINDS = ("silent", "half", "greeted", "drip")
DRIP_SECONDS = 0.2
BODY = b"POST /v1/sends HTTP/1.1\r\nhost: gate.example\r\ncontent-length: 1000000\r\n\r\n" + b" " * 1000
HEAD = b"GET /healthz HTTP/1.1\r\nhost: gate.example\r\nx-long: " + b"x" * 1000
_OPENING = frozenset((0, errno.EINPROGRESS))


class Attack:
    """Holds connections of all kinds, and opens them anew when the server ends them, until `over` says True.

    `sources`: the addresses from which they come, in turn. `tls`: None for plain HTTP.
    """

    def __init__(
        self, place: tuple[str, int], count: int, *, sources: Sequence[str], tls: ssl.SSLContext | None
    ) -> None:
        self._place, self._count, self._tls = place, count, tls
        self._turns = itertools.cycle(itertools.product(sources, KINDS))
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._kinds: dict[int, str] = {}
        self._dripping: dict[int, Iterator[int]] = {}
        self.opened = 0
        """Connections opened so far."""

    def run(self, over: Callable[[], bool]) -> None:
        """Attacks until `over`."""
        dripped = time.monotonic()
        while not over():
            while len(self._open) < self._count and self._begin():
                pass
            for number, _ in self._epoll.poll(0.05):
                self._goes_on(number)
            if time.monotonic() - dripped > DRIP_SECONDS:
                dripped = time.monotonic()
                for number in list(self._dripping):
                    self._drip(number)
        for number in list(self._open):
            self._end(number)

    def _begin(self) -> bool:
        source, kind = next(self._turns)
        one = socket.socket()
        one.setblocking(False)
        try:
            one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: a port for each pair of addresses
            one.bind((source, 0))
            if one.connect_ex(self._place) not in _OPENING:
                raise OSError
        except OSError:
            one.close()
            return False
        self.opened += 1
        self._open[one.fileno()], self._kinds[one.fileno()] = one, kind
        self._epoll.register(one, select.EPOLLIN | select.EPOLLOUT)
        return self.opened % 64 > 0

    def _goes_on(self, number: int) -> None:
        one, kind = self._open[number], self._kinds[number]
        try:
            if self._tls is not None and kind in ("greeted", "drip") and not isinstance(one, ssl.SSLSocket):
                one = self._tls.wrap_socket(one, server_hostname="127.0.0.1", do_handshake_on_connect=False)
                self._open[number] = one
            if isinstance(one, ssl.SSLSocket) and number not in self._dripping:
                one.do_handshake()
            elif kind == "half" and self._tls is not None:
                one.send(b"\x16\x03\x01\x02\x00\x01" + bytes(200))
            with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                if not one.recv(65_536):
                    raise OSError
            if kind == "drip" and number not in self._dripping:
                self._dripping[number] = iter(BODY if number % 2 else HEAD)
            self._kinds[number] = "begun" if kind in ("half", "silent") else kind
            self._epoll.modify(number, select.EPOLLIN)
        except ssl.SSLWantReadError:
            self._epoll.modify(number, select.EPOLLIN)
        except OSError:
            self._end(number)

    def _drip(self, number: int) -> None:
        try:
            self._open[number].send(bytes((next(self._dripping[number]),)))
        except (OSError, StopIteration):
            self._end(number)

    def _end(self, number: int) -> None:
        self._epoll.unregister(number)
        self._open.pop(number).close()
        self._kinds.pop(number)
        self._dripping.pop(number, None)


@contextmanager
def attacked(
    place: tuple[str, int], count: int, *, sources: Sequence[str], tls: ssl.SSLContext | None = None
) -> Iterator[Attack]:
    """Attacks by a thread of this process, meanwhile."""
    attack, over = Attack(place, count, sources=sources, tls=tls), threading.Event()
    thread = threading.Thread(target=attack.run, args=(over.is_set,), daemon=True)
    thread.start()
    try:
        yield attack
    finally:
        over.set()
        thread.join(30)


def _attack(place: tuple[str, int], count: int, sources: Sequence[str], ca: Path, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    tls = ssl.create_default_context(cafile=str(ca))
    attack, until = Attack(place, count, sources=sources, tls=tls), time.monotonic() + seconds
    attack.run(lambda: time.monotonic() > until and attack.opened >= count)
    print(f"  the attacker opened {attack.opened:,} connections", flush=True)


def _resident(pid: int, what: str = "VmRSS") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


def _asked(place: tuple[str, int], tls: ssl.SSLContext, headers: dict[str, str]) -> tuple[float, float, float]:
    """The seconds of a question over a new connection: until it stands, is encrypted, and has its answer.

    Raises OSError if it has none.
    """
    body = json.dumps(question("known")).encode()
    lines = ["POST /access/v1/evaluation HTTP/1.1", "host: gate.example", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()] + [f"content-length: {len(body)}", "", ""]
    began = time.monotonic()
    with socket.create_connection(place, 30) as plain:
        stands = time.monotonic()
        with tls.wrap_socket(plain, server_hostname="127.0.0.1") as one:
            encrypted = time.monotonic()
            one.sendall("\r\n".join(lines).encode() + body)
            if not one.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                raise ConnectionError
            return stands - began, encrypted - stands, time.monotonic() - encrypted


def main() -> int:
    """Prints memory and waiting for an attack from elsewhere, and for one from the known caller's own address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flood-") as kept, Broker(Path(kept, "kafka")) as broker:
        folder = Path(kept)
        world = World(broker.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, data=f"{kept}/data").create()
        world.people(["known"])
        certify(folder)
        key, file = new_key(), folder / "callers.toml"
        file.write_text(f'[[callers]]\nid = "crm"\nscopes = ["access"]\nkey_sha256 = ["{digest(key)}"]\n')
        file.chmod(0o600)
        bearer = {"authorization": f"Bearer {key}"}
        settings = {
            "GATEKEEPER_SERVE_CALLERS": str(file),
            "GATEKEEPER_SERVE_CERTIFICATE": str(folder / "server.pem"),
            "SSL_CERT_FILE": str(folder / "ca.pem"),
        }
        trusting = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        with service(world, folder / "service", verify=trusting, **settings) as (process, client):
            place = ("127.0.0.1", client.base_url.port or 0)
            asked_for = client.post("/access/v1/evaluation", json=question("known"), headers=bearer)
            assert asked_for.is_success, "from now on the caller is known"
            print(f"before: {_resident(process.pid)} MB")
            for name, sources in (
                ("one other address", ["127.0.0.2"]),
                ("2,000 other addresses", [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(2_000)]),
                ("the caller's own address", ["127.0.0.1"]),
            ):
                print(f"{asked.connections:,} connections from {name}", flush=True)
                given = (place, asked.connections, sources, folder / "ca.pem", asked.seconds)
                attack = multiprocessing.get_context("spawn").Process(target=_attack, args=given)
                attack.start()
                times, failed, most = list[tuple[float, ...]](), 0, 0
                while attack.is_alive():
                    try:
                        times.append(_asked(place, trusting, bearer))
                    except OSError:
                        failed += 1
                    most = max(most, _resident(process.pid))
                    attack.join(0.1)
                times.sort(key=sum)
                print(f"  most {most} MB, after {_resident(process.pid)} MB", flush=True)
                waited = f"half within {sum(times[len(times) // 2]):.2f} s, all within {sum(times[-1]):.2f} s"
                print(f"  {len(times)} new connections of the known caller, {failed} failed, {waited}")
                parts = zip(("until it was accepted", "until it had greeted", "for the answer"), times[-1], strict=True)
                print(f"  the longest: {', '.join(f'{part:.2f} s {what}' for what, part in parts)}", flush=True)
            time.sleep(2 * QUIET_SECONDS)
            print(f"{2 * QUIET_SECONDS:.0f} s later: {_resident(process.pid)} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
