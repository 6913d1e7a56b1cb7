"""`gatekeeper reference`: which records of `reference` wait for a signature or have none, and signs one."""

from __future__ import annotations

import click

from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.cli.staff import told_refused, told_waiting
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from streams.client import signatory
from streams.client.reader import Reader
from streams.operations import endorsement
from streams.operations.endorsement import Endorsable


@click.group("reference", help=text("cli.reference"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("list", help=text("cli.reference_list"))
@json_option
def list_records(as_json: bool) -> None:
    """Prints each record that a manager may sign, and each signature that counts for nothing; exit 1 if one waits."""
    settings = load()
    with Reader(settings) as reader:
        endorsed = endorsement.read(reader)
    rows, refused = endorsed.endorsable(), endorsed.log.endorsements.refused
    if as_json:
        for row in rows:
            show_json(
                {"name": row.name, "state": row.state, "offset": row.offset, "signed_by": row.signers, "by": row.named}
            )
        for refusal in refused:
            show_json({"name": refusal.of, "state": "refused", "offset": refusal.order[1], "code": refusal.code})
    elif rows:
        show_table(
            [f"cli.column_{name}" for name in ("record", "state", "place", "signed_by", "named")],
            [_cells(row) for row in rows],
        )
    else:
        note("cli.reference_signed")
    if not as_json:
        for refusal in refused:
            note(
                "cli.signature_refused",
                name=refusal.of,
                place=refusal.order[1],
                says=text(f"act.refused_{refusal.code}"),
            )
    if any(row.state == "waiting" for row in rows):
        raise click.exceptions.Exit(1)


@command.command("sign", help=text("cli.reference_sign"))
@click.argument("records", metavar="KIND/ID...", nargs=-1, required=True)
@json_option
def sign(records: tuple[str, ...], as_json: bool) -> None:
    """Adds this person's signature to the newest record of each name that waits for one, else to an unsigned one."""
    settings = load()
    for record in records:
        _sign(settings, record, as_json=as_json)


def _sign(settings: Settings, record: str, *, as_json: bool) -> None:
    person = signatory.own(settings).by
    with Reader(settings) as reader:
        rows = endorsement.read(reader).endorsable()
    about = [row for row in rows if row.name == record and person.casefold() not in row.signers]
    if not about:
        names = ", ".join(dict.fromkeys(row.name for row in rows)) or "-"
        raise UsageError("error.nothing_to_sign", record=record if "/" in record else "KIND/ID", known=names)
    waiting = [row for row in about if row.state == "waiting"]
    chosen = (waiting or about)[-1]
    place = endorsement.endorse(settings, chosen)
    with Reader(settings) as reader:
        endorsed = endorsement.read(reader)
    left, fault = endorsed.waiting(chosen.name, chosen.offset), endorsed.fault(chosen.name, place.offset)
    if as_json:
        signed = {"name": chosen.name, "offset": chosen.offset, "by": person, "signature": place.offset}
        show_json({**signed, "waiting": left is not None, "code": fault})
    elif fault is None:
        click.echo(text("cli.reference_signed_by", name=chosen.name, by=person))
    if fault:
        told_refused(chosen.name, fault)
    if left:
        told_waiting(left._replace(fault=None))


def _cells(row: Endorsable) -> tuple[str, ...]:
    state = text(f"cli.reference_{row.state}")
    return row.name, state, f"reference/0/{row.offset}", ", ".join(row.signers) or "-", ", ".join(row.named) or "-"
