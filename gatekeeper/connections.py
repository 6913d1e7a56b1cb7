"""The connections of an HTTP server: a bounded number, and none that keeps the server waiting for long."""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address


def client(address: str) -> str:
    """The client that an address stands for.

    Of an IPv6 address these are the first 64 bits, as a client has all the rest.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(getattr(found, "ipv4_mapped", None) or found)


class Connections:
    """At most `most` connections at once; closes one for which the server has waited `seconds`.

    A new connection beyond `most` closes one that the server waits for. It closes the oldest of the client that has the
    most of them. It is closed itself where the server is working for all others. So idle connections keep nobody out.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._waiting: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._working: set[asyncio.BaseTransport] = set()

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._waiting) + len(self._working)

    def opened(self, transport: asyncio.WriteTransport) -> None:
        """Admits a new connection, which the server waits for; makes room for it."""
        if self.open >= self._most:
            if not self._waiting:
                transport.abort()
                return
            self._close(self._least_missed())
        self.waits(transport)

    def waits(self, transport: asyncio.BaseTransport) -> None:
        """The server waits for this connection from now on; without effect on one that it already waits for."""
        if transport not in self._waiting:
            self._working.discard(transport)
            timer = asyncio.get_running_loop().call_later(self._seconds, self._close, transport)
            self._waiting[transport] = timer

    def works(self, transport: asyncio.BaseTransport) -> None:
        """The server is working for this connection, however long that takes."""
        if timer := self._waiting.pop(transport, None):
            timer.cancel()
            self._working.add(transport)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """Forgets a connection."""
        self._working.discard(transport)
        if timer := self._waiting.pop(transport, None):
            timer.cancel()

    def _least_missed(self) -> asyncio.BaseTransport:
        clients = {one: client(str((one.get_extra_info("peername") or ("",))[0])) for one in self._waiting}
        (greedy, _), *_ = Counter(clients.values()).most_common(1)
        return next(one for one, name in clients.items() if name == greedy)

    def _close(self, transport: asyncio.BaseTransport) -> None:
        self.closed(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
