"""The report of a period: the form, the progress of its reading, and the report as page or file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from gatekeeper.console.session import Denied, Session, may
from gatekeeper.console.state import console
from gatekeeper.console.tasks import Task, Tasks
from gatekeeper.console.typed import Wrong
from gatekeeper.console.view import language, page
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.texts import Language
from gatekeeper.ground.times import span
from gatekeeper.ground.words import Words
from gatekeeper.report import page as report
from gatekeeper.report import period
from gatekeeper.report.evidence import SAMPLES, Draw
from gatekeeper.report.period import Period
from gatekeeper.report.workbook import WORKBOOK, workbook
from streams.operations.reports import Passed, read

router = APIRouter()
FRESH_MS = 300_000
"""Age up to which a finished report is shown again instead of made anew."""
Auditor = Annotated[Session, Depends(may("report", everywhere=True))]
To = Annotated[str, Query(max_length=40)]
Since = Annotated[str, Query(alias="from", max_length=40)]
Sample = Annotated[int, Query()]
Seed = Annotated[str, Query(max_length=200)]
Make = Callable[[Passed], Mapping[str, Any]]
FILES: Mapping[str, tuple[str, Callable[[Mapping[str, Any], Language], str | bytes]]] = {
    "html": ("text/html", report.document),
    "json": ("application/json", lambda figures, _: orjson.dumps(figures)),
    "xlsx": (WORKBOOK, workbook),
}
"""The report as a file, by its ending: media type and content. JSON is what `gatekeeper report --json` prints."""


@router.get("/report")
def shown(
    request: Request, session: Auditor, since: Since = "", to: To = "", sample: Sample = SAMPLES, seed: Seed = ""
) -> Response:
    """The form; with a period, also its report, the progress of its reading, or the error."""
    held, lang = console(request), language(request)
    none: dict[str, Any] = {"task": None, "wrong": None, "body": None, "days": None, "sample": sample, "seed": seed}
    if not (since or to):
        first, last = period.last_month(held.now(), held.zone())
        return page(request, "report", since=first, to=last, **none)
    ends: dict[str, Any] = {"since": since, "to": to}
    try:
        task = _task(request, session, since, to, sample, seed)
    except (
        UsageError,
        IntegrityError,
    ) as error:  # the latter is a finding about the records, not a failure of the page
        field = error.values.get("name") if error.key == "error.period_time" else ""
        wrong = Wrong(Words(lang, held.zone()).said(error), str(field))
        status = 422 if isinstance(error, UsageError) else 200
        return page(request, "report", status=status, **ends, **{**none, "wrong": wrong})
    if not task.over:
        return page(request, "report", status=202, refresh=1, **ends, **{**none, "task": task})
    made = {"body": report.body(task.result, lang), "days": task.result["days"]}
    return page(request, "report", **ends, **{**none, **made})


@router.get("/report.css")
def style() -> Response:
    """The style sheet of the report."""
    return Response(report.css(), media_type="text/css")


@router.get("/report.{ending}")
def download(
    request: Request,
    session: Auditor,
    ending: str,
    since: Since,
    to: To,
    sample: Sample = SAMPLES,
    seed: Seed = "",
) -> Response:
    """The report as a file of one of FILES; 202 while its records are being read."""
    if ending not in FILES:
        raise Denied("page.no_such_page", 404)
    task = _task(request, session, since, to, sample, seed)
    if not task.over:
        return _waiting(task)
    media, made = FILES[ending]
    days = task.result["days"]
    named = {"Content-Disposition": f'attachment; filename="report-{days["first"]}-{days["last"]}.{ending}"'}
    return Response(made(task.result, language(request)), media_type=media, headers=named)


def reported(tasks: Tasks, wanted: Period, make: Make, *, by: str, now: int, draw: Draw | None = None) -> Task:
    """The task of a period's report; a missing or old report (FRESH_MS) is started anew.

    `now`: milliseconds. `draw`: how decisions are drawn by lot. Raises the error of a failed task once; the next call
    starts a new task.
    """
    drawn = f"-{draw.size}-{draw.seed}" if draw and draw != Draw() else ""
    name = f"report-{wanted.since}-{wanted.to}{drawn}"
    task = tasks.get(name)
    if task and task.over and task.error is None and now - span(task.result["made"], "UTC").first // 1000 > FRESH_MS:
        tasks.drop(name)
    task = tasks.start(name, by, "report", lambda task: make(task.passed))
    if task.over and task.error is not None:
        tasks.drop(name)
        raise task.error
    return task


def _task(request: Request, session: Session, since: str, to: str, sample: int, seed: str) -> Task:
    held, draw = console(request), Draw(sample, seed)
    wanted = period.read(since, to, held.zone())
    return reported(
        held.tasks,
        wanted,
        lambda passed: read(held.settings, wanted, passed, draw=draw),
        by=session.user,
        now=held.now(),
        draw=draw,
    )


def _waiting(task: Task) -> Response:
    value = {"done": task.taken, "total": task.total}
    return Response(orjson.dumps(value), 202, media_type="application/json", headers={"Retry-After": "1"})
