"""`gatekeeper audit what-if`: decides recorded sends again under another policy."""

from __future__ import annotations

from pathlib import Path
from time import time

import click

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.what_if import WhatIf
from gatekeeper.cli.activate import file_policy
from gatekeeper.cli.audit.reading import Pace, TrailWalk, opened, rate_option, trail_options
from gatekeeper.cli.changes import rows, show
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.management.policy_change import named
from streams.operations import management


@click.command("what-if", help=text("what_if.help"))
@trail_options
@click.option("--policy", required=True, help=text("what_if.policy"))
@rate_option
@click.option("--allow-widening", is_flag=True, help=text("what_if.allow_widening"))
@json_option
@click.pass_context
def command(
    context: click.Context,
    folder: Path | None,
    live: bool,
    since: int | None,
    to: int | None,
    policy: str,
    rate: float | None,
    allow_widening: bool,
    as_json: bool,
) -> None:
    """Prints old against new; exit 1 if the new policy clears withheld sends without `--allow-widening`.

    Exit 4 if some records could not be decided again, 5 if other rules decided some.
    """
    given = file_policy(policy) if policy.endswith(".toml") else None
    settings = load()
    new = given or named(policy, management.policies(settings) if live else None, at=int(time() * 1000))
    with opened(settings, folder, live=live, since=since, to=to) as trail:
        what_if = WhatIf(new, ByHash(trail))
        walk = TrailWalk(trail, since, to, Pace(rate if live or rate else 0))
        with walk.bar:
            for partition in trail.partitions():
                for link in walk.links(partition):
                    for value in link.records:
                        what_if.add(value)
    if as_json:
        show_json(_told(what_if))
    else:
        show(what_if.changes)
    widened = what_if.changes.widened
    if widened.sends:
        key = "what_if.widened_allowed" if allow_widening else "what_if.widened"
        note(key, policy=new.name, sends=f"{widened.sends:,}", people=_people(widened.people, widened.sends))
    if what_if.left_out:
        note("what_if.left_out", count=f"{what_if.left_out:,}")
    if what_if.other_rules:
        note("what_if.other_rules", count=f"{what_if.other_rules:,}")
    if what_if.unknown:
        note("what_if.unknown", count=f"{what_if.unknown:,}")
    incomplete = 4 if what_if.unknown else 5 if what_if.other_rules else 0
    context.exit(1 if widened.sends and not allow_widening else incomplete)


def _told(what_if: WhatIf) -> dict[str, object]:
    return {
        "policy": what_if.new.ref,
        "decisions": what_if.changes.sends,
        "left_out": what_if.left_out,
        "other_rules": what_if.other_rules,
        "unknown": what_if.unknown,
        **rows(what_if.changes),
    }


def _people(people: set[str], sends: int) -> str:
    return f"{len(people):,}" if people or not sends else "-"
