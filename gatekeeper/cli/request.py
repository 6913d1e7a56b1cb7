"""`gatekeeper request`: records that a person asked for a right, as the ground of the reply (rule 8.3.50)."""

from __future__ import annotations

from uuid import uuid4

import click
from pydantic import TypeAdapter, ValidationError

from gatekeeper.cli.actor import by_option, named, person
from gatekeeper.cli.output import json_option, show_json
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.events import PersonEvent
from schemas.values import Time
from streams.client import fact_with_act
from streams.operations import corrections

_TIME = TypeAdapter[str](Time)


@click.command("request", help=text("cli.request"))
@click.argument("recipient", metavar="RECIPIENT")
@click.argument("request_id", metavar="REQUEST")
@click.option("--asked", required=True, help=text("cli.request_asked"))
@click.option("--at", "received_at", help=text("cli.request_at"))
@by_option
@json_option
def command(
    recipient: str, request_id: str, asked: str, received_at: str | None, by: str | None, as_json: bool
) -> None:
    """Writes the event under the person's signature; without `--at` the request came in now."""
    settings = load()
    who = person(settings, by)
    event = PersonEvent(
        v=1,
        kind="request_received",
        recipient_id=named(recipient, "RECIPIENT"),
        record_id=f"request-{uuid4().hex}",
        request_id=named(request_id, "REQUEST"),
        asked=named(asked, "--asked"),
        at=_instant(received_at) if received_at else fact_with_act.now(),
        by=who,
    )
    corrections.write(settings, [event])
    if as_json:
        show_json({"recipient_id": event.recipient_id, "ground": f"dsr.{request_id}", "by": who, "at": event.at})
    else:
        click.echo(text("cli.request_done", ground=f"dsr.{request_id}", by=who))


def _instant(written: str) -> str:
    try:
        return _TIME.validate_python(written)
    except ValidationError:
        raise UsageError("error.option_invalid", option="--at") from None
