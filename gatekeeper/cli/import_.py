"""`gatekeeper import`: publishes list files to the fact topics; unreadable rows are set aside with the cause."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from time import monotonic, time
from typing import IO, Any, Literal, TypeVar

import click

from gatekeeper.cli.cores import mapped
from gatekeeper.cli.list_delivery import ListDelivery
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.cli.rejects import Rejects
from gatekeeper.confirmation.answers import Questions, read_file
from gatekeeper.deciding.recording import BACK
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.token_keys import named_by
from gatekeeper.ledger.entries import asked
from gatekeeper.lists import (
    MANY,
    OF_NOS,
    Encoding,
    Event,
    Outcome,
    Recorded,
    Recordings,
    Rejected,
    StopTally,
    dates,
    events,
    json_events,
    read_map,
    survey,
)
from gatekeeper.management.files import reading
from gatekeeper.policy import packs
from schemas.codec import Unreadable, decode
from schemas.events import Consent, PersonEvent
from schemas.record import Headers, Record
from schemas.topics import FACT_TOPICS
from streams.client.publisher import FromLine, Publisher
from streams.client.reader import Reader
from streams.operations import corrections

_Verb = TypeVar("_Verb", bound=Callable[..., object])
JSON_LINES = (".jsonl", ".ndjson", ".json")
"""A file with such a name is one JSON value a line, any other is CSV."""


WHOLE = ("reference",)
"""Topics whose file is checked whole before anything is written: one record may need another."""
SHOWN = 20
"""Most rejected lines of such a file that are printed; the file of rejected rows has all."""
_encoding = click.option(
    "--encoding",
    type=click.Choice(("auto", "utf-8", "cp932")),
    default="auto",
    show_default=True,
    help=text("cli.import_encoding"),
)


@click.group("import", help=text("cli.import"))
def command() -> None:
    """Holds one sub-command a topic."""


def _only_for_stops(topic: str) -> Callable[[_Verb], _Verb]:
    """The options that a list of stops has beside those of all lists."""
    again: Callable[[_Verb], _Verb] = click.option("--again", is_flag=True, help=text("cli.import_again"))
    return again if topic == "suppressions" else lambda verb: verb


def _feed_options(topic: str) -> Callable[[_Verb], _Verb]:
    """The options of a list that is a delivery of a feed."""

    def add(verb: _Verb) -> _Verb:
        for name, kind in (("hash", str), ("count", click.IntRange(min=0)), ("feed", str)):
            verb = click.option(f"--{name}", type=kind, help=text(f"cli.import_{name}"))(verb)
        return verb

    return (lambda verb: verb) if topic in WHOLE else add


def _verb(topic: str) -> None:
    @command.command(topic, help=text(f"cli.import_{topic}"))
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--map", "map_file", type=click.Path(path_type=Path), help=text("cli.import_map"))
    @_encoding
    @click.option("--list-date", help=text("cli.import_list_date"))
    @click.option("--recorded", type=click.Choice(("now", "dated")), help=text("cli.import_recorded"))
    @click.option("--rejects", type=click.Path(path_type=Path), help=text("cli.import_rejects"))
    @click.option("--from-line", type=click.IntRange(min=1), default=1, help=text("cli.import_from_line"))
    @click.option("--dry-run", is_flag=True, help=text("cli.import_dry_run"))
    @_feed_options(topic)
    @_only_for_stops(topic)
    @json_option
    @click.pass_context
    def import_(context: click.Context, /, file: Path, dry_run: bool, as_json: bool, **given: Any) -> None:
        """Imports one list; exit 1 where rows were rejected."""
        _run(context, _List, topic, file, dry_run=dry_run, as_json=as_json, **given)


def _run(
    context: click.Context,
    kind: type[_List],
    topic: str,
    file: Path,
    *,
    dry_run: bool,
    as_json: bool,
    feed: str | None = None,
    count: int | None = None,
    hash: str | None = None,
    **given: Any,
) -> None:
    """Imports one list, prints the result, and exits with 1 if rows were rejected."""
    settings, started = load(), monotonic()
    tally: StopTally | None = None
    written, is_closed = 0, False
    if feed is None and (count, hash) != (None, None):
        raise UsageError("error.feed_not_named")
    delivery = ListDelivery.of(settings, file, feed, count, hash) if feed else None
    with reading(file):
        handle = file.open("rb")
    with handle:
        imported = kind(settings, topic, file, handle, **given)
        first = topic in WHOLE or topic == "suppressions" or imported.asks
        if dry_run or first:
            imported.check()
            tally = imported.compared(whole=not dry_run) if topic == "suppressions" else None
            _tell(tally, file)
        if imported.asks and imported.recordings.count and not dry_run:
            raise UsageError("error.recording_unknown", count=f"{imported.recordings.count:,}", file=file)
        if not dry_run and not (topic in WHOLE and imported.causes):
            if first:
                imported = kind(settings, topic, file, handle, **given)
            written = imported.publish()
        if delivery and not (dry_run or imported.causes or imported.resumed):
            is_closed = delivery.close(settings, imported.rows + imported.silent, imported.date, imported.zone)
    right = imported.rows - (tally.rows["wide"] if tally else 0)
    result = {
        "file": str(file),
        "topic": settings.topic(topic),
        "published": written,
        "right": right,
        "silent": imported.silent,
        "rejected": imported.causes.total(),
        "dated_back": imported.recordings.count,
        "causes": dict(imported.causes),
        "rejects": str(imported.rejects.path) if imported.causes else None,
        "encoding": imported.encoding,
        "list_date": imported.date,
        "seconds": round(monotonic() - started, 3),
        **({"stops": _told(tally)} if tally else {}),
        **({"feed": feed, "closed": is_closed} if feed else {}),
    }
    if as_json:
        show_json(result)
    else:
        shown = {name: f"{result[name]:,}" for name in ("right", "silent", "rejected")}
        key = "cli.import_checked" if dry_run or not written else "cli.import_done"
        click.echo(text(key, file=file, topic=result["topic"], seconds=f"{result['seconds']:.1f}", **shown))
    if imported.asks and imported.recordings.count:
        note("cli.import_dated_back", count=f"{imported.recordings.count:,}")
    if imported.causes:
        note("cli.import_rejected", path=imported.rejects.path)
    if imported.causes and topic in WHOLE:
        for line, cause in imported.faults:
            note("cli.import_rejected_line", file=file, line=line, sentence=text(cause))
        if not dry_run:
            note("cli.import_nothing")
    if delivery and not dry_run:
        rows = f"{imported.rows + imported.silent + imported.causes.total():,}"
        note("cli.import_closed" if is_closed else "cli.import_not_closed", feed=feed, rows=rows, count=count or "-")
    context.exit(1 if imported.causes or (delivery and not dry_run and not is_closed) else 0)


def _told(tally: StopTally) -> dict[str, Any]:
    """The rows of a list of stops as JSON; what was not compared with the facts is null."""
    return {
        **{name: tally.rows[name] for name in ("certain", "wide", "rejected")},
        "lacks": dict(sorted(tally.lacks.items())),
        "meet_nobody": tally.nobody if tally.is_compared else None,
        "hold_many": tally.many if tally.is_compared else None,
        "again": [row._asdict() for row in tally.again],
    }


def _tell(tally: StopTally | None, file: Path) -> None:
    """Tells, before anything is written, how surely the rows of a list of stops bind."""
    if tally is None or not tally.rows:
        return
    counts = {name: f"{tally.rows[name]:,}" for name in ("certain", "wide", "rejected")}
    note("cli.import_stops", **counts)
    for lacks, count in sorted(tally.lacks.items()):
        note("cli.import_wide", count=f"{count:,}", sentence=text(f"row.{lacks}"))
    if tally.is_compared:
        note("cli.import_meet_nobody", count=f"{tally.nobody:,}")
        for line in tally.many[:SHOWN]:
            note("cli.import_hold_many", file=file, line=line, people=MANY)
    for row in tally.again[:SHOWN]:
        values = {"file": file, "line": row.line, "id": row.id, "sentence": text(f"row.{row.lacks}")}
        note(f"cli.import_again_{row.binds}", **values)
    if len(tally.again) > SHOWN:
        note("cli.import_again_more", count=f"{len(tally.again) - SHOWN:,}")


for _topic in FACT_TOPICS:
    _verb(_topic)


@command.command("answers", help=text("cli.import_answers"))
@click.argument("file", type=click.Path(path_type=Path))
@_encoding
@click.option("--rejects", type=click.Path(path_type=Path), help=text("cli.import_rejects"))
@click.option("--from-line", type=click.IntRange(min=1), default=1, help=text("cli.import_from_line"))
@click.option("--dry-run", is_flag=True, help=text("cli.import_answers_dry_run"))
@json_option
@click.pass_context
def answers(context: click.Context, /, file: Path, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Imports answers; each is the consent or the refusal of the person who was asked."""
    more = {**given, "map_file": None, "list_date": None, "recorded": "now"}
    _run(context, _Answers, "consents", file, dry_run=dry_run, as_json=as_json, **more)


class _List:
    """One list being imported. Faults of the call, the map or the header are found before any row."""

    lines_of_json: tuple[str, ...] = JSON_LINES

    def __init__(
        self,
        settings: Settings,
        topic: str,
        file: Path,
        handle: IO[bytes],
        *,
        map_file: Path | None,
        encoding: Literal["auto", "utf-8", "cp932"],
        list_date: str | None,
        rejects: Path | None,
        from_line: int,
        recorded: Recorded | None = None,
        again: bool = False,
    ) -> None:
        self._settings, self._topic, self._file, self._handle, self._first = settings, topic, file, handle, from_line
        is_json = file.suffix.lower() in self.lines_of_json
        path = rejects or file.with_name(f"{file.name}.{topic}.rejected.{'jsonl' if is_json else 'csv'}")
        for source in (file, map_file):
            if source is not None and source.resolve() == path.resolve():
                raise UsageError("error.rejects_overwrites", path=path)
        with reading(file):
            form = survey(handle)
            handle.seek(0)
            changed = datetime.fromtimestamp(os.fstat(handle.fileno()).st_mtime, UTC)
        self.rejects = Rejects(path, from_line=from_line, as_json=is_json)
        self.causes: Counter[str] = Counter()
        self.faults: list[tuple[int, str]] = []
        self.rows = self.silent = self.duties = 0
        self.encoding: Encoding = "utf-8" if is_json else form.encoding if encoding == "auto" else encoding
        self.date = _date(list_date) if list_date else changed.isoformat(timespec="seconds")
        now = int(time() * 1000)
        self.zone = packs.load(settings.policy).at(now).timezone
        self.recordings = Recordings(topic, recorded, list_date=self.date, old=now * 1000 - BACK, zone=self.zone)
        self.resumed = from_line > 1
        self.asks = topic in OF_NOS and recorded is None
        self._lines = form.lines
        self.tally = StopTally(_taken_in(settings) if again else ())
        self._headers: Headers = ()
        if is_json and map_file:
            raise UsageError("error.map_needless", file=file)
        self._outcomes = json_events(handle, topic=topic, from_line=from_line) if is_json else self._csv(map_file)
        if encoding == "auto" and self.encoding == "cp932":
            note("cli.import_encoded", file=file)

    def check(self) -> int:
        """The number of rows that would be published; rejected rows are set aside."""
        with self.rejects, progress_bar() as bar:
            task = bar.add_task(text("cli.import_reading"), total=self._lines)
            for line, _, _ in self._records():
                if line % 1000 == 0:
                    bar.update(task, completed=line)
        return self.rows

    def compared(self, *, whole: bool) -> StopTally:
        """The rows of a list of stops as counted by `check`. `whole`: compared with the people on file, if possible."""
        if whole and self.tally.compares:
            try:
                with Reader(self._settings) as reader, progress_bar() as bar:
                    bar.add_task(text("cli.import_comparing"), total=None)
                    for record in reader.read("sources"):
                        self.tally.source(record.value or b"")
            except (UnavailableError, UsageError):
                note("cli.import_not_compared")
            else:
                self.tally.is_compared = True
        return self.tally

    def publish(self) -> int:
        """Publishes the rows by windows; the result is the number of records acknowledged.

        Raises UnavailableError (3).
        """
        done, line = 0, self._first
        with self.rejects, closing(self._records()) as records:
            first = [*islice(records, 1)]  # the rows' processes are forked before there is a connection
            with Publisher(self._settings, self._topic) as publisher, progress_bar() as bar:
                task = bar.add_task(text("cli.import_reading"), total=self._lines)
                try:
                    for window in publisher.write_lines(chain(first, records), headers=self._headers):
                        done, line = done + window.acknowledged, window.next_line
                        if not window.whole:
                            raise UnavailableError("error.import_stopped", done=done, line=line, date=self.date)
                        bar.update(task, completed=line)
                except KeyboardInterrupt:
                    note("error.import_stopped", done=done, line=line, date=self.date)
                    raise
        return done - self.duties

    def _csv(self, map_file: Path | None) -> Iterator[Outcome]:
        columns, tokens, keys = None, None, Keys(self._settings.key_folder)
        if map_file:
            with reading(map_file):
                content = map_file.read_bytes()
            columns = read_map(content, topic=self._topic, file=str(map_file))
            tokens = open_tokens(keys.tokens()) if columns.makes_tokens else None
            if columns.makes_tokens and tokens is None:
                raise UsageError("error.token_key_unset")
            self._headers = named_by(tokens.prints) if tokens is not None else ()
        with reading(self._file):
            return events(
                self._handle,
                columns,
                topic=self._topic,
                file=str(self._file),
                encoding=self.encoding,
                tokens=tokens,
                id_key=keys.importing(),
                list_date=self.date,
                from_line=self._first,
                mapped=mapped,
            )

    def _records(self) -> Generator[FromLine]:
        with reading(self._file):
            for outcome in self._outcomes:
                if isinstance(outcome, Event):
                    self.rows += 1
                    self.tally.take(outcome)
                    for key, value in outcome.records:
                        yield outcome.line, key, self.recordings.stated(value)
                elif isinstance(outcome, Rejected):
                    self.tally.take(outcome)
                    self.causes[outcome.cause.partition(".")[2]] += 1
                    self.rejects.add(outcome)
                    if len(self.faults) < SHOWN:
                        self.faults.append((outcome.line, outcome.cause))
                    if outcome.duty:
                        self.duties += 1
                        yield outcome.line, *outcome.duty
                else:
                    self.silent += 1


class _Answers(_List):
    """Answers to confirmations: CSV only, each row compared with the questions and the earlier answers."""

    lines_of_json = ()

    def _csv(self, map_file: Path | None) -> Iterator[Outcome]:
        now = datetime.now(UTC)
        with Reader(self._settings) as reader, progress_bar() as bar:
            bar.add_task(text("cli.import_questions"), total=None)
            ledger = {record.key or b"": record.value for record in reader.read("ledger")}
            asks = [ask for key, value in ledger.items() if value and (ask := asked(key, value))]
            questions = Questions(asks, filter(None, map(_said, reader.read("consents"))))
        with reading(self._file):
            return read_file(
                self._handle,
                questions,
                file=str(self._file),
                encoding=self.encoding,
                now=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                zone=packs.load(self._settings.policy).at(int(now.timestamp() * 1000)).timezone,
                from_line=self._first,
            )


def _said(record: Record) -> Consent | PersonEvent | None:
    """The event of a record, None for one that cannot be read."""
    try:
        event: Consent | PersonEvent = decode("consents", record.key, record.value)
    except Unreadable:
        return None  # it withholds its person until it is resolved
    return event


def _taken_in(settings: Settings) -> set[str]:
    """The ids of stops by token that say nothing of their rows, as they were taken in before rule 8.1.37."""
    with Reader(settings) as reader, progress_bar() as bar:
        bar.add_task(text("cli.import_again_reading"), total=None)
        return {stop.suppression_id for stop in corrections.stops(reader) if stop.token and stop.row is None}


def _date(written: str) -> str:
    try:
        return dates.time(written)
    except ValueError:
        raise UsageError("error.list_date_invalid") from None
