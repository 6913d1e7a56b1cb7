"""CSV that a spreadsheet opens as text: no cell of it is executed as a formula (domain rule 7.4.19)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Protocol

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""Characters with which a formula begins. A Japanese spreadsheet takes the full-width ones as well."""
_MARK = "\ufeff"
_AS_TEXT = "'"


class Writes(Protocol):
    """A text file that is being written."""

    def write(self, text: str, /) -> object:
        """Writes a text."""


class SpreadsheetRows:
    """Rows of a CSV file for a spreadsheet, in UTF-8 with the mark that Excel needs; every cell is quoted.

    A text that would begin a formula gets an apostrophe in front, which tells a spreadsheet that it is text.
    """

    def __init__(self, handle: Writes, columns: Sequence[str]) -> None:
        """Writes the header. `handle` must be open without translation of line breaks."""
        self._rows = csv.DictWriter(handle, columns, quoting=csv.QUOTE_ALL)
        handle.write(_MARK)
        self._rows.writeheader()

    def write(self, row: Mapping[str, object]) -> None:
        """Writes a row by its columns; a column that is missing or None becomes an empty cell."""
        self._rows.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: object) -> object:
    """A cell as written: lists are joined by blanks, numbers stay numbers."""
    written = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
    # a spreadsheet may drop blanks and an invisible mark at the start before it looks for a formula
    executed = isinstance(written, str) and written.lstrip(" \u3000\u00a0\ufeff\0").startswith(FORMULA)
    return f"{_AS_TEXT}{written}" if executed else written
