"""`gatekeeper readmit`: lets an erased person be a customer again, at the person's own request only."""

from __future__ import annotations

import click

from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import erasures


@click.command("readmit", help=text("cli.readmit"))
@click.argument("recipient")
@act_options("readmit")
@wait_options
@json_option
def command(
    recipient: str, reason: str, evidence: str | None, by: str | None, wait: float, no_wait: bool, as_json: bool
) -> None:
    """Writes corrections of the erasure's stops with the act, all or nothing; refuses (2) a person never erased.

    The stops hold until a second manager has run it, too.

    Exit 1 if the worker refuses the act, and 3 if it has not answered in time.
    """
    settings = load()
    act = fact_with_act.act(
        "readmit", by=person(settings, by), recipient_id=recipient, reason=reason, evidence_ref=evidence
    )
    with Reader(settings) as reader:
        back = erasures.readmission(reader, act)
    question = Question(settings, wait=wait, no_wait=no_wait)
    pair = back.dated(fact_with_act.now()).write(settings)
    answer = question.answer(pair)
    if as_json:
        counts = {"stops": len(back.stops), "partitions": len(back.partitions)}
        show_json({"act_id": pair.act_id, "by": act.by, **counts, **answer.plain()})
    elif not answer.refused:
        click.echo(text("cli.readmit_done", act=pair.act_id, stops=len(back.stops)))
    if not answer.refused:
        note("cli.readmit_second")
    answer.conclude()
