"""Options and readers shared by the commands over a trail: its source, its period, the pace, and the walk itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError
from rich.progress import Progress

from gatekeeper.audit.checks.chain import ChainFinding
from gatekeeper.audit.checks.trail import Link, Trail
from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.audit.log.sealed import Sealed, sealed
from gatekeeper.audit.verify.findings import Finding as Unproven
from gatekeeper.audit.verify.sentences import CHANGED
from gatekeeper.cli.output import note, progress_bar
from gatekeeper.cli.usage import Number
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import language, text
from gatekeeper.ground.times import instant, span
from gatekeeper.keys import Keys
from schemas.values import ZonedTime
from streams.operations.trail import LiveTrail

SHOWN = 100
"""Foreign records that are reported one by one."""
SHARE = 5
"""Live reading takes one part in SHARE of the machine's time, so that live work is not starved."""
UNNOTICED = 2_000
"""Records that are read without a pause, as so few starve nobody."""

rate_option = click.option("--rate", type=Number(min=0), help=text("replay.rate"))


def time_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --from and --to to a command, as `since` and `to` (milliseconds)."""
    for decorate in (
        click.option("--to", callback=milliseconds, help=text("replay.to")),
        click.option("--from", "since", callback=milliseconds, help=text("replay.from")),
    ):
        command = decorate(command)
    return command


def in_order(since: int | None, to: int | None) -> None:
    """Raises UsageError (2) where nothing can lie at or after `since` and before `to` (milliseconds)."""
    if since is not None and to is not None and since >= to:
        raise UsageError("error.period_empty")


def trail_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds FOLDER or --live, --from and --to to a command, as `folder`, `live`, `since` and `to` (milliseconds)."""
    return place_options(time_options(command))


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds FOLDER or --live to a command, as `folder` and `live`."""
    for decorate in (
        click.option("--live", is_flag=True, help=text("replay.live")),
        click.argument("folder", required=False, type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def of_folder(settings: Settings, folder: Path | None) -> Settings:
    """The settings with keys and log of an export; unchanged without a folder."""
    if folder is None:
        return settings
    return settings.model_copy(update={"keys": str(folder / "keys"), "log": str(folder / "log")})


def keys_of(settings: Settings, folder: Path | None) -> Keys:
    """The keys of an export, even from a folder that others may write to, or the system's keys."""
    return Keys(settings.key_folder, handed=folder is not None)


def log_of(keys: Keys, folder: Path) -> Sealed | None:
    """The sealed log in a folder, None without one; raises IntegrityError (4) if it cannot be read."""
    return sealed(AtomicStore(folder), keys.public("log"), keys.public("witness"), passed_over)


def passed_over(error: GatekeeperError) -> None:
    """Notes why a file is skipped."""
    note(error.key, **error.values)


@contextmanager
def opened(
    settings: Settings, folder: Path | None, *, live: bool, since: int | None, to: int | None
) -> Iterator[Trail]:
    """Yields the trail of an export or of the running system; raises UsageError (2) unless exactly one is asked for."""
    in_order(since, to)
    if live == (folder is not None):
        raise UsageError("error.trail_unnamed")
    if folder is not None:
        yield ExportReader(folder, since=since, to=to)
        return
    with LiveTrail(settings, since=since, to=to) as trail:
        yield trail
        tell_aside(trail)


def tell_aside(trail: LiveTrail) -> None:
    """Notes each foreign record on `manifests` and `audit`, with its place and the reason for setting it aside.

    For an unknown key only the first manifest is noted. Without any worker's key, own and foreign records look alike.
    """
    if not trail.keys.numbers("worker", "pub"):
        note("cli.audit_unkeyed", folder=trail.keys.folder)
    findings: dict[object, ChainFinding] = {}
    for place, finding in trail.aside.items():
        findings.setdefault(finding.values.get("kid") if finding.fault == "unknown_key" else place, finding)
    for finding in islice(findings.values(), SHOWN):
        note(f"finding.{finding.fault}", partition=finding.partition, offset=finding.offset, **finding.values)
    if trail.aside:
        note("cli.audit_aside", count=f"{sum(stranger['count'] for stranger in trail.strangers):,}")


def tell_unproven(findings: Iterable[Unproven], folder: Path | None) -> None:
    """Notes once each why proofs fail or cannot be checked. `folder`: the system's keys, None for an export."""
    notes: dict[tuple[str, str], dict[str, object]] = {}
    for finding in findings:
        if finding.code == "unknown_key" and folder is not None:
            notes["cli.audit_unchecked_key", str(finding.values["kid"])] = {
                "kid": finding.values["kid"],
                "folder": folder,
            }
        else:
            sentence = finding.text(language())
            key = "cli.audit_unproven" if finding.exit == CHANGED else "cli.audit_unchecked"
            notes[key, sentence] = {"finding": sentence}
    for (key, _), values in notes.items():
        note(key, **values)


class Pace:
    """Limit of `rate` records a second: 0 = no limit, None = one part in SHARE of full speed.

    With None, the first UNNOTICED records are not held up.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._began = self._last = time.monotonic()
        self._done = 0

    def done(self, records: int) -> None:
        """Counts records, and waits until the next ones may be taken."""
        self._done += records
        now = time.monotonic()
        if self._rate is None and self._done > UNNOTICED:
            time.sleep((now - self._last) * (SHARE - 1))
        elif self._rate:
            time.sleep(max(0.0, self._began + self._done / self._rate - now))
        self._last = time.monotonic()


def milliseconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """An instant with its offset in milliseconds; raises UsageError (2) for anything else."""
    if value is None:
        return None
    try:
        TypeAdapter(ZonedTime).validate_python(value)
    except ValidationError:
        raise UsageError("error.option_invalid", option=parameter.opts[0]) from None
    return span(value, "Asia/Tokyo").first // 1000


@dataclass
class TrailWalk:
    """Walk through the links of a trail whose `t1` is at or after `since` and before `to` (milliseconds).

    `passed`: called with each record before `since` that the trail holds.
    """

    trail: Trail
    since: int | None
    to: int | None
    pace: Pace
    passed: Callable[[bytes], None] = lambda _: None
    bar: Progress = field(default_factory=progress_bar)

    def __post_init__(self) -> None:
        self._task = self.bar.add_task(text("replay.replaying"), total=None)

    def links(self, partition: int) -> Iterator[Link]:
        """Yields the links of a partition at the pace; raises as the trail does."""
        first, last = ("" if self.since is None else instant(self.since), "~" if self.to is None else instant(self.to))
        for link in self.trail.links(partition):
            t1 = link.manifest["t1"]
            if first <= t1 < last:
                yield link
            elif t1 < first:
                for value in link.records:
                    self.passed(value)
            self.bar.advance(self._task, len(link.records))
            self.pace.done(len(link.records))
