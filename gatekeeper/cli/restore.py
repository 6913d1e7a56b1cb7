"""`gatekeeper restore`: writes a backup into an empty cluster, and says what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic, time
from typing import Any

import click

from gatekeeper.cli.audit.reading import milliseconds
from gatekeeper.cli.backup import bar
from gatekeeper.cli.output import age, json_option, note, reading, show_json, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from streams.backup import restore
from streams.backup.feeds import Feed, FeedAnswer


@click.command("restore", help=text("cli.restore"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--lost", callback=milliseconds, metavar="TIME", help=text("cli.restore_lost"))
@click.option("--complete", is_flag=True, help=text("cli.restore_complete"))
@click.option("--open", "opening", is_flag=True, help=text("cli.restore_open"))
@click.option("--answered", "answers", multiple=True, metavar="FEED=EVIDENCE", help=text("cli.restore_answered"))
@json_option
def command(
    folder: Path, lost: int | None, complete: bool, opening: bool, answers: tuple[str, ...], as_json: bool
) -> None:
    """Checks the backup, writes it back, and compares the topics. Exit 1 if one differs, or a key is not here.

    Opening the gate ends with 1 if a feed has not answered, because its companies' mail is withheld.
    """
    settings = load()
    if opening:
        if complete or lost is not None:
            raise UsageError("error.restore_open_alone")
        _open(settings, folder, [FeedAnswer.of(answer) for answer in answers], as_json=as_json)
        return
    if answers:
        raise UsageError("error.restore_answered_open")
    began = monotonic()
    with bar("cli.restore_checking") as advance:
        restore.check(settings, folder, told=advance)
    with bar("cli.restore_writing") as advance:
        done = restore.restore(settings, folder, shut=not complete, told=advance)
    seconds, backup = monotonic() - began, done.backup
    behind = max(0, (lost or int(time() * 1000)) - backup.newest) / 1000 if backup.records else None
    if as_json:
        show_json(
            {
                "folder": str(folder),
                "records": backup.records,
                "begun": backup.begun,
                "since": backup.since,
                "newest": instant(backup.newest) if backup.records else None,
                "rpo_seconds": behind,
                "rto_seconds": round(seconds, 1),
                "open": complete,
                "feeds": [_plain(feed) for feed in done.feeds],
                "kept": done.kept,
                "keys_missing": done.keys,
                "differences": [str(difference) for difference in done.differences],
            }
        )
    else:
        click.echo(text("cli.restore_done", records=f"{backup.records:,}", seconds=f"{seconds:,.1f}"))
        if behind is not None:
            click.echo(text("cli.restore_behind", newest=instant(backup.newest), age=age(behind, up=True)))
        for difference in done.differences:
            click.echo(str(difference))
        _show(done.feeds)
    for path in done.kept:
        note("cli.restore_kept", path=path)
    for name in done.keys:
        note("cli.restore_key", name=name, folder=settings.keys)
    if not complete:
        note("cli.restore_shut", since=backup.since, folder=folder)
    click.get_current_context().exit(1 if done.differences or done.keys else 0)


def _open(settings: Settings, folder: Path, answers: list[FeedAnswer], *, as_json: bool) -> None:
    with reading() as taken:
        backup, feeds = restore.open_gate(settings, folder, answers, taken=taken)
    if as_json:
        result = {"folder": str(folder), "open": True, "since": backup.since}
        show_json({**result, "feeds": [_plain(feed) for feed in feeds]})
    else:
        _show(feeds)
        click.echo(text("cli.restore_opened"))
    for feed in (open_ := [feed for feed in feeds if feed.evidence is None]):
        companies = ", ".join(feed.withholds) or text("cli.status_withholds_everyone")
        note("cli.restore_gap", feed=feed.name, since=backup.since, companies=companies, place=feed.gap)
    click.get_current_context().exit(1 if open_ else 0)


def _show(feeds: Sequence[Feed]) -> None:
    columns = ("feed", "companies", "records", "newest", "evidence")
    if feeds:
        rows = [
            (
                feed.name,
                ", ".join(feed.withholds) or text("cli.status_withholds_everyone"),
                feed.records,
                instant(feed.newest) if feed.records else "-",
                feed.evidence or "-",
            )
            for feed in feeds
        ]
        show_table([f"cli.column_{name}" for name in columns], rows, numbers=(2,))


def _plain(feed: Feed) -> dict[str, Any]:
    return {
        "feed": feed.name,
        "companies": [*feed.withholds],
        "records": feed.records,
        "newest": instant(feed.newest) if feed.records else None,
        "evidence": feed.evidence,
        "gap": feed.gap,
    }
