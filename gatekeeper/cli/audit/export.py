"""`gatekeeper audit export`: writes a folder with everything that others need to check the decisions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

import click
from rich.progress import Progress

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export import export
from gatekeeper.audit.export.export_in_progress import begun, part_of
from gatekeeper.audit.export.export_reader import DAYS, Finished, last_finished
from gatekeeper.cli.audit.reading import Pace, in_order, log_of, rate_option, tell_aside, time_options
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant, span
from gatekeeper.keys import Keys
from schemas.topics import DAY_MS
from streams.client import progress
from streams.client.proven_position import stands
from streams.client.reader import Reader
from streams.operations.trail import LiveTrail
from streams.operations.trail_range import KnownPart


@click.command("export", help=text("cli.audit_export"))
@click.option("--out", required=True, type=click.Path(path_type=Path), help=text("cli.audit_export_out"))
@click.option("--unsealed", is_flag=True, help=text("cli.audit_export_unsealed"))
@time_options
@rate_option
@json_option
def command(out: Path, unsealed: bool, since: int | None, to: int | None, rate: float | None, as_json: bool) -> None:
    """Writes the export from its finished days on; notes a missing witness, and everything that is left out.

    Exit 1 if others wrote to `manifests` or `audit`. Their records are set aside; the rest is complete and can be
    verified.
    """
    in_order(since, to)
    settings = load()
    keys = Keys(settings.key_folder)
    with _growing(out) as part, ExitStack() as stack:
        log, about = log_of(keys, settings.log_folder), begun(part, out)
        finished = last_finished(out, part)
        since = _demand_same(settings, out, about, finished, since=since, to=to)
        with Reader(settings) as reader:
            progress.demand_same(reader, ("audit", "manifests"))
        _demand_there(settings, out, finished)
        parts = {number: KnownPart(done.offset, _day(done.day) + DAY_MS) for number, done in finished.items()}
        trail = stack.enter_context(LiveTrail(settings, since=since, to=to, known=parts))
        if about and trail.since != since:
            raise IncompleteError("error.export_lost", folder=out, part=part)
        if finished:
            note("cli.audit_export_goes_on", out=out, day=max(done.day for done in finished.values()))
        first, last = (None if moment is None else instant(moment) for moment in (trail.since, to))
        passed = _told(stack.enter_context(progress_bar()), trail, Pace(rate))
        try:
            exported = export.write(
                out,
                part,
                trail,
                about={"made": instant(int(time() * 1000)), "group": settings.group, "from": first, "to": last},
                log=log,
                keys=keys.folder,
                finished=finished,
                unsealed=unsealed,
                told=passed,
            )
        except (KeyboardInterrupt, GatekeeperError):
            if any(part.glob(f"{DAYS}/*")):
                note("cli.audit_export_interrupted", part=part)
            raise
    if trail.since is not None and trail.since != since:
        note("cli.audit_export_kept", since=instant(trail.since))
    if log is None:
        note("cli.audit_export_no_log", folder=settings.log_folder)
    elif not log.witnessed:
        note("cli.audit_export_no_witness")
    if exported.left:
        note("cli.audit_export_left", count=f"{exported.left:,}")
    if exported.absent:
        note("cli.audit_export_absent", count=len(exported.absent), example=exported.absent[0])
    tell_aside(trail)
    if as_json:
        show_json({"out": str(out), **asdict(exported), "aside": trail.strangers})
    else:
        click.echo(
            text("cli.audit_exported", out=out, manifests=f"{exported.manifests:,}", records=f"{exported.records:,}")
        )
    click.get_current_context().exit(1 if trail.aside else 0)


@contextmanager
def _growing(out: Path) -> Iterator[Path]:
    """Yields the folder in which an export grows; no other call writes to it while the block runs.

    Raises as `part_of` does, and UnavailableError (3) if another call writes to it.
    """
    part = part_of(out, user=os.geteuid())
    with AtomicStore(part).alone():
        if not part.exists():  # another call has just ended
            raise UnavailableError("error.folder_taken", folder=part)
        try:
            yield part
        finally:
            with suppress(OSError):
                part.rmdir()  # succeeds only if nothing was written


def _demand_same(
    settings: Settings,
    out: Path,
    about: Mapping[str, Any] | None,
    finished: Mapping[int, Finished],
    *,
    since: int | None,
    to: int | None,
) -> int | None:
    """The start of the export's period, which never changes; raises UsageError (2) for a call about another one."""
    if about is None:
        return since
    first, end = about["from"], "~" if to is None else instant(to)
    same = about["group"] == settings.group and (since is None or instant(since) == first)
    if not same or any(end[: len(done.day)] <= done.day for done in finished.values()):
        days = max((done.day for done in finished.values()), default="-")
        raise UsageError("error.export_other", folder=out, group=about["group"], since=first or "-", day=days)
    return None if first is None else span(first, "UTC").first // 1000


def _demand_there(settings: Settings, out: Path, finished: Mapping[int, Finished]) -> None:
    """Raises IntegrityError (4) if the broker has lost a manifest of the finished days: it was put back since."""
    with Reader(settings) as reader:
        for number, done in finished.items():
            digest = sha256(done.value).hexdigest()
            if not stands(reader, "manifests", partition=number, offset=done.offset, digest=digest):
                where = {"topic": settings.topic("manifests"), "partition": number, "offset": done.offset}
                raise IntegrityError("error.export_lost_manifest", folder=out, day=done.day, **where)


def _day(day: str) -> int:
    """The start of a UTC day, in milliseconds."""
    return span(day, "UTC").first // 1000


def _told(bar: Progress, trail: LiveTrail, pace: Pace) -> Callable[[Link], None]:
    """A callback that shows each link on the bar, and waits until the next one may be read."""
    bounds = trail.bounds.manifests
    at = {number: min(start, end) for number, (start, end) in bounds.items()}
    before = sum(at.values())
    task = bar.add_task(text("cli.audit_exporting"), total=sum(end for _, end in bounds.values()) - before)

    def told(link: Link) -> None:
        at[link.partition] = link.offset + 1
        bar.update(task, completed=sum(at.values()) - before)
        pace.done(len(link.records))

    return told
