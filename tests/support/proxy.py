"""A TCP proxy before the brokers, which knows where a request of Kafka's protocol begins and ends.

A frame is four bytes of length; a request's goes on with API key, version and correlation id. Answers come in the
order of their requests, so a connection pairs them. Faults look at each request, or at each answer, and may keep it
back, cut the connection or reset it. While one waits, all that is behind it on that connection waits, as in TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self, TypeVar

from kafka.protocol.consumer import FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse
from kafka.protocol.metadata import MetadataRequest, MetadataResponse
from kafka.protocol.producer import EndTxnRequest, EndTxnResponse, ProduceRequest, ProduceResponse

from streams.kafka import node

PRODUCE, FETCH, LIST_OFFSETS, METADATA, END_TXN = 0, 1, 2, 3, 26
_FORMS: Mapping[int, tuple[Any, Any]] = {
    PRODUCE: (ProduceRequest, ProduceResponse),
    FETCH: (FetchRequest, FetchResponse),
    LIST_OFFSETS: (ListOffsetsRequest, ListOffsetsResponse),
    METADATA: (MetadataRequest, MetadataResponse),
    END_TXN: (EndTxnRequest, EndTxnResponse),
}
LINGER_SECONDS = 60.0
"""Seconds that a broker which owes answers keeps its connection after the client's end is gone."""
_RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Exchange:
    """A request to a broker, by its node id, and the answer once that has come; neither with its length."""

    broker: int
    link: Link
    request: bytes
    answer: bytes | None = None
    answered_at: float | None = None

    @property
    def key(self) -> int:
        """The number of the API in Kafka's protocol."""
        return int.from_bytes(self.request[:2])

    @property
    def version(self) -> int:
        return int.from_bytes(self.request[2:4])

    @cached_property
    def asked(self) -> Any:
        """The request as kafka-python reads it."""
        return _FORMS[self.key][0].decode(self.request, version=self.version, header=True)

    @property
    def told(self) -> Any:
        """The answer as kafka-python reads it."""
        assert self.answer is not None, "no answer yet"
        return _FORMS[self.key][1].decode(self.answer, version=self.version, header=True)


Meets = Callable[[Exchange], bool]


class Fault:
    """Sees each request that `meets` picks, or with `answers` the answer to it; what it does is its subclass's.

    With `first` it is over once it has met so many.
    """

    def __init__(self, meets: Meets, *, answers: bool = False, first: int | None = None) -> None:
        self.met: list[Exchange] = []
        self._meets, self._answers, self._first = meets, answers, first

    def takes(self, exchange: Exchange, *, answers: bool) -> bool:
        """Tells whether it is about this request, or this answer; it has then met it."""
        over = self._first is not None and len(self.met) >= self._first
        if over or answers != self._answers or not self._meets(exchange):
            return False
        self.met.append(exchange)
        return True

    async def befall(self, exchange: Exchange) -> None:
        """Returns when the frame may go on; an exception ends its connection."""


class Delay(Fault):
    """Keeps each frame for so many seconds."""

    def __init__(self, meets: Meets, seconds: Callable[[], float], *, answers: bool = False) -> None:
        super().__init__(meets, answers=answers)
        self._seconds = seconds

    async def befall(self, exchange: Exchange) -> None:
        await asyncio.sleep(self._seconds())


class Hold(Fault):
    """Keeps each frame until it is released; with `reset`, the client meanwhile finds its connection reset."""

    def __init__(self, meets: Meets, *, answers: bool = False, first: int | None = None, reset: bool = False) -> None:
        super().__init__(meets, answers=answers, first=first)
        self._reset = reset
        self._released = asyncio.Event()

    async def befall(self, exchange: Exchange) -> None:
        if self._reset:
            exchange.link.reset()
        await self._released.wait()

    def release(self) -> None:
        """Lets go on what was held; `Proxy.release` calls it in the right thread."""
        self._released.set()


class Reset(Fault):
    """Drops each frame, and resets its connection."""

    async def befall(self, exchange: Exchange) -> None:
        exchange.link.reset()
        raise ConnectionResetError


_F = TypeVar("_F", bound=Fault)


class Link:
    """One connection of a client to a broker, and the requests in it that wait for their answers."""

    def __init__(self, proxy: Proxy, broker: int, client: asyncio.StreamWriter) -> None:
        self._proxy, self._broker, self._client = proxy, broker, client
        self._pending: deque[Exchange] = deque()

    def reset(self) -> None:
        """Resets the connection to the client; what it sent stays on its way to the broker."""
        if self._client.is_closing():
            return
        self._client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._client.transport.abort()

    async def carry(self, client: asyncio.StreamReader, port: int) -> None:
        """Returns when the connection has ended at both ends."""
        far = None
        try:
            answers, far = await asyncio.open_connection(node.HOST, port, limit=1 << 20)
            back = asyncio.create_task(self._answers(answers))
            asking = asyncio.create_task(self._requests(client, far))
            await asyncio.wait({back, asking}, return_when=asyncio.FIRST_COMPLETED)
            self._client.close()
            if asking.done() and self._pending:  # the client is gone, and what it asked for is done all the same
                await asyncio.wait({back}, timeout=LINGER_SECONDS)
            for task in (back, asking):
                task.cancel()
            await asyncio.gather(back, asking, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in (self._client, far):
                if end is not None:
                    end.close()

    async def _requests(self, client: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                exchange = Exchange(self._broker, self, await _frame(client))
                await self._proxy.befalls(exchange, answers=False)
                if not (exchange.key == PRODUCE and exchange.asked.acks == 0):
                    self._pending.append(exchange)
                self._proxy.seen[exchange.key] = self._proxy.seen.get(exchange.key, 0) + 1
                far.write(len(exchange.request).to_bytes(4) + exchange.request)
                await far.drain()

    async def _answers(self, answers: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await _frame(answers)
                exchange = self._pending[0]
                exchange.answer, exchange.answered_at = frame, time.monotonic()
                await self._proxy.befalls(exchange, answers=True)
                self._pending.popleft()
                if self._client.is_closing():
                    if not self._pending:
                        return
                    continue
                self._client.write(len(frame).to_bytes(4) + frame)
                await self._client.drain()


class Proxy:
    """A port on loopback for each broker; clients of Kafka's `PROXIED` listener come through it.

    It runs in a thread of its own; faults may be added, removed and released from any other.
    """

    def __init__(self, upstream: Mapping[int, int]) -> None:
        self._upstream = dict(upstream)
        self._sockets = {broker: socket.create_server((node.HOST, node.free_port())) for broker in upstream}
        self._faults: tuple[Fault, ...] = ()
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self.seen: dict[int, int] = {}
        """The number of requests to the brokers, by API."""

    def port(self, broker: int) -> int:
        found: int = self._sockets[broker].getsockname()[1]
        return found

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{node.HOST}:{self.port(broker)}" for broker in self._upstream)

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def add(self, fault: _F) -> _F:
        """Has a fault befall what is met from now on."""
        self._faults = (*self._faults, fault)
        return fault

    def remove(self, *faults: Fault) -> None:
        """Ends faults; what they hold back goes on."""
        self._faults = tuple(fault for fault in self._faults if fault not in faults)
        for fault in faults:
            if isinstance(fault, Hold):
                self.release(fault)

    def release(self, hold: Hold) -> None:
        """Lets go on what was held."""
        self._loop.call_soon_threadsafe(hold.release)

    def reset(self) -> None:
        """Resets the connections to all brokers."""
        for link in tuple(self._links):
            self._loop.call_soon_threadsafe(link.reset)

    async def befalls(self, exchange: Exchange, *, answers: bool) -> None:
        """Returns when no fault keeps the request, or its answer, back any more."""
        for fault in self._faults:
            if fault.takes(exchange, answers=answers):
                await fault.befall(exchange)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        started.set()
        self._loop.run_forever()
        ending = asyncio.all_tasks(self._loop)
        for task in ending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*ending, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        for broker, listening in self._sockets.items():
            await asyncio.start_server(partial(self._connected, broker), sock=listening, limit=1 << 20)

    def _connected(self, broker: int, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, broker, writer)
        self._links[link] = asyncio.create_task(link.carry(client, self._upstream[broker]))
        self._links[link].add_done_callback(lambda _: self._links.pop(link))


async def _frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
