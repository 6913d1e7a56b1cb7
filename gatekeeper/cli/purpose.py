"""`gatekeeper purpose`: registers the company's own purposes, and lists them (domain rule 7.5.22)."""

from __future__ import annotations

from typing import Any

import click
from pydantic import ValidationError

from gatekeeper.cli.actor import named
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.cli.staff import told_waiting, waiting_row
from gatekeeper.deciding.purposes import Registered
from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.codec import encode
from schemas.events import Purpose
from streams.client.outgoing import Outgoing
from streams.client.publisher import transact
from streams.client.reader import Reader
from streams.operations import endorsement

_OPTIONS = {"id": "ID", "name_ja": "--name-ja", "name_en": "--name-en", "controllers": "--controller", "by": "--by"}


@click.group("purpose", help=text("cli.purpose"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("add", help=text("cli.purpose_add"))
@click.argument("id_", metavar="ID")
@click.option("--name-ja", required=True, help=text("cli.purpose_name_ja"))
@click.option("--name-en", required=True, help=text("cli.purpose_name_en"))
@click.option("--marketing/--service", "marketing", required=True, help=text("cli.purpose_marketing"))
@click.option("--controller", "controllers", multiple=True, help=text("cli.purpose_controller"))
@click.option("--by", multiple=True, help=text("cli.purpose_by"))
@json_option
def add(
    id_: str,
    name_ja: str,
    name_en: str,
    marketing: bool,
    controllers: tuple[str, ...],
    by: tuple[str, ...],
    as_json: bool,
) -> None:
    """Writes one record; refused if the gate would not read it."""
    settings = load()
    if marketing and by and len(set(by)) != 2:
        raise UsageError("error.purpose_by_count")
    purpose = _purpose(
        id=id_, name_ja=name_ja, name_en=name_en, marketing=marketing, controllers=controllers or None, by=by or None
    )
    if not (marketing or purpose.by_two):
        raise UsageError("error.purpose_by_two", purpose=id_)
    value = encode(purpose)
    with Reader(settings) as reader:
        reference = endorsement.read(reader).log.reference
    if purpose != _with(reference, purpose, value):
        raise UsageError("error.purpose_differs", purpose=id_)
    (place,) = transact(settings, [Outgoing("reference", f"purpose/{id_}".encode(), value)])
    row = waiting_row(settings, f"purpose/{id_}", place.offset)
    if as_json:
        where = {"topic": settings.topic("reference"), "offset": place.offset}
        show_json({"purpose": id_, **where, "waiting": row is not None})
    elif row is None:
        click.echo(text("cli.purpose_added", purpose=id_))
    if row:
        told_waiting(row)


@command.command("list", help=text("cli.purpose_list"))
@json_option
def list_purposes(as_json: bool) -> None:
    """Prints one row a registered purpose; exit 1 if a record is not read."""
    settings = load()
    with Reader(settings) as reader:
        purposes = endorsement.read(reader).log.reference.purposes
    rows = [purposes.registered[code] for code in sorted(purposes.registered)]
    if as_json:
        for row in rows:
            show_json(_plain(row))
        for code in purposes.unread:
            show_json({"id": code, "unread": True})
    elif rows:
        show_table(
            [f"cli.column_{name}" for name in ("purpose", "name_ja", "name_en", "marketing", "controller")],
            [
                (
                    row.purpose.id,
                    row.purpose.name_ja,
                    row.purpose.name_en,
                    text("cli.column_yes" if row.purpose.marketing else "cli.column_no"),
                    ", ".join(row.purpose.controllers or ("*",)),
                )
                for row in rows
            ],
        )
    else:
        note("cli.purpose_none")
    for code in purposes.unread:
        note("cli.purpose_unread", purpose=code)
    if purposes.unread:
        raise click.exceptions.Exit(1)


def _purpose(**fields: Any) -> Purpose:
    for by in fields["by"] or ():
        named(by, "--by")
    try:
        return Purpose(v=1, kind="purpose", **fields)
    except ValidationError as error:
        option = _OPTIONS[str(error.errors()[0]["loc"][0])]
        raise UsageError("error.option_invalid", option=option) from None


def _with(reference: Reference, purpose: Purpose, value: bytes) -> Purpose | None:
    """The purpose as the gate would read it after this record; None if it would not."""
    reference.put(purpose, value, 2**62)
    return reference.purposes.get(purpose.id)


def _plain(row: Registered) -> dict[str, Any]:
    fields = row.purpose.model_dump(mode="json", exclude={"v", "kind", "recorded_at"})
    return {**fields, "by_two": row.by_two, "unread": False}
