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
    settings, findings = load(), list[Finding]()
    with reading("cli.doctor_looking") as taken:
        for finding in chain(local.findings(settings, part), checkup.findings(settings, part, taken)):
            findings.append(finding)
            taken()
    if as_json:
        for finding in findings:
            show_json({"check": finding.check, "level": finding.level, "found": finding.found, "next": finding.next})
    else:
        rows = [
            (text(f"doctor.level_{finding.level}"), text(f"doctor.name_{finding.check}"), _told(finding))
            for finding in findings
        ]
        show_table([f"cli.column_{name}" for name in ("level", "check", "found")], rows, whole=(0, 1))
        counts = Counter(finding.level for finding in findings)
        note("cli.doctor_counts", **{level: counts[level] for level in ("ok", "warning", "wrong", "unknown")})
    click.get_current_context().exit(1 if any(finding.level == "wrong" for finding in findings) else 0)


def _told(finding: Finding) -> str:
    return " ".join(part for part in (finding.found, finding.next) if part)
