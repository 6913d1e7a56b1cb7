"""Server-sent events about changes since a page was made: the number of new items, and the ids of changed ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from gatekeeper.console import filters
from gatekeeper.console.session import COOKIE, Denied
from gatekeeper.console.state import Console, console
from gatekeeper.index.item_search import ItemSearch

router = APIRouter()
MAX_LIVE_PAGES = 100
"""The largest number of pages that listen at once."""
BEAT_SECONDS = 10.0
GATHER_SECONDS = 0.1
"""Changes within this time are sent as one event."""


@router.get("/events")
async def events(request: Request, since: str = "") -> Response:
    """The stream of changes after `since`, or after the browser's `Last-Event-ID`; raises Denied (429) for too many.

    Without a session the stream sends the event `signin`, because a browser gives up after any other answer.
    """
    held = console(request)
    if len(held.signal) >= MAX_LIVE_PAGES:
        raise Denied("page.too_many", 429)
    search = filters.search(request, filters.written(request))
    cursor = request.headers.get("last-event-id") or since
    stream = _stream(held, search, cursor, request.cookies.get(COOKIE, ""))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(held: Console, search: ItemSearch, cursor: str, token: str) -> AsyncIterator[bytes]:
    generation, _, number = cursor.partition("-")
    change = int(number) if number.isdecimal() else 0
    troubled = False
    yield b"retry: 1000\n\n"
    with held.signal.listening() as listener:
        while True:
            if held.sessions.find(token, touch=False) is None:
                yield _event("signin", "", {})
                return
            if generation != held.model.generation:
                yield _event("reload", "", {})
                return
            last, erasure, new, changed = await run_in_threadpool(_look, held, search, change)
            if erasure > change:  # any page may show the person who was erased
                yield _event("reload", "", {})
                return
            if new or changed:
                yield _event("items", f"{generation}-{last}", {"new": new, "changed": changed})
            change = last
            if troubled != (held.feed.progress.trouble is not None):
                troubled = not troubled
                yield _event("broker", f"{generation}-{last}", {"there": not troubled})
            if await listener.wait(BEAT_SECONDS):
                await asyncio.sleep(GATHER_SECONDS)
            else:
                yield b": still here\n\n"


def _look(held: Console, search: ItemSearch, change: int) -> tuple[int, int, int, list[str]]:
    with held.model.read() as db:
        last, erasure = held.model.changes(), held.model.erasure()
        new, changed = search.since(db, change)
    return last, erasure, new, changed


def _event(kind: str, id_: str, data: dict[str, object]) -> bytes:
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {kind}\ndata: {orjson.dumps(data).decode()}\n\n".encode()
