"""`gatekeeper audit export`: all that others need to check what was decided, as a folder."""

from __future__ import annotations

from pathlib import Path
from time import time

import click

from gatekeeper.audit import export
from gatekeeper.audit.trail import Link
from gatekeeper.cli.audit.reading import Pace, rate_option, tell_aside, time_options
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.keys import Keys
from gatekeeper.settings import load
from gatekeeper.shelf import Shelf
from gatekeeper.spans import instant
from gatekeeper.texts import text
from streams.trail import LiveTrail


@click.command("export", help=text("cli.audit_export"))
@click.option("--out", required=True, type=click.Path(path_type=Path), help=text("cli.audit_export_out"))
@click.option("--unsealed", is_flag=True, help=text("cli.audit_export_unsealed"))
@time_options
@rate_option
@json_option
def command(out: Path, unsealed: bool, since: int | None, to: int | None, rate: float | None, as_json: bool) -> None:
    """Writes the folder whole or not at all; without a witness, or where something is left out, it says so.

    Exit 1 where others wrote to `manifests` or `audit`: that is left aside, and the rest is whole and can be verified.
    """
    settings = load()
    log = sealed(Keys(settings.key_folder), settings.log_folder)
    with LiveTrail(settings, since=since, to=to) as trail, progress_bar() as bar:
        task = bar.add_task(text("cli.audit_exporting"), total=sum(end - start for start, end in trail.bounds.values()))
        before = sum(start for start, _ in trail.bounds.values())
        at = {number: start for number, (start, _) in trail.bounds.items()}

        pace = Pace(rate)

        def told(link: Link) -> None:
            at[link.partition] = link.offset + 1
            bar.update(task, completed=sum(at.values()) - before)
            pace.done(len(link.records))

        first, last = (None if moment is None else instant(moment) for moment in (trail.since, to))
        about = {"made": instant(int(time() * 1000)), "group": settings.group, "from": first, "to": last}
        found = export.write(out, trail, about=about, log=log, keys=settings.key_folder, unsealed=unsealed, told=told)
    if trail.since is not None and trail.since != since:
        note("cli.audit_export_kept", since=instant(trail.since))
    if log is None:
        note("cli.audit_export_no_log", folder=settings.log_folder)
    elif not log.witnessed:
        note("cli.audit_export_no_witness")
    if found.left:
        note("cli.audit_export_left", count=f"{found.left:,}")
    if found.absent:
        note("cli.audit_export_absent", count=len(found.absent), example=found.absent[0])
    tell_aside(trail)
    if as_json:
        show_json({"out": str(out), **_plain(found), "aside": trail.strangers})
    else:
        click.echo(text("cli.audit_exported", out=out, manifests=f"{found.manifests:,}", records=f"{found.records:,}"))
    click.get_current_context().exit(1 if trail.aside else 0)


def sealed(keys: Keys, folder: Path) -> export.Sealed | None:
    """Returns the sealed log in a folder, None where there is none."""
    return export.sealed(Shelf(folder), keys.public("log"), keys.public("witness"))


def _plain(found: export.Exported) -> dict[str, object]:
    return {name: getattr(found, name) for name in ("manifests", "records", "left", "size", "witnessed", "absent")}
