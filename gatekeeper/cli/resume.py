"""`gatekeeper resume`: ends the suspension of a controller's sending."""

from __future__ import annotations

import click

from gatekeeper.cli.actor import by_option, person
from gatekeeper.cli.output import json_option
from gatekeeper.cli.suspend import show_change
from gatekeeper.settings import load
from gatekeeper.texts import text
from streams.client import fact_with_act
from streams.operations import management


@click.command("resume", help=text("cli.resume"))
@click.argument("controller")
@click.option("--reason", default="", help=text("cli.act_reason"))
@by_option
@json_option
def command(controller: str, reason: str, by: str | None, as_json: bool) -> None:
    """Writes the controller's record without a suspension, and the act; exit 1 if somebody else changed it too."""
    settings = load()
    act = fact_with_act.act("resume", by=person(settings, by), subject=f"controller/{controller}", reason=reason)
    show_change(settings, management.resumption(settings, act), as_json)
