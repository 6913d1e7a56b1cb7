"""`gatekeeper withdraw`: withdraws a person's consent, binding from the acknowledgement."""

from __future__ import annotations

from typing import get_args

import click

from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.values import Channel
from streams.operations import withdrawals

UNNAMED = "unnamed"
"""Actor of a withdrawal that names none; a withdrawal is not refused for want of a name."""


@click.command("withdraw", help=text("cli.withdraw"))
@click.argument("recipient")
@click.option("--controller", "controllers", multiple=True, help=text("cli.withdraw_controller"))
@click.option("--purpose", default="*", show_default=True, help=text("cli.withdraw_purpose"))
@click.option(
    "--channel", "channels", multiple=True, type=click.Choice(get_args(Channel)), help=text("cli.withdraw_channel")
)
@click.option("--at", help=text("cli.withdraw_at"))
@act_options("withdraw")
@wait_options
@json_option
def command(
    recipient: str,
    controllers: tuple[str, ...],
    purpose: str,
    channels: tuple[Channel, ...],
    at: str | None,
    reason: str,
    evidence: str | None,
    by: str | None,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Writes a Withdrawn event for each controller and the act that names the actor, all or nothing.

    Exit 1 if the worker refuses the act, and 3 if it has not answered in time. The withdrawal binds all the same.
    """
    settings = load()
    stated = withdrawals.WithdrawalStatement(recipient, "cli", controllers, purpose, channels or "*", at)
    who = person(settings, by or (None if settings.user_key else settings.user or UNNAMED))
    question = Question(settings, wait=wait, no_wait=no_wait)
    done = withdrawals.write(settings, stated, by=who, reason=reason, evidence=evidence)
    rows = [
        {
            "controller_id": event.controller_id,
            "record_id": event.record_id,
            "topic": settings.topic(place.topic),
            "partition": place.partition,
            "offset": place.offset,
        }
        for event, place in zip(done.events, done.pair.facts, strict=True)
    ]
    answer = question.answer(done.pair)
    if done.unknown:
        note("cli.withdraw_unknown_controller", controllers=", ".join(done.unknown))
    if not done.covers:
        note("cli.withdraw_unknown_purpose", purpose=purpose)
    if as_json:
        result = {"recipient_id": recipient, "purpose": purpose, "channels": channels or "*", "acknowledged": rows}
        show_json({**result, "act_id": done.pair.act_id, "by": done.act.by, "unknown": done.unknown, **answer.plain()})
    else:
        click.echo(text("cli.withdraw_done", count=len(rows)))
        show_table(
            ("cli.column_controller", "cli.column_place"),
            [(row["controller_id"], f"{row['topic']}/{row['partition']}/{row['offset']}") for row in rows],
        )
    answer.conclude()
