"""`gatekeeper audit export`: all that others need to check what was decided, as a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from time import time

import click
from rich.progress import Progress

from gatekeeper.audit.checks.chain import Finding
from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export import export
from gatekeeper.audit.export.export_in_progress import PROGRESS, Begun, part_of
from gatekeeper.audit.log.atomic_store import Shelf, sync
from gatekeeper.audit.log.sealed import Sealed, reopened
from gatekeeper.cli.audit import state as states
from gatekeeper.cli.audit.reading import Pace, in_order, log_of, rate_option, tell_aside, time_options
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.errors import IntegrityError, UnavailableError, UsageError
from gatekeeper.keys import Keys
from gatekeeper.settings import load
from gatekeeper.texts import text
from gatekeeper.times import instant
from streams.operations.trail import Bounds, LiveTrail

_STATE = Path(PROGRESS) / "state.json"


class Kept(states.State):
    """What the progress file of an export holds: all that must be the same again, and how far it came.

    `made`: when it was begun. `note`: of the sealed log's checkpoint, None without a log. `aside`: what the trail met.
    """

    made: str
    note: str | None
    bounds: Bounds
    aside: list[Finding]
    begun: Begun


@click.command("export", help=text("cli.audit_export"))
@click.option("--out", required=True, type=click.Path(path_type=Path), help=text("cli.audit_export_out"))
@click.option("--unsealed", is_flag=True, help=text("cli.audit_export_unsealed"))
@time_options
@rate_option
@json_option
def command(out: Path, unsealed: bool, since: int | None, to: int | None, rate: float | None, as_json: bool) -> None:
    """Writes the folder whole or not at all; without a witness, or where something is left out, it says so.

    What was cut off goes on. Exit 1 where others wrote to `manifests` or `audit`: that is left aside, and the rest is
    whole and can be verified.
    """
    in_order(since, to)
    settings = load()
    keys = Keys(settings.key_folder)
    about = {"group": settings.group, "broker": settings.bootstrap, "from": since, "to": to, "unsealed": unsealed}
    known = [key.kid for key in keys.public("worker")]
    of = states.of("export", **about, log=str(settings.log_folder), keys=known)
    with _growing(out) as part, ExitStack() as stack:
        file = part / _STATE
        kept = states.begun(file, Kept, of)
        log = _reopened(kept, part, keys, settings.log_folder) if kept else log_of(keys, settings.log_folder)
        made = kept.made if kept else instant(int(time() * 1000))
        bounds = kept.bounds if kept else None
        trail = stack.enter_context(LiveTrail(settings, since=since, to=to, bounds=bounds))
        if kept:
            _go_on(trail, kept, part)
        told, keeper = _told(stack.enter_context(progress_bar()), trail, kept, Pace(rate)), states.Keeper(file)

        def save(begun: Begun) -> None:
            met, stands = list(trail.aside.values()), log.note if log else None
            keeper.write(Kept(of=of, made=made, note=stands, bounds=trail.bounds, aside=met, begun=begun))

        first, last = (None if moment is None else instant(moment) for moment in (trail.since, to))
        try:
            found = export.write(
                out,
                part,
                trail,
                about={"made": made, "group": settings.group, "from": first, "to": last},
                log=log,
                keys=keys.folder,
                unsealed=unsealed,
                told=told,
                begun=kept.begun if kept else None,
                due=keeper.due,
                save=save,
                sync=sync,
            )
        except (KeyboardInterrupt, UnavailableError, IntegrityError):
            if part.exists():
                note("cli.audit_export_interrupted", part=part)
            raise
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
        show_json({"out": str(out), **asdict(found), "aside": trail.strangers})
    else:
        click.echo(text("cli.audit_exported", out=out, manifests=f"{found.manifests:,}", records=f"{found.records:,}"))
    click.get_current_context().exit(1 if trail.aside else 0)


@contextmanager
def _growing(out: Path) -> Iterator[Path]:
    """Yields the folder in which an export grows; nobody else writes to it while the block runs.

    Raises as `part_of` does, UnavailableError (3) where another call does.
    """
    part = part_of(out, user=os.geteuid())
    with Shelf(part).alone():
        try:
            part_of(out, user=os.geteuid())  # once more: another call may have come to its end just now
            yield part
        finally:
            with suppress(OSError):
                part.rmdir()  # where nothing was written


def _told(bar: Progress, trail: LiveTrail, kept: Kept | None, pace: Pace) -> Callable[[Link], None]:
    """Returns what shows each link on the bar, and comes back when the next may be read."""
    bounds = trail.bounds.manifests
    at = {number: min(start, end) for number, (start, end) in bounds.items()}
    before = sum(at.values())
    task = bar.add_task(text("cli.audit_exporting"), total=sum(end for _, end in bounds.values()) - before)
    at |= {number: bounds[number][1] for number in (kept.begun.done if kept else ())}

    def told(link: Link) -> None:
        at[link.partition] = link.offset + 1
        bar.update(task, completed=sum(at.values()) - before)
        pace.done(len(link.records))

    return told


def _reopened(kept: Kept, part: Path, keys: Keys, folder: Path) -> Sealed | None:
    """Returns the sealed log as the export began with it; raises IntegrityError (4) where it is not that one."""
    try:
        return None if kept.note is None else reopened(Shelf(folder), kept.note, keys.public("witness"))
    except ValueError:
        raise UsageError("error.state_unreadable", file=part / _STATE) from None
    except IntegrityError:
        note("cli.audit_export_log_lost", part=part, folder=folder)
        raise


def _go_on(trail: LiveTrail, kept: Kept, part: Path) -> None:
    """Has the trail know what was met before, and says that it goes on; raises UsageError (2) where it cannot."""
    if not trail.whole():
        raise UsageError("error.export_lost", folder=part)
    trail.aside |= {finding.place: finding for finding in kept.aside}
    counts = {name: f"{getattr(kept.begun, name):,}" for name in ("manifests", "records")}
    note("cli.audit_export_goes_on", part=part, **counts)
