"""`gatekeeper source`: quarantines a list of people's data that turns out to be wrong."""

from __future__ import annotations

from dataclasses import asdict
from time import time

import click

from gatekeeper.cli.actor import act_options, named, person
from gatekeeper.cli.answer import wait_options
from gatekeeper.cli.output import json_option, reading, show_json, show_table
from gatekeeper.cli.suspend import show_change
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.policy import packs
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import management


@click.group("source", help=text("cli.source"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("quarantine", help=text("cli.source_quarantine"))
@click.argument("batch")
@act_options("quarantine", previews=True)
@click.option("--dry-run", is_flag=True, help=text("cli.quarantine_dry_run"))
@wait_options
@json_option
def quarantine(
    batch: str,
    reason: str | None,
    evidence: str | None,
    by: str | None,
    dry_run: bool,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Writes the batch's record as quarantined, and the act; exit 1 if somebody else changed it meanwhile.

    With `--dry-run` nothing is written, and the reach of the quarantine is shown.
    """
    settings = load()
    if dry_run:
        _foretold(settings, batch, as_json)
        return
    if reason is None:
        raise click.MissingParameter(param_hint="'--reason'", param_type="option")
    who = person(settings, by)
    act = fact_with_act.act("quarantine", by=who, subject=f"batch/{batch}", reason=reason, evidence_ref=evidence)
    show_change(settings, management.quarantine(settings, act), wait=wait, no_wait=no_wait, as_json=as_json)


def _foretold(settings: Settings, batch: str, as_json: bool) -> None:
    """Prints the number of people in a list, and their pieces that a quarantine can still stop."""
    named(batch, "BATCH")
    now = int(time() * 1000)
    with Reader(settings) as reader, reading() as taken:
        entry, reach = management.reach(reader, batch, taken=taken)
    rows = reach.campaigns(now, packs.load(settings.policy).at(now).timezone)
    totals = {name: sum(getattr(row, name) for row in rows) for name in ("clearances", "standing", "ahead")}
    if as_json:
        campaigns = [asdict(row) for row in rows]
        people = {"people": reach.people, "recipients": reach.recipients}
        show_json({"batch": batch, "state": entry.state, **people, **totals, "campaigns": campaigns})
        return
    numbers = {name: f"{n:,}" for name, n in totals.items()}
    click.echo(text("cli.quarantine_foretold", batch=batch, people=f"{reach.people:,}", **numbers))
    if rows:
        show_table(
            [f"cli.column_{name}" for name in ("campaign", "channel", "clearances", "standing", "ahead", "mail_date")],
            [(r.campaign, r.channel, r.clearances, r.standing, r.ahead, r.next or "-") for r in rows],
            numbers=(2, 3, 4),
        )
