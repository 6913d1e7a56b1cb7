"""`gatekeeper suspend`: freezes the sending of a controller, binding from the acknowledgement (J.4.4.2)."""

from __future__ import annotations

from typing import get_args

import click

from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.cli.staff import told_waiting, waiting_row
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from schemas.values import Stoppable
from streams.client import fact_with_act
from streams.operations import management
from streams.operations.management import Change


@click.command("suspend", help=text("cli.suspend"))
@click.argument("controller")
@act_options("suspend")
@click.option("--from", "since", help=text("cli.suspend_from"))
@click.option("--until", help=text("cli.suspend_until"))
@click.option(
    "--class",
    "suspends",
    type=click.Choice(get_args(Stoppable)),
    multiple=True,
    help=text("cli.suspend_class"),
)
@wait_options
@json_option
def command(
    controller: str,
    reason: str,
    evidence: str | None,
    since: str | None,
    until: str | None,
    suspends: tuple[Stoppable, ...],
    by: str | None,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Writes the controller's record with the suspension, and the act; exit 1 if somebody else changed it too."""
    settings = load()
    who, subject = person(settings, by), f"controller/{controller}"
    act = fact_with_act.act("suspend", by=who, subject=subject, reason=reason, evidence_ref=evidence)
    change = management.suspension(settings, act, since=since, until=until, suspends=suspends)
    show_change(settings, change, wait=wait, no_wait=no_wait, as_json=as_json)


def show_change(settings: Settings, change: Change, *, wait: float, no_wait: bool, as_json: bool) -> None:
    """Writes a change of `reference` with its act, and reports it with the worker's answer.

    Exit 1 if somebody changed the record meanwhile, or if the change waits for another signature. Exit 1 also if the
    worker refuses the act, and 3 if it has not answered in time.
    """
    question = Question(settings, wait=wait, no_wait=no_wait)
    act, (pair, rival) = change.act, management.change(settings, change)
    answer = question.answer(pair)
    (place,) = pair.facts
    row = waiting_row(settings, str(act.subject), place.offset)
    where = f"{settings.topic(place.topic)}/{place.partition}/{place.offset}"
    if as_json:
        show_json(
            {
                "kind": act.kind,
                "subject": act.subject,
                "act_id": pair.act_id,
                "by": act.by,
                **change.fields,
                "topic": settings.topic(place.topic),
                "partition": place.partition,
                "offset": place.offset,
                "waiting": row is not None,
                "last": rival is None or not rival.last,
                "rival": None if rival is None else {"by": rival.by, "offset": rival.place.offset},
                **answer.plain(),
            }
        )
    elif row is None and not answer.refused:
        click.echo(text(f"cli.{act.kind}_done", subject=act.subject, place=where))
    if row:
        told_waiting(row._replace(fault=None) if answer.refused else row)  # the refusal says the same
    if rival is not None:
        note("cli.rival_last" if rival.last else "cli.rival_first", by=rival.by or "?", subject=act.subject)
    answer.conclude()
    if row or rival is not None:
        click.get_current_context().exit(1)
