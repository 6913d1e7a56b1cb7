"""`gatekeeper restore`: writes a backup into an empty cluster, and says what is lost."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, time

import click

from gatekeeper.cli.audit.reading import milliseconds
from gatekeeper.cli.backup import bar
from gatekeeper.cli.output import age, json_option, note, show_json
from gatekeeper.errors import UsageError
from gatekeeper.settings import load
from gatekeeper.texts import text
from gatekeeper.times import instant
from streams.backup import restore


@click.command("restore", help=text("cli.restore"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--lost", callback=milliseconds, metavar="TIME", help=text("cli.restore_lost"))
@click.option("--complete", is_flag=True, help=text("cli.restore_complete"))
@click.option("--open", "opening", is_flag=True, help=text("cli.restore_open"))
@json_option
def command(folder: Path, lost: int | None, complete: bool, opening: bool, as_json: bool) -> None:
    """Checks the backup, writes it back, and compares the topics. Exit 1 if one differs, or a key is not here."""
    settings = load()
    if opening:
        if complete or lost is not None:
            raise UsageError("error.restore_open_alone")
        restore.open_gate(settings, folder)
        if as_json:
            show_json({"folder": str(folder), "open": True})
        else:
            click.echo(text("cli.restore_opened"))
        return
    began = monotonic()
    with bar("cli.restore_checking") as told:
        restore.check(settings, folder, told=told)
    with bar("cli.restore_writing") as told:
        done = restore.restore(settings, folder, shut=not complete, told=told)
    seconds, found = monotonic() - began, done.backup
    behind = max(0, (lost or int(time() * 1000)) - found.newest) / 1000 if found.records else None
    if as_json:
        show_json(
            {
                "folder": str(folder),
                "records": found.records,
                "begun": found.begun,
                "since": found.since,
                "newest": instant(found.newest) if found.records else None,
                "rpo_seconds": behind,
                "rto_seconds": round(seconds, 1),
                "open": complete,
                "kept": done.kept,
                "keys_missing": done.keys,
                "differences": [str(each) for each in done.differences],
            }
        )
    else:
        click.echo(text("cli.restore_done", records=f"{found.records:,}", seconds=f"{seconds:,.1f}"))
        if behind is not None:
            click.echo(text("cli.restore_behind", newest=instant(found.newest), age=age(behind, up=True)))
        for each in done.differences:
            click.echo(str(each))
    for place in done.kept:
        note("cli.restore_kept", path=place)
    for name in done.keys:
        note("cli.restore_key", name=name, folder=settings.keys)
    if not complete:
        note("cli.restore_shut", since=found.since, folder=folder)
    click.get_current_context().exit(1 if done.differences or done.keys else 0)
