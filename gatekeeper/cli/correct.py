"""`gatekeeper correct`: takes back a stop that was recorded wrongly, or that is of somebody else (rule 8.1.40)."""

from __future__ import annotations

import click

from gatekeeper.cli.actor import by_option, confirmed, named, person, yes_option
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import corrections


@click.command("correct", help=text("cli.correct"))
@click.argument("stops", metavar="STOP...", nargs=-1, required=True)
@click.option("--of-another", "recipient", metavar="RECIPIENT", help=text("cli.correct_of_another"))
@click.option("--evidence", required=True, help=text("cli.evidence"))
@by_option
@yes_option
@json_option
def command(
    stops: tuple[str, ...], recipient: str | None, evidence: str, by: str | None, yes: bool, as_json: bool
) -> None:
    """Writes the correction under the person's signature. A certain stop needs that of a second manager, too."""
    settings = load()
    ids = [named(id_, "STOP") for id_ in stops]
    who, proof, at = person(settings, by), named(evidence, "--evidence"), fact_with_act.now()
    if recipient is None:
        with Reader(settings) as reader:
            events = [*corrections.corrected(reader, ids, by=who, evidence=proof, at=at)]
        confirmed(text("cli.correct_sure", count=len(events)), len(events), yes=yes)
        corrections.write(settings, events)
    else:
        confirmed(text("cli.correct_of_another_sure", count=len(ids)), len(ids), yes=yes)
        found = corrections.of_another(named(recipient, "--of-another"), ids, by=who, evidence=proof, at=at)
        corrections.write(settings, [found])
    if as_json:
        show_json({"stops": ids, "by": who, "recipient_id": recipient, "at": at})
    else:
        click.echo(text("cli.correct_done", stops=", ".join(ids), by=who))
    note("cli.correct_second")
