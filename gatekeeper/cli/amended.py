"""A record of `reference` changed by a manager, told: what the verbs suspend, resume and source share."""

from __future__ import annotations

import click

from gatekeeper.cli.output import note, show_json
from gatekeeper.settings import Settings
from gatekeeper.texts import text
from streams.operations import management
from streams.operations.management import Change


def told(settings: Settings, change: Change, as_json: bool) -> None:
    """Writes a change with its act, and says so; exit 1 where somebody changed the same record meanwhile."""
    act, (pair, rival) = change.act, management.change(settings, change)
    (place,) = pair.facts
    where = f"{settings.topic(place.topic)}/{place.partition}/{place.offset}"
    if as_json:
        show_json(
            {
                "kind": act.kind,
                "subject": act.subject,
                "act_id": pair.act_id,
                "by": act.by,
                **change.fields,
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
