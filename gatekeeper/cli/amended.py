"""A record of `reference` changed by a manager: what the verbs suspend, resume and source share."""

from __future__ import annotations

import click

from gatekeeper.cli.output import note, show_json
from gatekeeper.errors import UsageError
from gatekeeper.settings import Settings
from gatekeeper.texts import text
from schemas.events import Batch, Controller, PairedAct
from streams import pairs, withdrawals
from streams.client import Reader
from streams.pairs import Stored


def told(
    settings: Settings, old: Stored[Controller | Batch], act: PairedAct, as_json: bool, **changes: str | None
) -> None:
    """Writes a record of `reference` anew with its act, and says so; exit 1 where somebody changed it meanwhile."""
    pair = pairs.amend(settings, old, act, **changes)
    with Reader(settings) as reader:
        rival = pairs.rival(reader, old, pair)
    (place,) = pair.facts
    where = f"{settings.topic(place.topic)}/{place.partition}/{place.offset}"
    if as_json:
        show_json(
            {
                "kind": act.kind,
                "subject": act.subject,
                "act_id": pair.act_id,
                "by": act.by,
                **changes,
                "topic": settings.topic(place.topic),
                "partition": place.partition,
                "offset": place.offset,
                "last": rival is None or not rival.last,
                "rival": None if rival is None else {"by": rival.by, "offset": rival.place.offset},
            }
        )
    else:
        click.echo(text(f"cli.{act.kind}_done", subject=act.subject, place=where))
    if rival is not None:
        note("cli.rival_last" if rival.last else "cli.rival_first", by=rival.by or "?", subject=act.subject)
        click.get_current_context().exit(1)


def controller(settings: Settings, id_: str) -> Stored[Controller]:
    """Returns the newest record of a controller; raises UsageError (2) that names the known ones."""
    with Reader(settings) as reader:
        found = pairs.newest(reader, Controller, id_)
        if found is not None:
            return found
        known = withdrawals.controllers(reader)
    raise UsageError("error.controller_absent", controller=id_, known=", ".join(known) or "-")
