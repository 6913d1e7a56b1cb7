"""`gatekeeper reconcile`: compares the print house's report with cleared, handed-off and recalled pieces."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any

import click
import orjson

from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.cli.campaign import KEPT_DAYS
from gatekeeper.cli.output import json_option, note, reading, show_json, show_table, whole
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.management.files import opened
from gatekeeper.management.reconciliation import KEY, Books, Delivered, Discrepancy, counted
from gatekeeper.management.spreadsheet import SpreadsheetRows
from gatekeeper.policy import packs
from schemas.codec import Unreadable, decode
from schemas.topics import DAY_MS
from streams.client import progress
from streams.client.reader import Reader

SHOWN = 50
COLUMNS = ("line", "finding", "decision_id", *KEY, "date")


@click.command("reconcile", help=text("cli.reconcile"))
@click.argument("delivered", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=text("cli.reconcile_out"))
@json_option
def command(delivered: Path, out: Path | None, as_json: bool) -> None:
    """Compares row by row; exit 1 if a row is not right."""
    settings = load()
    rows = list(_rows(delivered))
    if not rows:
        raise UsageError("error.file_empty", file=delivered)
    books = _books(settings)
    right: set[str] = set()
    findings = []
    for row, did, kind in books.compare(rows):
        if kind is None:
            right.add(did)
        else:
            # an unreadable row may be anything, a person's name included
            findings.append(Discrepancy(Delivered(row.line) if kind == "unreadable" else row, kind, did))
    missing = _missing(books, rows, right)
    if out is not None:
        _write(out, findings)
    counts = counted(findings)
    if as_json:
        listed = [_plain(finding) for finding in findings]
        show_json({"file": str(delivered), "rows": len(rows), "right": len(rows) - len(findings),
                   "findings": counts, "handed_and_not_sent": missing, "found": listed})  # fmt: skip
    else:
        _print(findings, len(rows), counts, missing)
    click.get_current_context().exit(1 if findings else 0)


def _rows(file: Path) -> Iterator[Delivered]:
    """Yields the rows of the file; a row that is not CSV comes empty, and matches no piece."""
    with opened(file) as handle:
        lines = (line.decode("utf-8-sig" if number == 0 else "utf-8", "replace") for number, line in enumerate(handle))
        reader = csv.reader(lines)
        try:
            names = [name.strip() for name in next(reader, [])]
        except csv.Error:
            names = []
        if "decision_id" not in names and not {*KEY} <= {*names}:
            raise UsageError("error.delivered_columns", file=file, columns=", ".join(KEY))
        places = {name: names.index(name) for name in ("decision_id", *KEY, "date") if name in names}
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Delivered(line)
                continue
            if any(cells):
                fields = {name: cells[index].strip() for name, index in places.items() if index < len(cells)}
                yield Delivered(line, **fields)


def _books(settings: Settings) -> Books:
    now = int(time() * 1000)
    books = Books(packs.load(settings.policy).at(now).timezone)
    with Reader(settings) as reader, reading() as taken:
        progress.demand_same(reader, ("cleared", "review", "recalls", "audit"))
        for topic, held in (("cleared", books.cleared), ("review", books.withheld)):
            for record in reader.read(topic):
                taken()
                did = record.header("gate-decision-id")
                try:
                    send = decode(topic, record.key, record.value)
                except Unreadable:
                    continue
                if record.header("gate-mode") != "shadow":
                    held[did] = (send.recipient_id, send.campaign_id, send.channel)
        for record in reader.read("recalls"):
            with suppress(*FOREIGN):
                books.recalled[orjson.loads(record.value or b"{}").get("decision_id", "")] = record.timestamp
        for record in reader.read("audit", since=now - KEPT_DAYS * DAY_MS):
            taken()
            with suppress(*FOREIGN):
                audit = orjson.loads(record.value or b"")
                act = audit["act"] if audit["stage"] == "handoff" else None
                if act and act["outcome"] == "handed":
                    books.handed.add(act["item"])
    return books


def _missing(books: Books, rows: list[Delivered], right: set[str]) -> int:
    """The number of pieces of the file's campaigns that were handed off, not recalled, and are not in the file."""
    named = {row.campaign_id for row in rows} | {books.cleared[did][1] for did in right}
    due = {did for did in books.handed - books.recalled.keys() if books.cleared.get(did, ("", "", ""))[1] in named}
    return len(due - right)


def _plain(finding: Discrepancy) -> dict[str, Any]:
    row = finding.row
    return {
        "line": row.line,
        "finding": finding.kind,
        "decision_id": finding.decision or row.decision_id,
        **{name: getattr(row, name) for name in (*KEY, "date")},
    }


def _write(file: Path, findings: list[Discrepancy]) -> None:
    with whole(file) as handle:
        rows = SpreadsheetRows(handle, COLUMNS)
        for finding in findings:
            rows.write(_plain(finding))


def _print(findings: list[Discrepancy], rows: int, counts: Any, missing: int) -> None:
    click.echo(text("cli.reconcile_right", right=f"{rows - len(findings):,}", rows=f"{rows:,}"))
    for kind, count in counts.items():
        click.echo(f"{count:>7,}  {kind:<11} {text(f'cli.reconcile_{kind}')}")
    if missing:
        note("cli.reconcile_missing", count=f"{missing:,}")
    if findings:
        show_table(
            ["cli.column_line", "cli.column_finding", "cli.column_decision_id", "cli.column_recipient"],
            [
                (
                    finding.row.line,
                    finding.kind,
                    finding.decision or finding.row.decision_id or "-",
                    finding.row.recipient_id or "-",
                )
                for finding in findings[:SHOWN]
            ],
            numbers=(0,),
        )
        if len(findings) > SHOWN:
            note("cli.reconcile_more", count=f"{len(findings) - SHOWN:,}")
