"""The pages of the console, in the order of the navigation.

To add a page, add a module here with its routes, and a line below. Add a template, and its sentences in
`texts/page.toml` (with `nav_NAME`). Data from topics comes from a `gatekeeper.index.part.Part`, which
`gatekeeper.index.parts.PARTS` lists.
"""

from __future__ import annotations

from gatekeeper.console.orders import KINDS
from gatekeeper.console.pages import (
    acts,
    bulk,
    campaign,
    item,
    live,
    manage,
    manual,
    overview,
    passkeys,
    people,
    queue,
    reasons,
    records,
    report,
    sign,
    signin,
)
from gatekeeper.console.state import Page

PAGES = (
    Page(queue.router, "queue", "/"),
    Page(overview.router, "overview", "/overview"),
    Page(campaign.router, "campaigns", "/campaigns"),
    Page(reasons.router, "reasons", "/reasons"),
    Page(manage.router, "manage", "/manage", rights=tuple(KINDS)),
    Page(records.router, "records", "/records", rights=("activate",)),
    Page(passkeys.router, "passkeys", "/passkeys"),
    Page(sign.router),
    Page(item.router),
    Page(acts.router),
    Page(bulk.router),
    Page(live.router),
    Page(people.router, "people", "/people"),
    Page(report.router, "report", "/report", rights=("report",), everywhere=True),
    Page(signin.router),
    Page(manual.router),
)
