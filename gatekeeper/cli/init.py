"""`gatekeeper init`: makes the topics, and registers the first manager, unsigned, as no key exists yet."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.actor import named
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.cli.staff import folder_option, staff_of
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.staff import person_keys
from streams.client import admin
from streams.client.reader import Reader
from streams.operations import endorsement


@click.command("init", help=text("cli.init"))
@click.argument("id_", metavar="ID")
@folder_option
@json_option
def command(id_: str, folder: Path, as_json: bool) -> None:
    """Makes what is missing of the topics, a key for this manager, and the first record of `staff`."""
    settings = load()
    named(id_, "ID")
    if settings.founder:
        raise UsageError("error.founder_set")
    admin.create(settings)
    admin.demand(settings)
    with Reader(settings) as reader:
        if endorsement.read(reader).founded:
            raise UsageError("error.founded")
    made, path = person_keys.make(folder, id_, "k1")
    first = staff_of(id_, roles=("manager",), keys=[{"id": made.key, "method": "key", "public": made.public}])
    try:
        place = endorsement.begin(settings, first)
    except BaseException:
        path.unlink(missing_ok=True)  # nobody knows its public half
        raise
    founder = endorsement.demand_founder(settings, first)
    if as_json:
        shown = {"id": id_, "key": made.key, "file": str(path), "public": made.public, "offset": place.offset}
        show_json({**shown, "founder": founder})
    else:
        click.echo(text("cli.init_done", id=id_, path=path))
        click.echo(text("cli.init_founder", founder=founder))
        note("cli.init_next", path=path)
