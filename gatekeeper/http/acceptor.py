"""Accepts connections: nothing is made for one, no TLS above all, before its client has said something whole."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

import structlog

from gatekeeper.http.connections import Connection, Connections
from gatekeeper.http.turns import Turns

GREETINGS = 128
"""Connections that may greet at once: their first bytes or their TLS handshake are not there yet."""
BACKLOG = 4096
"""Connections that the system holds until they are accepted."""
AT_ONCE = 64
"""Connections accepted before others get a turn."""
HANDSHAKES = 8
"""Handshakes begun before others get a turn: they cost more than all else that a stranger can ask for."""
RETRY_SECONDS = 0.5
"""Seconds until the next look where the system has no room for a connection."""
CLOSE_SECONDS = 5.0
"""Seconds in which a client must answer the end of TLS."""
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_HEADER, _HANDSHAKE = 5, 22
"""The bytes before a record of TLS, and the first of them if it begins a handshake (RFC 8446, 5.1)."""
_RECORD = 1 << 14
_ENDED: Callable[[], object] = dict
log = structlog.get_logger(__name__)


class Acceptor:
    """Accepts connections of a socket that listens; call it in a running loop, and `close` it in the same.

    Clients have turns at their handshakes. Every second one is that of a regular, as of `Connections`.
    `make`: makes the protocol of a connection that has greeted. `tls`: None for plain TCP. `greeting`: those that have
    not greeted yet.
    """

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        *,
        greeting: Connections,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.make, self.greeting, self.tls = make, greeting, tls
        self.greeters = set[Greeter]()
        self._silent: dict[int, Greeter] = {}
        self._said = select.epoll()  # of our own: the loop's registration of one costs as much as all else about it
        self._heard = {True: Turns[Greeter](), False: Turns[Greeter]()}  # by whether they are regulars
        self._listening = listening
        self._retry: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen(BACKLOG)
        self._loop.add_reader(listening.fileno(), self._accept)
        self._loop.add_reader(self._said.fileno(), self._look)

    def close(self) -> None:
        """Accepts no more, and ends those that have not greeted; leaves the listening socket open."""
        self._loop.remove_reader(self._listening.fileno())
        self._loop.remove_reader(self._said.fileno())
        for handle in (self._retry, self._turn):
            if handle is not None:
                handle.cancel()
        for greeter in list(self.greeters):
            greeter.abort()
        self._said.close()

    def listens(self, number: int, greeter: Greeter) -> None:
        """Has this one look when its socket, of this number, has something to say."""
        self._silent[number] = greeter
        self._said.register(number, select.EPOLLIN)

    def listened(self, number: int, *, closed: bool) -> None:
        """Ends that. `closed`: its socket is closed next, which the system takes for the same."""
        if self._silent.pop(number, None) is not None and not closed:
            self._said.unregister(number)

    def heard(self, greeter: Greeter) -> None:
        """Begins the handshake of this one when it is its turn."""
        self._heard[greeter.connection.regular].add(greeter.connection.client, greeter)
        if self._turn is None:
            self._turn = self._loop.call_soon(self._greet)

    def left(self, greeter: Greeter) -> None:
        """Forgets one that has greeted, or has ended."""
        self.greeting.closed(greeter.connection)
        self.greeters.discard(greeter)
        self._heard[greeter.connection.regular].discard(greeter.connection.client, greeter)

    def _look(self) -> None:
        for number, _ in self._said.poll(0, AT_ONCE):
            self._silent[number].look()

    def _greet(self) -> None:
        for number in range(HANDSHAKES):
            regulars_first = number % 2 == 0
            if queue := self._heard[regulars_first] or self._heard[not regulars_first]:
                queue.take().greet()
        self._turn = self._loop.call_soon(self._greet) if any(self._heard.values()) else None

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                log.error("connections_no_room", error=errno.errorcode[error.errno], open=self.greeting.open)
                number = self._listening.fileno()
                self._loop.remove_reader(number)  # it stays readable: asking again at once would never end
                self._retry = self._loop.call_later(RETRY_SECONDS, self._loop.add_reader, number, self._accept)
                return
            accepted.setblocking(False)
            Greeter(self, accepted, peer)


class Greeter:
    """A connection until it has greeted: a socket, and no more until its first bytes are there.

    With TLS these are its first record. The system wakes us when it is whole, so one that comes byte by byte costs
    nothing.
    """

    def __init__(self, acceptor: Acceptor, accepted: socket.socket, peer: Any) -> None:
        self._acceptor, self._socket = acceptor, accepted
        self._wanted = _HEADER if acceptor.tls else 1
        self._handshake: asyncio.Task[None] | None = None
        self._handed_over = False
        self._loop = asyncio.get_running_loop()
        self.connection = Connection.from_peer(peer, self.abort)
        acceptor.greeters.add(self)
        acceptor.greeting.opened(self.connection)
        if (number := accepted.fileno()) >= 0:  # else there was no room
            self._want(self._wanted)
            acceptor.listens(number, self)

    def abort(self) -> None:
        """Ends the connection, whatever it waits for."""
        if self._handshake is not None:
            self._handshake.cancel()
            return
        self._acceptor.listened(self._socket.fileno(), closed=True)
        self._socket.close()
        self._left()

    def greet(self) -> None:
        """Begins the handshake, after which the connection has its protocol."""
        self._handshake = self._loop.create_task(self._greeted())
        self._handshake.add_done_callback(self._ended)

    def _want(self, count: int) -> None:
        self._wanted = count
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def look(self) -> None:
        """Looks whether its first record, or byte, is there as a whole, and then takes its place among those heard."""
        try:
            peeked = self._socket.recv(_HEADER + _RECORD, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            peeked = b""
        whole = self._wanted
        if self._acceptor.tls and len(peeked) >= _HEADER and peeked[0] == _HANDSHAKE:
            whole = _HEADER + min(int.from_bytes(peeked[3:_HEADER]), _RECORD)
        if len(peeked) < self._wanted or (self._acceptor.tls and peeked[0] != _HANDSHAKE):
            self.abort()  # it has ended, or speaks no TLS
        elif len(peeked) < whole:
            self._want(whole)
        else:
            self._acceptor.listened(self._socket.fileno(), closed=False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            self._acceptor.heard(self)

    async def _greeted(self) -> None:
        tls, more = self._acceptor.tls, dict[str, Any]()
        self._handed_over = True
        if tls is not None:
            more = {"ssl_handshake_timeout": self._acceptor.greeting.seconds, "ssl_shutdown_timeout": CLOSE_SECONDS}
        try:
            await self._loop.connect_accepted_socket(self._acceptor.make, self._socket, ssl=tls, **more)
        except OSError as error:  # this is no client of TLS, or not one that we trust
            error.__traceback__ = None  # its frames hold what was made for the connection, and the error itself

    def _ended(self, _: asyncio.Task[None]) -> None:
        if not self._handed_over:
            self._socket.close()
        self._left()

    def _left(self) -> None:
        self._acceptor.left(self)
        self._handshake = None  # as it knows us: two that know each other stay, with all of its TLS, until a collection
        self.connection.abort = _ENDED
