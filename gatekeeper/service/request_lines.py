"""The body of a request: one value as JSON, or up to 10,000 as NDJSON, read within bounds."""

from __future__ import annotations

from fastapi import Request

from gatekeeper.service.problem import Problem

MAX_LINES = 10_000
MAX_BYTES = 16 << 20
JSON, NDJSON = "application/json", "application/x-ndjson"


async def body(request: Request, most: int = MAX_BYTES) -> bytes:
    """The body; raises Problem (413) for more bytes than `most`."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            raise Problem(413, "body_too_long", most=f"{most:,}")
    return bytes(found)


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
    found = [(number, value) for number, value in enumerate(values, 1) if value.strip()]
    if not found:
        raise Problem(400, "body_empty")
    return found, kind == NDJSON
