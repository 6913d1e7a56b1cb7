"""The file of sends that a campaign's check withholds: one a line, with reasons and remedies, no contact value."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from gatekeeper.cli.output import whole
from gatekeeper.deciding.answer import sentence
from gatekeeper.office.preflight import Checked, Return, cures
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.texts import language

COLUMNS = (
    "line",
    "event_id",
    "recipient_id",
    "campaign_id",
    "channel",
    "verdict",
    "primary",
    "remedy",
    "reasons",
    "cures",
    "duplicate_of",
    "left",
    "came_by",
    "batch",
    "next",
)

Write = Callable[[Checked, Return | None], None]


@contextmanager
def written(file: Path) -> Iterator[Write]:
    """Yields a function that writes one withheld send, as CSV if the file's name says so, else as JSON.

    The file takes its place only when complete. Raises UnavailableError (3) if it cannot be written.
    """
    with whole(file) as handle:
        yield _rows(handle) if file.suffix.lower() == ".csv" else _values(handle)


def _rows(handle: IO[str]) -> Write:
    handle.write("\ufeff")  # without it Excel does not read UTF-8
    rows = csv.DictWriter(handle, COLUMNS)
    rows.writeheader()

    def write(checked: Checked, returned: Return | None) -> None:
        row = _row(checked, returned)
        rows.writerow({name: " ".join(cell) if isinstance(cell, tuple | list) else cell for name, cell in row.items()})

    return write


def _values(handle: IO[str]) -> Write:
    def write(checked: Checked, returned: Return | None) -> None:
        handle.write(orjson.dumps(_row(checked, returned)).decode() + "\n")

    return write


def _row(checked: Checked, returned: Return | None) -> dict[str, Any]:
    decision, send = checked.decision, checked.send
    primary = decision.reasons[0]
    clearing = {remedy for remedies in cures(decision).values() for remedy in remedies}
    return {
        "line": checked.line,
        "event_id": send.event_id if send else None,
        "recipient_id": send.recipient_id if send else None,
        "campaign_id": send.campaign_id if send else None,
        "channel": send.channel if send else None,
        "verdict": decision.verdict,
        "primary": primary.code,
        "remedy": CATALOGUE[primary.code].remedy,
        "reasons": decision.codes,
        "cures": sorted(clearing),
        "duplicate_of": checked.duplicate_of,
        "left": returned.left if returned else None,
        "came_by": returned.source or returned.method if returned else None,
        "batch": returned.batch if returned else None,
        "next": sentence(primary, language()),
    }
