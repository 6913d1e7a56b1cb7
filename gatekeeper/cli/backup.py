"""`gatekeeper backup`: writes all that must survive a lost cluster into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from streams.backup import saving


@click.command("backup", help=text("cli.backup"))
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Writes a whole backup, or none; says what it holds."""
    settings = load()
    with bar("cli.backup_writing") as advance:
        backup = saving.take(settings, folder, told=advance)
    size = sum(file.bytes for file in (*backup.files, *(log.file for log in backup.logs if log.file)))
    newest = instant(backup.newest) if backup.records else None
    unset = [f"GATEKEEPER_{name.upper()}" for name in saving.NAMED if f"settings/{name}" not in backup.settings]
    if as_json:
        show_json(
            {
                "folder": str(folder),
                "records": backup.records,
                "logs": len(backup.logs),
                "files": len(backup.files),
                "bytes": size,
                "begun": backup.begun,
                "newest": newest,
                "not_set": unset,
            }
        )
        return
    click.echo(text("cli.backup_done", folder=folder, records=f"{backup.records:,}", mb=f"{size / 1e6:,.1f}"))
    note("cli.backup_keys")
    for name in unset:
        note("cli.backup_unset", name=name)
    if not any(file.path.startswith("log/") for file in backup.files):
        note("cli.backup_no_log", folder=settings.log_folder)


@contextmanager
def bar(key: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function that shows how many of all are done. `key`: of the catalogue, what is being done."""
    with progress_bar() as shown:
        task = shown.add_task(text(key), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
