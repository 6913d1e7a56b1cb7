"""What stands before every page: security headers, whose host it is, how large a form and how many requests may be."""

from __future__ import annotations

import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatekeeper.console.session import Denied

FORM_BYTES = 256 * 1024
HEARD_BYTES = 32 * 1024 * 1024
"""So much of a form that is too large is heard, and thrown away, before it is refused."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SENDER = re.compile(r"(https?)://([^/?#]+)")
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class Guard:
    """ASGI middleware; `hosts`: the names that this console answers to, None = any; `told` makes a refusal's page."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, told: Callable[[Request, Exception], Response]
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, read = Headers(scope=scope), 0

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found[name] = value
                if scope["scheme"] == "https":
                    found["Strict-Transport-Security"] = "max-age=31536000"
                found.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read <= FORM_BYTES:
                return message
            while message.get("more_body") and read < HEARD_BYTES:
                message = await receive()  # a browser hears no answer before it has sent all
                read += len(message.get("body", b""))
            raise Denied("page.form_large", 413)

        host, refused = headers.get("host", ""), None
        if self._hosts is not None and urlsplit(f"//{host}").hostname not in self._hosts:
            # a name that somebody else made point here would be another site with our pages in it
            refused = Denied("page.host_unknown", 421)
        elif scope["method"] not in ("GET", "HEAD") and not _from_own_page(headers, host, scope["scheme"]):
            refused = Denied("page.form_foreign", 403)
        answer = self._told(Request(scope, receive), refused) if refused else self._app
        await answer(scope, bounded, guarded)


def _from_own_page(headers: Headers, host: str, scheme: str) -> bool:
    """Whether a page of this console sent the request, by headers that no page can set itself.

    `Sec-Fetch-Site` decides where the browser sends it: on https and on loopback. `none` is the person's own doing, as
    when a tab is restored. Over plain http, and from an older browser, `Origin` or else `Referer` must name `host`.
    A request that carries none of the three is refused. On https a page from http is another's: anybody on the way
    could have made it. Behind a proxy `scheme` is https only where the proxy says so.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    sender = _SENDER.match(headers.get("origin", headers.get("referer", "")))
    return sender is not None and sender[2] == host and (scheme, sender[1]) != ("https", "http")


class Limit:
    """So many in a span of time, by name; `clock` in seconds."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def full(self, name: str) -> bool:
        """Counts one and returns False, or returns True where it was that often of late already."""
        with self._lock:
            times = self._times[name]
            while times and self._clock() - times[0] > self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return True
            times.append(self._clock())
            return False

    def take_back(self, name: str) -> None:
        """Counts one less."""
        with self._lock:
            times = self._times[name]
            if times:
                times.pop()
            if not times:
                del self._times[name]
