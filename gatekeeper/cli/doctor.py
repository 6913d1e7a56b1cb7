"""`gatekeeper doctor`: looks for what can be wrong, on this machine and on the brokers, and writes nothing there."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import click

from gatekeeper.checkup import local
from gatekeeper.checkup.finding import Finding
from gatekeeper.cli.output import json_option, note, reading, show_json, show_table
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.topics import PARTS, Part
from streams.operations import checkup


@click.command("doctor", help=text("cli.doctor"))
@click.option("--for", "part", type=click.Choice(PARTS), help=text("cli.doctor_for"))
@json_option
def command(part: Part | None, as_json: bool) -> None:
    """Prints the finding of each check; exit 1 if one is wrong."""
    settings, found = load(), list[Finding]()
    with reading("cli.doctor_looking") as taken:
        for one in chain(local.findings(settings, part), checkup.findings(settings, part, taken)):
            found.append(one)
            taken()
    if as_json:
        for one in found:
            show_json({"check": one.check, "level": one.level, "found": one.found, "next": one.next})
    else:
        rows = [(text(f"doctor.level_{one.level}"), text(f"doctor.name_{one.check}"), _told(one)) for one in found]
        show_table([f"cli.column_{name}" for name in ("level", "check", "found")], rows, whole=(0, 1))
        counts = Counter(one.level for one in found)
        note("cli.doctor_counts", **{level: counts[level] for level in ("ok", "warning", "wrong", "unknown")})
    click.get_current_context().exit(1 if any(one.level == "wrong" for one in found) else 0)


def _told(one: Finding) -> str:
    return " ".join(part for part in (one.found, one.next) if part)
