"""The counts of a campaign: pieces published, decided, cleared, withheld, and handed off."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import APIRouter, Request, Response

from gatekeeper.console.session import Denied, Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.ground.words import fault
from gatekeeper.index import flow
from gatekeeper.index.access import Access
from gatekeeper.index.items import WAITS
from gatekeeper.report import chart

router = APIRouter()
MAX_CAMPAIGNS = 200
STEPS = ("expected", "decided", "cleared", "handed_off")
"""The steps of a piece; each step counts a part of the step before."""
REST = ("refused", "withheld", "recalled", "recalled_after_hand_off", "waiting_for_hand_off")


@router.get("/campaigns")
def listed(request: Request, session: Viewer) -> Response:
    """The most recently active campaigns."""
    held = console(request)
    with held.model.read() as db:
        campaigns = [
            (counts.told(), last) for counts, last in flow.campaigns(db, most=MAX_CAMPAIGNS, access=session.access)
        ]
        due = dues(db, session.access)
        names = held.registrations.now(db).names(language(request))
    return page(request, "campaigns", campaigns=campaigns, dues=due, now=held.now(), names=names)


@router.get("/campaigns/{id_}")
def shown(request: Request, session: Viewer, id_: str) -> Response:
    """The counts of one campaign, the same as from `gatekeeper campaign show`."""
    held = console(request)
    with held.model.read() as db:
        campaign = flow.campaign(db, id_, session.access)
        due = dues(db, session.access).get(id_)
        names = held.registrations.now(db).names(language(request))
    if campaign is None:
        raise Denied("page.campaign_unknown", 404)
    figures = campaign.told()
    return page(
        request,
        "campaign",
        told=figures,
        faults={code: fault(code, language(request)) for code in figures["faults"]},
        rest=REST,
        funnel=_funnel(figures),
        due=due,
        now=held.now(),
        names=names,
    )


@router.get("/campaigns/{id_}/counts.json")
def counts(request: Request, session: Viewer, id_: str) -> dict[str, Any]:
    """The counts of one campaign as JSON."""
    with console(request).model.read() as db:
        campaign = flow.campaign(db, id_, session.access)
    if campaign is None:
        raise Denied("page.campaign_unknown", 404)
    return campaign.told()


def dues(db: sqlite3.Connection, access: Access) -> dict[str, int | None]:
    """The earliest due time of each campaign's waiting sends that this user may see, in milliseconds."""
    within, limits = access.where("see")
    rows = db.execute(
        f"SELECT campaign, min(due) AS due FROM item WHERE {WAITS} AND NOT informational AND {within}"
        " GROUP BY campaign",
        limits,
    )
    return {row["campaign"]: row["due"] for row in rows}


def _funnel(figures: dict[str, Any]) -> list[tuple[str, int, float]]:
    """Each step with its number and the width of its bar."""
    top = max((figures[step] for step in STEPS), default=0) or 1
    return [(step, figures[step], round(figures[step] * chart.WIDTH / top, 2)) for step in STEPS]
