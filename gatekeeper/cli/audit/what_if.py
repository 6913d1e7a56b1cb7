"""`gatekeeper audit what-if`: decides recorded sends again under another policy."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.what_if import By, WhatIf
from gatekeeper.cli.activate import file_policy
from gatekeeper.cli.audit.reading import Pace, opened, rate_option, trail_options
from gatekeeper.cli.audit.walk import TrailWalk
from gatekeeper.cli.output import json_option, note, show_heading, show_json, show_table
from gatekeeper.office.policy_change import every, named
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.settings import load
from gatekeeper.texts import text
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

    Exit 4 if some records could not be decided again.
    """
    given = file_policy(policy) if policy.endswith(".toml") else None
    settings = load()
    new = given or named(policy, every(management.policies(settings) if live else None))
    with opened(settings, folder, live=live, since=since, to=to) as trail:
        found = WhatIf(new, ByHash(trail))
        walk = TrailWalk(trail, since, to, Pace(rate if live or rate else 0))
        with walk.bar:
            for partition in trail.partitions():
                for link in walk.links(partition):
                    for value in link.records:
                        found.add(value)
    if as_json:
        show_json(_told(found))
    else:
        _show(found)
    widened = found.widened
    if widened.sends:
        key = "what_if.widened_allowed" if allow_widening else "what_if.widened"
        note(key, policy=new.name, sends=f"{widened.sends:,}", people=_people(widened.people, widened.sends))
    if found.left_out:
        note("what_if.left_out", count=f"{found.left_out:,}")
    if found.unknown:
        note("what_if.unknown", count=f"{found.unknown:,}")
    context.exit(1 if widened.sends and not allow_widening else 4 if found.unknown else 0)


def _told(found: WhatIf) -> dict[str, object]:
    rows = {
        by: [
            {**({} if by == "verdict" else {by: change.name}), "old": change.old, "new": change.new}
            | {"sends": cell.sends, "people": len(cell.people)}
            for change, cell in found.rows(by, changed=by != "verdict")
        ]
        for by in get_args(By)
    }
    widened = {"sends": found.widened.sends, "people": len(found.widened.people)}
    return {
        "policy": found.new.ref,
        "decisions": found.decisions,
        "left_out": found.left_out,
        "unknown": found.unknown,
        **rows,
        "widened": widened,
    }


def _show(found: WhatIf) -> None:
    columns = [f"cli.column_{name}" for name in ("old", "new", "sends", "people")]
    rows = sorted(
        found.rows("verdict", changed=False),
        key=lambda row: (VERDICTS.index(row[0].old), VERDICTS.index(row[0].new)),
    )
    show_table(columns, [(one.old, one.new, cell.sends, len(cell.people)) for one, cell in rows], numbers=(2, 3))
    named = {"reason": "cli.column_primary", "source": "check.column_method", "campaign": "cli.column_campaign"}
    for by, column in named.items():
        changed = list(found.rows(by))  # type: ignore[arg-type]
        if changed:
            show_heading(f"what_if.by_{by}")
            rows_of = [(one.name, one.old, one.new, cell.sends, len(cell.people)) for one, cell in changed]
            show_table([column, *columns], rows_of, numbers=(3, 4))


def _people(people: set[str], sends: int) -> str:
    return f"{len(people):,}" if people or not sends else "-"
