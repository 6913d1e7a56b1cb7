"""The checks before every page: security headers, the host name, the page that sent a form, and its size."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatekeeper.console.session import Denied

FORM_BYTES = 256 * 1024
HEARD_BYTES = 32 * 1024 * 1024
"""The number of bytes of an oversized form that are read and discarded before the refusal."""
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


class SecurityMiddleware:
    """ASGI middleware that adds security headers and refuses foreign hosts, foreign forms and large forms.

    `hosts`: the host names that this console accepts, None = any. `told`: makes the page of a refusal.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, told: Callable[[Request, Exception], Response]
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with a refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, read = Headers(scope=scope), 0

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                response_headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    response_headers[name] = value
                if scope["scheme"] == "https":
                    response_headers["Strict-Transport-Security"] = "max-age=31536000"
                response_headers.setdefault("Cache-Control", _cached(scope["path"], message["status"]))
            await send(message)

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read <= FORM_BYTES:
                return message
            while message.get("more_body") and read < HEARD_BYTES:
                message = await receive()  # a browser reads no answer before it has sent all
                read += len(message.get("body", b""))
            raise Denied("page.form_large", 413)

        host, refused = headers.get("host", ""), None
        if self._hosts is not None and urlsplit(f"//{host}").hostname not in self._hosts:
            # a foreign name that resolves to this address would show our pages as another site
            refused = Denied("page.host_unknown", 421)
        elif scope["method"] not in ("GET", "HEAD") and not _from_own_page(headers, host, scope["scheme"]):
            refused = Denied("page.form_foreign", 403)
        answer = self._told(Request(scope, receive), refused) if refused else self._app
        await answer(scope, bounded, guarded)


def _cached(path: str, status: int) -> str:
    """The Cache-Control of an answer: a folder of static files has their version in its name, so they never change."""
    if path.startswith("/static/") and path.count("/") > 2 and status in (200, 206, 304):
        return "public, max-age=31536000, immutable"
    return "no-cache" if path.startswith("/static/") else "no-store"


def _from_own_page(headers: Headers, host: str, scheme: str) -> bool:
    """True when a page of this console sent the request, judged by headers that no page can set itself.

    `Sec-Fetch-Site` decides when the browser sends it, which it does on https and on loopback. Its value `none` is a
    user's own action, such as restoring a tab. Over plain http, and from older browsers, `Origin` or else `Referer`
    must name `host`. A request with none of the three headers is refused. On https a page from http counts as foreign,
    because anybody on the network could have made that page. Behind a proxy `scheme` is https only when the proxy
    says so.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    sender = _SENDER.match(headers.get("origin", headers.get("referer", "")))
    return sender is not None and sender[2] == host and (scheme, sender[1]) != ("https", "http")
