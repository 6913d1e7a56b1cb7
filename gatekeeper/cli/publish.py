"""`gatekeeper publish`: a campaign's file onto `sends`, checked whole before its first line is published."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import click
import jiter

from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.errors import IncompleteError, UnavailableError, UsageError
from gatekeeper.office.files import opened
from gatekeeper.settings import load
from gatekeeper.texts import text
from schemas.codec import KEY_BYTES, Unreadable, decode
from schemas.topics import FACT_TOPICS, MAX_MESSAGE_BYTES, subject_key
from streams.client.publisher import WINDOW_RECORDS, Publisher

LINE_BYTES = MAX_MESSAGE_BYTES - 4096
"""A longer line no broker of ours takes, whatever is in it; the rest is room for the batch around it."""

Line = tuple[int, bytes]
"""Its number in the file, from 1, and its bytes without the line break."""


@click.command("publish", help=text("cli.publish"))
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--topic", type=click.Choice(("sends", *FACT_TOPICS)), default="sends", show_default=True)
@click.option("--from-line", type=click.IntRange(min=1), default=1, help=text("cli.publish_from_line"))
@click.option("--allow-invalid", is_flag=True, help=text("cli.publish_allow_invalid"))
@json_option
def command(file: Path, topic: str, from_line: int, allow_invalid: bool, as_json: bool) -> None:
    """Publishes the file's lines as they are, or none of them."""
    settings = load()
    started = monotonic()
    with _opened(file) as handle:
        last = _check(handle, file, topic=topic, allow_invalid=allow_invalid)
        if from_line > last:
            raise UsageError("error.publish_beyond", file=file, line=from_line, last=last)
        handle.seek(0)
        lines = (line for line in _lines(handle, file) if from_line <= line[0] <= last)
        with Publisher(settings, topic) as publisher:
            published = _publish(publisher, lines, topic=topic, first=from_line, last=last)
    seconds = round(monotonic() - started, 3)
    if as_json:
        show_json({"file": str(file), "topic": settings.topic(topic), "published": published, "seconds": seconds})
    else:
        name = settings.topic(topic)
        click.echo(text("cli.publish_done", published=f"{published:,}", topic=name, seconds=f"{seconds:.1f}"))


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Yields the file, of stdin and of a pipe all that comes, to be read twice."""
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


def _lines(handle: IO[bytes], file: Path) -> Iterator[Line]:
    number = 0
    try:
        # bounded, or a file without line breaks would be read into memory whole
        while raw := handle.readline(LINE_BYTES):
            number += 1
            if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
                raise UsageError("error.line_too_long", file=file, line=number, limit=LINE_BYTES)
            if value := raw.rstrip(b"\r\n"):
                yield number, value
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error) from None


def _check(handle: IO[bytes], file: Path, *, topic: str, allow_invalid: bool) -> int:
    """Reads every line as the gate will; returns the last one's number, raises UsageError (2) with the first fault."""
    last, faults = 0, 0
    first: tuple[int, Unreadable] | None = None
    with progress_bar() as bar:
        task = bar.add_task(text("cli.publish_checking"), total=None)
        for last, value in _lines(handle, file):
            try:
                if not allow_invalid:
                    decode(topic, None, value)
            except Unreadable as fault:
                faults += 1
                first = first or (last, fault)
            bar.advance(task)
    if first:
        number, found = first
        key = "error.line_unreadable_at" if found.place else "error.line_unreadable"
        says = text(f"fault.{found.fault}")
        raise UsageError(key, file=file, line=number, place=found.place, fault=says, count=faults)
    if not last:
        raise UsageError("error.file_empty", file=file)
    return last


def _publish(publisher: Publisher, lines: Iterator[Line], *, topic: str, first: int, last: int) -> int:
    """Publishes window by window; returns how many lines are acknowledged, raises IncompleteError (5) where not all."""
    done, line = 0, first
    with progress_bar() as bar:
        task = bar.add_task(text("cli.publish_publishing"), total=last - first + 1)
        try:
            for window in publisher.write_lines((number, _key(topic, value), value) for number, value in lines):
                done, line = done + window.acknowledged, window.next_line
                if not window.whole:
                    raise IncompleteError("error.publish_stopped", done=done, line=line, window=WINDOW_RECORDS)
                bar.update(task, completed=line - first)
        except KeyboardInterrupt:
            note("error.publish_stopped", done=done, line=line, window=WINDOW_RECORDS)
            raise
    return done


def _key(topic: str, value: bytes) -> bytes | None:
    """Returns the key of a line's record; of one that cannot be read, the recipient id that it seems to name."""
    try:
        return subject_key(topic, decode(topic, None, value)).encode()
    except Unreadable:
        pass
    try:
        found = jiter.from_json(value)["recipient_id"].encode()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return found if len(found) <= KEY_BYTES else None
