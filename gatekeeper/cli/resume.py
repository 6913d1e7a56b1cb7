"""`gatekeeper resume`: the sending of a suspended controller goes on."""

from __future__ import annotations

import click

from gatekeeper.cli.amended import controller as known
from gatekeeper.cli.amended import told
from gatekeeper.cli.output import json_option
from gatekeeper.cli.who import by_option, person
from gatekeeper.errors import UsageError
from gatekeeper.settings import load
from gatekeeper.texts import text
from streams import pairs


@click.command("resume", help=text("cli.resume"))
@click.argument("controller")
@click.option("--reason", default="", help=text("cli.act_reason"))
@by_option
@json_option
def command(controller: str, reason: str, by: str | None, as_json: bool) -> None:
    """Writes the controller's record without a suspension, and the act; exit 1 where somebody else changed it too."""
    settings = load()
    act = pairs.act("resume", by=person(settings, by), subject=f"controller/{controller}", reason=reason)
    found = known(settings, controller)
    if found.model.suspended_since is None and found.model.suspended_until is None:
        raise UsageError("error.not_suspended", controller=controller)
    told(settings, found, act, as_json, suspended_since=None, suspended_until=None)
