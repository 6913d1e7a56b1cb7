"""`gatekeeper publish`: publishes a campaign's file to `sends`, after a check of the whole file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, time
from typing import IO, Any

import click

from gatekeeper.cli.checked_file import CheckedFile
from gatekeeper.cli.output import json_option, note, progress_bar, reading, show_json
from gatekeeper.ground.errors import IncompleteError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys
from gatekeeper.management.files import lines, opened
from gatekeeper.management.publication import Publication, is_table
from gatekeeper.policy import packs
from schemas.topics import DAY_MS, FACT_TOPICS, TOPICS
from streams.client.publisher import WINDOW_RECORDS, FromLine, Publisher
from streams.client.reader import Reader
from streams.operations import publishing
from streams.operations.publishing import Earlier

KEPT_DAYS = (TOPICS["sends"].keep_ms or 0) // DAY_MS
EXAMPLE = (
    '{"v":1,"event_id":"e-1","recipient_id":"R1","campaign_id":"winter","controller_id":"C1","purpose":"mkt.dm.own",'
    '"channel":"postal","message_class":"marketing","template_id":"T1","contact_point":{"id":"cp-1","token":"t1_'
    f'{"A" * 43}","country":"JP"}},"delivery":{{"name":"見本 花子","lines":["見本県見本市1-2-3"]}}}}'
)
"""A correct line, shown to people who come with a table."""


@click.command("publish", help=text("cli.publish"))
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--topic", type=click.Choice(("sends", *FACT_TOPICS)), default="sends", show_default=True)
@click.option("--rejects", type=click.Path(path_type=Path), help=text("cli.publish_rejects"))
@click.option("--from-line", type=click.IntRange(min=1), default=1, help=text("cli.publish_from_line"))
@click.option("--allow-invalid", is_flag=True, help=text("cli.publish_allow_invalid"))
@json_option
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    topic: str,
    rejects: Path | None,
    from_line: int,
    allow_invalid: bool,
    as_json: bool,
) -> None:
    """Publishes the right lines of the file, unchanged; exit 1 if lines were rejected."""
    settings, started = load(), monotonic()
    if rejects and rejects.resolve() == file.resolve():
        raise UsageError("error.rejects_overwrites", path=rejects)
    with _opened(file) as handle:
        _first(handle, file, topic=topic, allow_invalid=allow_invalid)
        looked = CheckedFile(_publication(settings, topic, allow_invalid=allow_invalid), file, from_line, allow_invalid)
        looked.read(handle, rejects)
        summary = looked.told(_earlier(settings, list(looked.campaigns)) if looked.campaigns else None)
        published = 0
        if looked.right:
            with Publisher(settings, topic) as publisher:
                published = _publish(publisher, looked.records(handle), first=from_line, last=looked.last)
    seconds, name = monotonic() - started, settings.topic(topic)
    if as_json:
        show_json({"file": str(file), "topic": name, "published": published, **summary, "seconds": round(seconds, 3)})
    elif published:
        click.echo(text("cli.publish_done", published=f"{published:,}", topic=name, seconds=f"{seconds:.1f}"))
        _say_campaigns(summary["campaigns"], looked)
    else:
        click.echo(text("publish.nothing", seconds=f"{seconds:.1f}"))
    context.exit(1 if looked.rejected else 0)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Yields the file so that it can be read twice. The content of stdin and of a pipe is copied first."""
    with opened(file) as handle:
        if handle is not sys.stdin.buffer and handle.seekable():
            yield handle
            return
        with tempfile.TemporaryFile() as spool:
            try:
                shutil.copyfileobj(handle, spool)
                spool.seek(0)
            except OSError as error:
                raise UnavailableError("error.disk", path=tempfile.gettempdir(), detail=error) from None
            yield spool


def _first(handle: IO[bytes], file: Path, *, topic: str, allow_invalid: bool) -> None:
    """Raises UsageError (2) for an empty file, and for a table, before the broker is asked anything."""
    first = next(lines(handle, file), None)
    handle.seek(0)
    if first is None:
        raise UsageError("error.file_empty", file=file)
    if not allow_invalid and is_table(first[1]):
        if topic == "sends":
            raise UsageError("error.publish_table", file=file, example=EXAMPLE)
        raise UsageError("error.publish_table_of_facts", file=file, topic=topic)


def _publication(settings: Settings, topic: str, *, allow_invalid: bool) -> Publication:
    """The checks for lines; those for sends include the current reference data."""
    if topic != "sends" or allow_invalid:
        tokens = open_tokens(Keys(settings.key_folder).tokens()) if topic == "suppressions" else None
        return Publication(topic, keys=tokens.keys if tokens is not None else ())
    loaded = packs.load(settings.policy)
    with Reader(settings) as reader, progress_bar() as bar:
        bar.add_task(text("publish.reading"), total=None)
        store = publishing.registered(reader)
    held = store.activations.over(loaded)
    return Publication(topic, reference=store.reference, packs=held, at=int(time() * 1000))


def _earlier(settings: Settings, campaigns: list[str]) -> Earlier | None:
    """The campaigns that existed before; None if the user may not read `sends`, such as a platform's own user."""
    with reading("publish.comparing") as taken:
        try:
            with Reader(settings) as reader:
                return publishing.earlier(reader, campaigns, taken)
        except UsageError:
            return None


def _publish(publisher: Publisher, records: Iterator[FromLine], *, first: int, last: int) -> int:
    """Publishes window by window; the result is the number of acknowledged lines.

    Raises IncompleteError (5) if a line is not acknowledged.
    """
    done, line = 0, first
    with progress_bar() as bar:
        task = bar.add_task(text("cli.publish_publishing"), total=last - first + 1)
        try:
            for window in publisher.write_lines(records):
                done, line = done + window.acknowledged, window.next_line
                if not window.whole:
                    raise IncompleteError("error.publish_stopped", done=done, line=line, window=WINDOW_RECORDS)
                bar.update(task, completed=line - first)
        except KeyboardInterrupt:
            note("error.publish_stopped", done=done, line=line, window=WINDOW_RECORDS)
            raise
    return done


def _say_campaigns(campaigns: list[dict[str, Any]], looked: CheckedFile) -> None:
    """Prints for each campaign its number of sends, whether its id is new, and how to follow it."""
    for row in campaigns:
        state = {None: "unseen", True: "new" if row["among_all"] else "seems_new", False: "known"}[row["new"]]
        values = {"campaign": row["campaign"], "count": f"{row['sends']:,}", "among": f"{row['among'] or 0:,}"}
        click.echo(text(f"publish.campaign_{state}", days=KEPT_DAYS, **values))
    if looked.others:
        click.echo(text("publish.campaigns_more", count=f"{looked.others:,}"))
