"""The report of a period: a form, how far its reading is, and the report as a page, a file or JSON."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from gatekeeper.console.reports import Job
from gatekeeper.console.session import Refused, Session, may
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.errors import UsageError
from gatekeeper.report import page as report
from gatekeeper.report import period

router = APIRouter()
Auditor = Annotated[Session, Depends(may("report"))]
Day = Annotated[str, Query(max_length=40)]
Since = Annotated[str, Query(alias="from", max_length=40)]


@router.get("/report")
def shown(request: Request, session: Auditor, since: Since = "", to: Day = "") -> Response:
    """Returns the form; with a period, its report or how far that is."""
    held, lang = console(request), language(request)
    if not (since or to):
        first, last = period.last_month(held.now(), held.zone())
        return page(request, "report", since=first, to=last, job=None, wrong=None, body=None)
    try:
        job = _job(request, since, to)
    except UsageError as wrong:
        return page(request, "report", status=422, since=since, to=to, job=None, wrong=wrong, body=None)
    body = report.body(job.report, lang) if job.report is not None else None
    values: dict[str, Any] = {"since": since, "to": to, "job": job, "wrong": job.error, "body": body}
    if job.over:
        return page(request, "report", status=job.error.http_status if job.error else 200, **values)
    return page(request, "report", status=202, refresh=1, **values)


@router.get("/report.html")
def as_file(request: Request, session: Auditor, since: Since, to: Day) -> Response:
    """Returns the report as a file that stands alone; 202 while it is being read."""
    job = _made(request, since, to)
    if job.report is None:
        return _waiting(job)
    return Response(report.document(job.report, language(request)), media_type="text/html", headers=_named(job, "html"))


@router.get("/report.json")
def as_json(request: Request, session: Auditor, since: Since, to: Day) -> Response:
    """Returns the report as `gatekeeper report --json` prints it; 202 while it is being read."""
    job = _made(request, since, to)
    if job.report is None:
        return _waiting(job)
    return Response(orjson.dumps(job.report), media_type="application/json", headers=_named(job, "json"))


@router.get("/report.css")
def style(request: Request) -> Response:
    """Returns the sheet of the report."""
    return Response(report.css(), media_type="text/css")


def _job(request: Request, since: str, to: str) -> Job:
    held = console(request)
    job = held.reports.of(period.read(since, to, held.zone()))
    if job.defect:
        raise Refused("page.defect", 500)
    return job


def _made(request: Request, since: str, to: str) -> Job:
    job = _job(request, since, to)
    if job.error is not None:
        raise job.error
    return job


def _waiting(job: Job) -> Response:
    value = {"done": job.done, "total": job.total}
    return Response(orjson.dumps(value), 202, media_type="application/json", headers={"Retry-After": "1"})


def _named(job: Job, ending: str) -> dict[str, str]:
    name = "report-{}-{}.{}".format(*job.period.days, ending)
    return {"Content-Disposition": f'attachment; filename="{name}"'}
