"""`gatekeeper request`: records that a person asked for a right, as the ground of the reply (rule 8.3.50)."""

from __future__ import annotations

import click
from pydantic import TypeAdapter, ValidationError

from gatekeeper.cli.actor import by_option, named, person
from gatekeeper.cli.output import json_option, show_json
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.values import Time
from streams.client import fact_with_act
from streams.operations import corrections, rights_requests

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
    event = rights_requests.received(
        named(recipient, "RECIPIENT"),
        named(request_id, "REQUEST"),
        asked=named(asked, "--asked"),
        by=who,
        at=_instant(received_at) if received_at else fact_with_act.now(),
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
