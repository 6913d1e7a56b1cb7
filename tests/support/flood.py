"""Connections that ask for nothing, as a stranger opens them: silent, half greeted, greeted, dripping."""

from __future__ import annotations

import contextlib
import errno
import itertools
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

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
