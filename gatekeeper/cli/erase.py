"""`gatekeeper erase`: erases a person's data, so that the log can no longer identify the person (APPI 35)."""

from __future__ import annotations

import click

from gatekeeper.cli.actor import act_options, confirmed, person, yes_option
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, reading, show_json
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.topics import DAY_MS, TOPICS
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import erasures

KEEPING = ("sends", "deadletter", "confirmations", "review", "acts")
"""Topics that keep the recipient id for a limited time, one for each retention time."""


@click.command("erase", help=text("cli.erase"))
@click.argument("recipient")
@act_options("erase")
@yes_option
@wait_options
@json_option
def command(
    recipient: str,
    reason: str,
    evidence: str | None,
    yes: bool,
    by: str | None,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Writes stops for the person and each known address, and an act to every partition, all or nothing.

    Exit 1 if the worker refuses the act: the stops bind all the same. Exit 3 if it has not answered in time.
    """
    settings = load()
    act = fact_with_act.act(
        "erase", by=person(settings, by), recipient_id=recipient, reason=reason, evidence_ref=evidence
    )  # refused before any broker is asked
    with Reader(settings) as reader, reading() as taken:
        erasure = erasures.erasure(reader, act, taken)
    if not erasure.sources:
        note("cli.erase_unknown")
    confirmed(text("cli.erase_sure", count=len(erasure.stops) - 1), 1, yes=yes)
    if erasure.unreadable:
        note("cli.erase_unreadable", count=erasure.unreadable)
    question = Question(settings, wait=wait, no_wait=no_wait)
    pair = erasure.dated(fact_with_act.now()).write(settings)
    answer = question.answer(pair)
    stops, numbers = len(erasure.stops), len(erasure.partitions)
    kept = {name: (TOPICS[name].keep_ms or 0) // DAY_MS for name in KEEPING}
    if as_json:
        show_json(
            {
                "act_id": pair.act_id,
                "by": act.by,
                "stops": stops,
                "partitions": numbers,
                "sources": erasure.sources,
                "unreadable_sources": erasure.unreadable,
                "kept_days": {**kept, "audit": settings.audit_days},
                **answer.plain(),
            }
        )
    else:
        done = "cli.erase_done" if answer.recorded else "cli.erase_stops"
        click.echo(text(done, act=pair.act_id, stops=stops, partitions=numbers))
        note("cli.erase_kept", **kept)
        note("cli.erase_written", days=settings.audit_days)
    answer.conclude()
