"""`gatekeeper resume`: ends the suspension of a controller's sending."""

from __future__ import annotations

import click

from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.answer import wait_options
from gatekeeper.cli.output import json_option
from gatekeeper.cli.suspend import show_change
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from streams.client import fact_with_act
from streams.operations import management


@click.command("resume", help=text("cli.resume"))
@click.argument("controller")
@act_options("resume")
@wait_options
@json_option
def command(
    controller: str, reason: str, evidence: str | None, by: str | None, wait: float, no_wait: bool, as_json: bool
) -> None:
    """Writes the controller's record without a suspension, and the act; exit 1 if somebody else changed it too."""
    settings = load()
    who, subject = person(settings, by), f"controller/{controller}"
    act = fact_with_act.act("resume", by=who, subject=subject, reason=reason, evidence_ref=evidence)
    change = management.resumption(settings, act)
    show_change(settings, change, wait=wait, no_wait=no_wait, as_json=as_json)
