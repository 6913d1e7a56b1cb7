"""`gatekeeper campaign`: shows a campaign's progress, and recalls every cleared piece of it."""

from __future__ import annotations

from time import time
from typing import Any

import click

from gatekeeper.cli.actor import act_options, confirmed, named, person, yes_option
from gatekeeper.cli.handoff import campaign_act, carried_out, run_option, wait_option
from gatekeeper.cli.output import json_option, note, reading, show_json, show_table
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.index import flow
from gatekeeper.index.current import current
from gatekeeper.management.campaign import Campaign
from schemas.topics import DAY_MS
from streams.client.reader import Reader

KEPT_DAYS = 90
"""Longest time over which pieces of a campaign are decided, handed off and recalled."""
_SHOWN = (
    "expected",
    "decided",
    "pieces",
    "refused",
    "cleared",
    "withheld",
    "recalled",
    "handed_off",
    "recalled_after_hand_off",
    "waiting_for_hand_off",
)


@click.group("campaign", help=text("cli.campaign"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("show", help=text("cli.campaign_show", days=KEPT_DAYS))
@click.argument("campaign")
@click.option("--expected", type=click.IntRange(min=0), help=text("cli.campaign_expected"))
@json_option
def show(campaign: str, expected: int | None, as_json: bool) -> None:
    """Prints the counts; exit 1 while something is left to do."""
    settings, id_ = load(), named(campaign, "CAMPAIGN")
    with Reader(settings) as reader, current(settings, reader, "sends", "audit", "results", "recalls") as db:
        # the console does not count the different pieces, which only a plan is compared with
        known = flow.campaign(db, id_) if db is not None and expected is None else None
        told = (known or read(reader, id_).counts()).told(expected)
    if as_json:
        show_json(told)
    else:
        shown = [name for name in _SHOWN if name in told]
        rows: list[tuple[str, Any]] = [(text(f"cli.campaign_{name}_"), told[name]) for name in shown]
        for name, parts in (("withheld", "reasons"), ("refused", "faults")):
            place = shown.index(name) + 1
            rows[place:place] = [(f"  {code}", count) for code, count in told[parts].items()]
        rows.append((text("cli.campaign_done_"), text("cli.yes_word" if told["done"] else "cli.no_word")))
        show_table(("cli.column_what", "cli.column_sends"), rows, numbers=(1,))
    if not told["decided"]:
        note("cli.campaign_unknown", campaign=campaign)
    if told["refused"]:
        note("cli.campaign_refused_note", campaign=campaign, count=f"{told['refused']:,}")
    if told["refused_of_no_campaign"]:
        note("cli.campaign_stray", count=f"{told['refused_of_no_campaign']:,}")
    click.get_current_context().exit(0 if told["done"] else 1)


@command.command("cancel", help=text("cli.campaign_cancel"))
@click.argument("campaign")
@act_options("cancel")
@yes_option
@run_option
@wait_option
@json_option
def cancel(
    campaign: str,
    reason: str,
    evidence: str | None,
    by: str | None,
    yes: bool,
    run_id: str | None,
    wait: float,
    as_json: bool,
) -> None:
    """Recalls every clearance of the campaign; later sends of it are judged as any other.

    The act is written even if nothing seems to be cleared. The workers may be ahead of the records read here.
    """
    settings = load()
    who = person(settings, by)
    act = campaign_act("cancel", campaign, who, run_id, reason=reason, evidence_ref=evidence)
    with Reader(settings) as reader:
        if run_id is None:
            found = read(reader, campaign)
            if live := len(found.cleared - found.recalled):
                confirmed(text("cli.cancel_sure", campaign=campaign, count=f"{live:,}"), live, yes=yes)
        run = carried_out(settings, reader, act, resumed=run_id is not None, seconds=wait)
    told = {"campaign": campaign, "run": run.act.act_id, "recalled": len(run.recalled)}
    if as_json:
        show_json(told)
    else:
        click.echo(text("cli.cancel_done", **told))
    if not run.recalled:
        note("cli.cancel_nothing", campaign=campaign)


def read(reader: Reader, id_: str) -> Campaign:
    """The state of a campaign, read from the gate's topics."""
    found = Campaign(id_)
    since = int(time() * 1000) - KEPT_DAYS * DAY_MS
    takes = {"recalls": found.recall, "audit": found.audit, "results": found.result, "sends": found.send}
    # workers write no escapes; of a platform's sends each must be read
    named = {"recalls": [f'"campaign_id":"{id_}"'.encode()], "audit": [f'"campaign":"{id_}"'.encode()]}
    named["results"] = [b'"fault":']
    with reading() as taken:
        for topic, take in takes.items():
            for record in reader.read(topic, since=since, containing=named.get(topic, ())):
                take(record.value)
                taken()
    return found
