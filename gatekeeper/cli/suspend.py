"""`gatekeeper suspend`: the sending of a controller frozen, binding from its acknowledgement (J.4.2)."""

from __future__ import annotations

import click

from gatekeeper.cli.amended import told
from gatekeeper.cli.output import json_option
from gatekeeper.cli.who import by_option, person, reason_option
from gatekeeper.settings import load
from gatekeeper.texts import text
from streams.client import fact_with_act
from streams.operations import management


@click.command("suspend", help=text("cli.suspend"))
@click.argument("controller")
@reason_option
@click.option("--from", "since", help=text("cli.suspend_from"))
@click.option("--until", help=text("cli.suspend_until"))
@by_option
@json_option
def command(controller: str, reason: str, since: str | None, until: str | None, by: str | None, as_json: bool) -> None:
    """Writes the controller's record with the suspension in it, and the act; exit 1 where somebody else did so too."""
    settings = load()
    act = fact_with_act.act("suspend", by=person(settings, by), subject=f"controller/{controller}", reason=reason)
    told(settings, management.suspension(settings, act, since=since, until=until), as_json)
