"""The file of sends that a campaign's check withholds: one a line, with reasons and remedies, no contact value.

A later check reads the file again, to tell which decisions changed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from gatekeeper.cli.output import whole
from gatekeeper.deciding.answer import sentence
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import language
from gatekeeper.management.preflight import Checked, Return, cures
from gatekeeper.management.spreadsheet import SpreadsheetRows
from gatekeeper.policy.changes import Result
from gatekeeper.policy.reasons import CATALOGUE

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

CLEAR = Result("clear", None)
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""A code of a reason, also of one that only an earlier release had."""
WITHHELD = ("confirm", "review", "block")
Row = dict[str, Any]
"""A withheld send as the file holds it."""
Write = Callable[[Row], None]


class Earlier:
    """The results of an earlier check of the same campaign, from its file of withheld sends.

    Raises UsageError (2) for a file that no check wrote.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._withheld: dict[int, tuple[str | None, Result]] = {}
        try:
            with file.open(encoding="utf-8-sig", newline="") as handle:
                is_csv = file.suffix.lower() == ".csv"
                read: Iterable[Any] = csv.DictReader(handle) if is_csv else map(orjson.loads, handle)
                for row in read:
                    number, verdict = int(row["line"]), row["verdict"]
                    if number in self._withheld or verdict not in WITHHELD or not _CODE.fullmatch(row["primary"]):
                        raise ValueError(number)
                    self._withheld[number] = row["event_id"] or None, Result(verdict, row["primary"])
        except OSError as error:
            raise UsageError("error.file_unreadable", file=file, detail=error) from None
        except (ValueError, LookupError, TypeError):
            raise UsageError("error.before_unreadable", file=file) from None

    def result(self, line: int, event_id: str | None) -> Result:
        """The earlier result of a line, each once; raises UsageError (2) if the line had another send."""
        had, result = self._withheld.pop(line, (event_id, CLEAR))
        if had != event_id:
            raise UsageError("error.before_differs", file=self._file, line=line)
        return result

    def finish(self) -> None:
        """Raises UsageError (2) if the earlier check had lines that this campaign lacks."""
        if self._withheld:
            raise UsageError("error.before_differs", file=self._file, line=min(self._withheld))


@contextmanager
def written(file: Path) -> Iterator[Write]:
    """Yields a function that writes one withheld send, as CSV if the file's name says so, else as JSON.

    The file takes its place only when complete. Raises UnavailableError (3) if it cannot be written.
    """
    with whole(file) as handle:
        yield _rows(handle) if file.suffix.lower() == ".csv" else _values(handle)


def _rows(handle: IO[str]) -> Write:
    return SpreadsheetRows(handle, COLUMNS).write


def _values(handle: IO[str]) -> Write:
    def write(row: Row) -> None:
        handle.write(orjson.dumps(row).decode() + "\n")

    return write


def row_of(checked: Checked, returned: Return | None) -> Row:
    """The row of a withheld send; `returned`: of its person, if that person had left and come back."""
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
