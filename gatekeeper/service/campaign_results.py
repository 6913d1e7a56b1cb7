"""The outcome of a campaign: its counts, and the result of each send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from gatekeeper.ground.errors import UsageError
from gatekeeper.management.result_sums import MOST
from gatekeeper.service.answer_models import CampaignAnswer
from gatekeeper.service.callers import MAX_PAGES
from gatekeeper.service.problem import PROBLEMS, Problem
from gatekeeper.service.request_lines import NDJSON
from gatekeeper.service.service_parts import PartsOf
from schemas.values import Id
from streams.serving import result_pages
from streams.serving.result_pages import Cursor

router = APIRouter(prefix="/v1/campaigns")
MAX_RESULTS = 10_000
log = structlog.get_logger("serve")
LATE_SECONDS = 5.0
"""Seconds until 503: for Kafka's answer, and for the first reading of the topic after a start."""
BEHIND_SECONDS = 1.0
"""Seconds to wait for results that are written but not yet counted. Clients ask again after it."""
_LINES: dict[str, Any] = {
    "description": "one Result on each line, as on the topic `results`",
    "content": {NDJSON: {"schema": {"type": "string"}}},
    "headers": {
        "Gate-Cursor": {"description": "where the next page begins", "schema": {"type": "string"}},
        "Gate-More": {"description": "whether more follow by now", "schema": {"enum": ["true", "false"]}},
    },
}


@router.get("/{campaign}", response_model=CampaignAnswer, responses=PROBLEMS)
async def campaign(
    request: Request,
    parts: PartsOf,
    campaign: Annotated[Id, Path()],
    expected: Annotated[int | None, Query(ge=0, description="number of sends that you published")] = None,
) -> JSONResponse:
    """The counts of a campaign, by all decisions that were written before the request.

    `behind` names the partitions of which this is not so, as a transaction stays open there. It is then not done.
    It is done when all its sends are decided, and each cleared one is handed off or recalled. Without `expected` no
    send of any campaign may wait for its decision then.
    """
    caller = await parts.callers.caller(request, "results")
    with caller.busy():
        caller.bring(1)
        async with _in_time():
            undecided = await parts.live.undecided()  # first: what is decided by now is counted below
            behind = await parts.live.results.behind(BEHIND_SECONDS)
    sums = parts.live.results.sums.of(campaign, caller.entry.controllers)
    if sums is None:
        raise Problem(503, "results_forgotten", most=f"{MOST:,}")
    counts = sums.counts(campaign, undecided=undecided, stray=parts.live.results.sums.stray).told(expected)
    more = {
        "mode": "shadow" if sums.shadow else "live",
        "pieces": sums.verdicts.total() - sums.copies,
        "verdicts": dict(sums.verdicts),
        "undecided": undecided,
        "done": counts["done"] and not behind and not sums.incomplete,
        "incomplete": sums.incomplete,
        "behind": behind,
        "positions": parts.live.results.positions(),
    }
    return JSONResponse({**counts, **more})


@router.get("/{campaign}/results", response_class=Response, responses={200: _LINES, **PROBLEMS})
async def campaign_results(
    request: Request,
    parts: PartsOf,
    campaign: Annotated[Id, Path()],
    cursor: Annotated[str | None, Query(max_length=8192, description="Gate-Cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_RESULTS)] = 1_000,
) -> Response:
    """The results of a campaign's sends as NDJSON, in order for each send; pages may be read at any time.

    A page may be empty though more follow, as while a transaction stays open. The last page's cursor finds the results
    that come later.
    """
    caller = await parts.callers.caller(request, "results")
    with caller.busy():
        caller.bring(limit)
        parts.live.demand_ready()
        async with _in_time():
            behind = await parts.live.results.behind(BEHIND_SECONDS)
        with caller.busy(MAX_PAGES), _readable():
            async with parts.pages:
                view = await asyncio.to_thread(result_pages.view, parts.live.settings, caller.entry.controllers)
                page = await asyncio.to_thread(
                    result_pages.page,
                    parts.live.settings,
                    _begun(cursor, Cursor(view, campaign, {})),
                    parts.live.results.spans(campaign, caller.entry.controllers),
                    most=limit,
                    controllers=caller.entry.controllers,
                )
        caller.searched(page.searched)
    headers = {"Gate-Cursor": page.cursor.encode(), "Gate-More": str(page.more or bool(behind)).lower()}
    return Response(b"".join(value + b"\n" for value in page.values), media_type=NDJSON, headers=headers)


def _begun(text: str | None, first: Cursor) -> Cursor:
    """The cursor of a request, `first` without one.

    Raises Problem: 400 for a wrong one or that of another campaign, 410 if the topic was made anew. It is 410, too, if
    the caller reads other controllers now.
    """
    if text is None:
        return first
    try:
        cursor = Cursor.decode(text)
    except ValueError:
        raise Problem(400, "cursor_wrong") from None
    if cursor.campaign != first.campaign:
        raise Problem(400, "cursor_wrong")
    if cursor.topic != first.topic:
        raise Problem(410, "cursor_gone")
    return cursor


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Limits what it holds to LATE_SECONDS; raises Problem (503) then."""
    try:
        async with asyncio.timeout(LATE_SECONDS):
            yield
    except TimeoutError:
        raise Problem(503, "results_late", headers={"Retry-After": "5"}) from None


@contextmanager
def _readable() -> Iterator[None]:
    """Raises Problem (503) where Kafka refuses our own user or lacks the topic: the caller cannot mend that."""
    try:
        yield
    except UsageError as error:
        log.error("results_refused", error=str(error))
        raise Problem(503, "results_refused") from None
