"""The file of the rows that an import or `publish` rejected, each with its line, column and cause."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import orjson

from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.texts import text
from gatekeeper.lists import Rejected
from gatekeeper.management.spreadsheet import SpreadsheetRows

_COLUMNS = ("line", "last_line", "column", "field", "cause", "sentence")


class Rejects:
    """The file of rejected rows, removed if empty. Rows of an earlier run about lines before `from_line` stay.

    CSV is for a spreadsheet, which executes none of its cells.
    """

    def __init__(self, path: Path, *, from_line: int, as_json: bool) -> None:
        self.path = path
        self._first, self._as_json = from_line, as_json
        self._any = False

    def __enter__(self) -> Self:
        with self._writing():
            earlier = self._earlier() if self._first > 1 and self.path.exists() else []
            self._handle: IO[str] = self.path.open("w", encoding="utf-8", newline="")
            self._rows = None if self._as_json else SpreadsheetRows(self._handle, _COLUMNS)
            for row in earlier:
                self._write(row)
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing():
            self._handle.close()
            if not self._any:
                self.path.unlink()

    def add(self, rejected: Rejected, sentence: str | None = None) -> None:
        """Writes one line; raises UnavailableError (3) if the disk takes no more.

        `sentence`: None for the sentence of the cause.
        """
        cause = rejected.cause.partition(".")[2]
        places = (rejected.line, rejected.last_line, rejected.column, rejected.field)
        with self._writing():
            self._write(dict(zip(_COLUMNS, (*places, cause, sentence or text(rejected.cause)), strict=True)))

    def _write(self, row: dict[str, Any]) -> None:
        self._any = True
        if self._rows is None:
            self._handle.write(orjson.dumps(row).decode() + "\n")
        else:
            self._rows.write(row)

    def _earlier(self) -> list[dict[str, Any]]:
        """Rows of an earlier run about lines before the first line of this run."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as handle:
                rows = map(orjson.loads, handle) if self._as_json else csv.DictReader(handle)
                earlier = [{name: row[name] for name in _COLUMNS} for row in rows]
            return [row for row in earlier if int(row["line"]) < self._first]
        except (ValueError, LookupError, TypeError, csv.Error):
            raise UsageError("error.rejects_foreign", path=self.path) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError("error.disk", path=self.path, detail=error) from None
