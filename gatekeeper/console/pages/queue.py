"""The queue's pages: groups by cause, the sends of a filter, and the same sends as a file."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from gatekeeper.console import filters, items
from gatekeeper.console.item_search import PAGE, CauseGroup, ItemSearch
from gatekeeper.console.pages.item import KEYS, claimed
from gatekeeper.console.session import Session, Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.office.spreadsheet import SpreadsheetRows
from gatekeeper.report import chart
from gatekeeper.review.review_item import Item

router = APIRouter()
CELLS = (
    *("decision_id", "state", "verdict", "primary", "reasons", "remedies", "campaign", "channel", "purpose"),
    *("controller", "source", "origin", "recipient", "mail_date", "seen", "by", "at", "run"),
)


Number = Annotated[int, Query(alias="page", ge=1, le=100_000)]


@router.get("/")
def groups(request: Request, session: Viewer) -> Response:
    """The causes that withhold sends, the most urgent first."""
    held, written = console(request), filters.written(request)
    search = filters.search(request, written)
    with held.model.read() as db:
        found = search.groups(db)
        sentences = {group.sample: _first_sentence(request, db, group) for group in found}
        informational = _informational(db, session)
        cursor = held.model.cursor()
    return page(
        request,
        "groups",
        groups=found,
        sentences=sentences,
        trends={group.sample: chart.line(group.days) for group in found},
        links={group.sample: _link(group, written) for group in found},
        now=search.now,
        filter=written,
        cursor=cursor,
        total=sum(group.n for group in found),
        informational=informational,
    )


@router.get("/items")
def listed(
    request: Request, session: Viewer, number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1
) -> Response:
    """The sends of a filter, the most urgent first."""
    held, written = console(request), filters.written(request)
    search = filters.search(request, written)
    with held.model.read() as db:
        total = search.count(db)
        last = -(-total // PAGE) or 1
        number = min(number, last)
        found = list(search.items(db, most=PAGE, skip=(number - 1) * PAGE))
        pending = search.pending(db, [item.id for item in found])
        cursor = held.model.cursor()
    return page(
        request,
        "items",
        items=found,
        dues={item.id: item.due(search.zone) for item in found},
        pending=pending,
        total=total,
        now=search.now,
        filter=written,
        opened=written or f"state={','.join(search.states)}",  # without a filter, too, each item leads to the next
        claimed={item.id: claimed(item, search.now) for item in found},
        wanted={key: ",".join(sorted(values)) for key, values in search.query.wanted.items()},
        number=number,
        last=last,
        kinds=[kind for kind in KEYS if session.may(kind) and kind != "claim"],
        keys=KEYS,
        cursor=cursor,
    )


@router.get("/items.csv")
def as_csv(request: Request, session: Viewer) -> Response:
    """The sends of a filter as CSV, in UTF-8 with the byte order mark that spreadsheets need."""

    def lines() -> Iterator[str]:
        out = io.StringIO(newline="")
        table = SpreadsheetRows(out, CELLS)
        for item in _all(request, search):
            table.write({name: value for name, value in item.plain().items() if name in CELLS})
            yield out.getvalue()
            out.seek(0)
            out.truncate()
        yield out.getvalue()

    search = filters.search(request, filters.written(request))
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=_as_file("review.csv"))


@router.get("/items.jsonl")
def as_lines(request: Request, session: Viewer) -> Response:
    """The sends of a filter, one JSON object a line, as `gatekeeper review list --json` prints them."""
    search = filters.search(request, filters.written(request))
    lines = (orjson.dumps(item.plain()) + b"\n" for item in _all(request, search))
    return StreamingResponse(lines, media_type="application/jsonl", headers=_as_file("review.jsonl"))


def _all(request: Request, search: ItemSearch) -> Iterator[Item]:
    # each batch opens its own read, because different threads may ask for the batches
    skip = 0
    while True:
        with console(request).model.read() as db:
            found = list(search.items(db, most=1_000, skip=skip))
        yield from found
        if len(found) < 1_000:
            return
        skip += len(found)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _first_sentence(request: Request, db: sqlite3.Connection, group: CauseGroup) -> str:
    reasons = items.decision(db, group.sample).reasons
    return str(getattr(reasons[0], language(request))) if reasons else ""


def _informational(db: sqlite3.Connection, session: Session) -> int:
    within, limits = session.access.where("see")
    wanted = f"{items.WAITS} AND informational AND state = 'open' AND {within}"
    found = db.execute(f"SELECT count(*) FROM item WHERE {wanted}", limits)
    return int(found.fetchone()[0])


def _link(group: CauseGroup, written: str) -> str:
    cause = {"primary": group.primary, "campaign": group.campaign, "origin": group.origin or ""}
    rest = [(key, value) for key, value in filters.pairs(written) if key not in cause]
    return "/items?" + filters.joined([*cause.items(), *rest])
