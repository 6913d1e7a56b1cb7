"""`gatekeeper audit reemit`: writes records gone from `cleared` again, if their clearance still holds."""

from __future__ import annotations

from collections import Counter
from time import time
from uuid import uuid4

import click

from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.output import json_option, note, progress_bar, reading, show_json, show_table
from gatekeeper.cli.usage import Number
from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.review.actions import sentence
from streams.client.reader import Reader
from streams.operations import reemissions

INSTEAD = ("review", "confirmations", "recalls")
"""Outputs whose content no record holds. The error names the remedy instead."""
WAIT_SECONDS = 60.0
RATE = 1_000
"""Acts a second: about a fifth of a worker's pace beside its sends."""


@click.command("reemit", help=text("cli.audit_reemit"))
@click.option("--topic", required=True, help=text("cli.audit_reemit_topic"))
@click.option("--dry-run", is_flag=True, help=text("cli.audit_reemit_dry_run"))
@click.option("--rate", type=click.IntRange(min=1), default=RATE, show_default=True, help=text("cli.audit_rate"))
@act_options("reemit")
@click.option("--wait", type=Number(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.wait"))
@json_option
def command(topic: str, dry_run: bool, rate: int, reason: str, by: str | None, wait: float, as_json: bool) -> None:
    """Prints the outcomes; exit 5 if an act has no answer, or the bytes of a record are gone."""
    if topic != "cleared":
        raise UsageError(f"error.reemit_{topic if topic in INSTEAD else 'other'}")
    settings = load()
    who = "" if dry_run else person(settings, by)
    if not dry_run:
        reemissions.demand(by=who, reason=reason)  # refused before any broker is asked
    outcomes = Counter[tuple[str, str | None]]()
    with Reader(settings) as reader:
        with reading("cli.audit_reading") as taken:
            lost = reemissions.find(reader, now=int(time() * 1000), taken=taken)
        asked = 0 if dry_run else lost.askable
        acts = reemissions.acts(lost, by=who, run=uuid4().hex[:12], reason=reason)
        with progress_bar() as bar:
            task = bar.add_task(text("cli.audit_reemit_waiting"), total=asked)
            for answer in reemissions.answers(settings, reader, acts, rate=rate, seconds=wait) if asked else ():
                outcomes[answer] += 1
                bar.advance(task)
    gone, unanswered = lost.gone, asked - outcomes.total()
    counts = {"present": lost.present, "missing": len(lost.missing), "gone": len(gone), "unanswered": unanswered}
    told_of = {(code or outcome): count for (outcome, code), count in sorted(outcomes.items(), key=str)}
    if as_json:
        show_json({"topic": topic, **counts, "outcomes": told_of, "gone_ids": gone})
    else:
        click.echo(text("cli.audit_reemit_found", topic=topic, **counts))
        if outcomes:
            rows = [(count, sentence(outcome, code)) for (outcome, code), count in outcomes.most_common()]
            show_table(("cli.column_count", "cli.column_answer"), rows, numbers=(0,))
    if gone:
        note("cli.audit_reemit_gone", count=f"{len(gone):,}", example=gone[0])
    if unanswered:
        raise IncompleteError("error.reemit_unanswered", count=unanswered)
    click.get_current_context().exit(5 if gone else 0)
