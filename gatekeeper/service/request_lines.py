"""The body of a request: one value as JSON, or up to 10,000 as NDJSON, read within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from gatekeeper.service.problem import Problem

MAX_LINES = 10_000
MAX_BYTES = 16 << 20
BODIES_BYTES = 64 << 20
"""Bytes of all bodies under way: read, or promised by their senders."""
LEAST_BYTES = 64 << 10
"""Bytes that each body counts for at least, as its connection buffers as many."""
JSON, NDJSON = "application/json", "application/x-ndjson"


class Bodies:
    """Room for the bodies under way: `total` bytes, of which each caller may have half of what all others leave.

    So a caller alone may have half. However many bodies it sends, there is room for those of the next caller.
    """

    def __init__(self, total: int = BODIES_BYTES) -> None:
        self._total, self._taken = total, Counter[str]()

    @contextmanager
    def room(self, caller: str, request: Request, most: int = MAX_BYTES) -> Iterator[None]:
        """Keeps room for a request's body before any of it is read. One without a length may have `most` bytes.

        Raises Problem: 413 for more bytes than `most`, 429 where this caller's bodies leave no room.
        """
        length = request.headers.get("content-length")
        size = most if length is None else int(length)  # the server has read it: it is a number
        if size > most:
            raise _too_long(most)
        size = max(size, LEAST_BYTES)
        if 2 * (self._taken[caller] + size) > self._total - self._taken.total() + self._taken[caller]:
            raise Problem(429, "too_many_bodies", headers={"Retry-After": "1"})
        self._taken[caller] += size
        try:
            yield
        finally:
            self._taken[caller] -= size
            if not self._taken[caller]:
                del self._taken[caller]


async def body(request: Request, most: int = MAX_BYTES) -> bytes:
    """The body; raises Problem (413) for more bytes than `most`."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise _too_long(most)
    return bytes(content)


async def one(request: Request, most: int) -> bytes:
    """The body as one value of JSON; raises Problem (415) for another type, (413) for more bytes than `most`."""
    if media_type(request) != JSON:
        raise Problem(415, "media_type", allowed=JSON)
    return await body(request, most)


def media_type(request: Request) -> str:
    """The content type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def lines(request: Request) -> tuple[list[tuple[int, bytes]], bool]:
    """The values of the body with the numbers of their lines, and True if it is NDJSON.

    Raises Problem: 415 for another type, 413 for more than MAX_LINES (empty ones count), 400 for an empty body.
    """
    kind = media_type(request)
    if kind not in (JSON, NDJSON):
        raise Problem(415, "media_type", allowed=f"{JSON}, {NDJSON}")
    content = await body(request)
    if content.count(b"\n") > MAX_LINES:
        raise Problem(413, "too_many_lines", most=f"{MAX_LINES:,}")
    values = content.split(b"\n") if kind == NDJSON else [content]
    numbered = [(number, value) for number, value in enumerate(values, 1) if value.strip()]
    if not numbered:
        raise Problem(400, "body_empty")
    return numbered, kind == NDJSON


def _too_long(most: int) -> Problem:
    return Problem(413, "body_too_long", most=f"{most:,}")
