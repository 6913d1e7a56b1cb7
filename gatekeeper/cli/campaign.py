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
        counted = flow.campaign(db, id_) if db is not None and expected is None else None
        counts = (counted or read(reader, id_).counts()).told(expected)
    if as_json:
        show_json(counts)
    else:
        shown = [name for name in _SHOWN if name in counts]
        rows: list[tuple[str, Any]] = [(text(f"cli.campaign_{name}_"), counts[name]) for name in shown]
        for name, parts in (("withheld", "reasons"), ("refused", "faults")):
            index = shown.index(name) + 1
            rows[index:index] = [(f"  {code}", count) for code, count in counts[parts].items()]
        rows.append((text("cli.campaign_done_"), text("cli.yes_word" if counts["done"] else "cli.no_word")))
        show_table(("cli.column_what", "cli.column_sends"), rows, numbers=(1,))
    if not counts["decided"]:
        note("cli.campaign_unknown", campaign=campaign)
    if counts["refused"]:
        note("cli.campaign_refused_note", campaign=campaign, count=f"{counts['refused']:,}")
    if counts["refused_of_no_campaign"]:
        note("cli.campaign_stray", count=f"{counts['refused_of_no_campaign']:,}")
    click.get_current_context().exit(0 if counts["done"] else 1)


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
            state = read(reader, campaign)
            if live := len(state.cleared - state.recalled):
                confirmed(text("cli.cancel_sure", campaign=campaign, count=f"{live:,}"), live, yes=yes)
        run = carried_out(settings, reader, act, resumed=run_id is not None, seconds=wait)
    result = {"campaign": campaign, "run": run.act.act_id, "recalled": len(run.recalled)}
    if as_json:
        show_json(result)
    else:
        click.echo(text("cli.cancel_done", **result))
    if not run.recalled:
        note("cli.cancel_nothing", campaign=campaign)


def read(reader: Reader, id_: str) -> Campaign:
    """The state of a campaign, read from the gate's topics."""
    campaign = Campaign(id_)
    since = int(time() * 1000) - KEPT_DAYS * DAY_MS
    takes = {"recalls": campaign.recall, "audit": campaign.audit, "results": campaign.result, "sends": campaign.send}
    # workers write no escapes; of a platform's sends each must be read
    named = {"recalls": [f'"campaign_id":"{id_}"'.encode()], "audit": [f'"campaign":"{id_}"'.encode()]}
    named["results"] = [b'"fault":']
    with reading() as taken:
        for topic, take in takes.items():
            for record in reader.read(topic, since=since, containing=named.get(topic, ())):
                take(record.value)
                taken()
    return campaign
