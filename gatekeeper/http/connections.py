"""The connections of an HTTP server: a bounded number, shared fairly by its clients, and none waited for for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any

from gatekeeper.http.turns import Turns

REGULARS = 1024
"""Clients that are remembered, as somebody known has asked from there."""


@lru_cache(maxsize=4096)
def client(address: str) -> str:
    """The client that an address stands for.

    Of an IPv6 address these are the first 64 bits, as a client has all the rest.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None:
        return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return str(getattr(ip, "ipv4_mapped", None) or ip)


class Regulars:
    """The clients from whose addresses somebody known has asked, the newest REGULARS of them."""

    def __init__(self) -> None:
        self._clients: dict[str, None] = {}

    def add(self, client: str) -> None:
        """Takes in a client."""
        self._clients.pop(client, None)
        self._clients[client] = None
        if len(self._clients) > REGULARS:
            del self._clients[next(iter(self._clients))]

    def __contains__(self, client: str) -> bool:
        return client in self._clients


@dataclass(eq=False, slots=True)
class Connection:
    """One connection: the client at its other end, and what ends it at once.

    `known`: somebody whom we know made a request over it. `regular`: they did so before from its client.
    """

    client: str
    abort: Callable[[], object]
    known: bool = False
    regular: bool = False

    @classmethod
    def from_peer(cls, peer: Any, abort: Callable[[], object]) -> Connection:
        """The connection from a socket's peer address; `peer` is None where the system does not know it any more."""
        return cls(client(str((peer or ("",))[0])), abort)


class Connections:
    """At most `most` connections at once; ends one for which the server has waited `seconds`.

    A new connection beyond `most` ends one that the server waits for. It ends the oldest of the client that has the
    most of them. Strangers' are ended first, then those of `regulars`, then those over which somebody known has asked.
    Of regulars and of those we know, these give way first that have more than half of all. It is ended itself where the
    server is working for all others. So idle connections keep nobody out.
    """

    def __init__(self, *, most: int, seconds: float, regulars: Regulars | None = None) -> None:
        self.most, self.seconds, self.regulars = most, seconds, regulars or Regulars()
        self.full_at = float("-inf")
        """The last time that a new one was beyond `most`, in seconds of the monotonic clock."""
        self._waiting: dict[Connection, asyncio.TimerHandle] = {}
        self._working: set[Connection] = set()
        self._known, self._regular, self._strangers = Turns[Connection](), Turns[Connection](), Turns[Connection]()

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._waiting) + len(self._working)

    def opened(self, connection: Connection) -> None:
        """Admits a new connection, which the server waits for; makes room for it."""
        connection.regular = connection.client in self.regulars
        if self.open >= self.most:
            self.full_at = monotonic()
            if not self._waiting:
                connection.abort()
                return
            self._end(self._given_way())
        self.waits(connection)

    def waits(self, connection: Connection) -> None:
        """The server waits for this connection from now on; without effect on one that it already waits for."""
        if connection not in self._waiting:
            self._working.discard(connection)
            timer = asyncio.get_running_loop().call_later(self.seconds, self._end, connection)
            self._waiting[connection] = timer
            self._line(connection).add(connection.client, connection)

    def works(self, connection: Connection) -> None:
        """The server is working for this connection, however long that takes."""
        if connection in self._waiting:
            self._forget_waiting(connection)
            self._working.add(connection)

    def recognised(self, connection: Connection) -> None:
        """Somebody known makes a request over this connection: strangers' connections are ended before it."""
        self._line(connection).discard(connection.client, connection)
        self.regulars.add(connection.client)
        connection.known = True
        if connection in self._waiting:
            self._known.add(connection.client, connection)

    def closed(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._working.discard(connection)
        if connection in self._waiting:
            self._forget_waiting(connection)

    def _given_way(self) -> Connection:
        lines = [(self._strangers, 0), (self._regular, self.most // 2), (self._known, self.most // 2)]
        beyond = [line for line, room in lines if len(line) > room]  # strangers have no room for sure
        return next((line for line in reversed(beyond)), next(line for line, _ in lines if line)).give_way()

    def _line(self, connection: Connection) -> Turns[Connection]:
        return self._known if connection.known else self._regular if connection.regular else self._strangers

    def _forget_waiting(self, connection: Connection) -> None:
        self._waiting.pop(connection).cancel()
        self._line(connection).discard(connection.client, connection)

    def _end(self, connection: Connection) -> None:
        self.closed(connection)
        connection.abort()
