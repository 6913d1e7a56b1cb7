"""Rows of a list file, with line numbers; a broken row spoils no other."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Literal, NamedTuple

Encoding = Literal["utf-8", "cp932"]
ROW_LINES = 64
"""Most lines of a row. Cells may hold line breaks, but an unclosed quote must not swallow the rest of the file."""
LINE_BYTES = 256 * 1024
"""Longest line in bytes; the rest of a longer line is skipped, because no event is that long."""

BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row: the numbers of its first and last line, and its cells or the cause of the fault.

    `cause` is a key of texts/row.toml. An empty row has no cells.
    """

    line: int
    last_line: int
    cells: list[str]
    cause: str | None = None


class Line(NamedTuple):
    """A line: its number from 1 and its bytes with line break. `whole` is False if it was longer than LINE_BYTES."""

    number: int
    raw: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Form:
    """Form of a file: its encoding and its number of lines."""

    encoding: Encoding
    lines: int


def survey(handle: IO[bytes]) -> Form:
    """Reads a file through and returns its form; may raise OSError.

    A file is UTF-8 with a byte order mark, or if at least half its non-ASCII lines are valid. So
    one damaged line does not make a file CP932 (Shift_JIS as Japanese Excel writes it).
    """
    marked, right, wrong, count = False, 0, 0, 0
    for line in lines(handle):
        count = line.number
        marked = marked or (count == 1 and line.raw.startswith(BOM))
        if not line.raw.isascii():
            if decoded(line.raw, "utf-8") is None:
                wrong += 1
            else:
                right += 1
    return Form("utf-8" if marked or wrong <= right else "cp932", count)


def lines(handle: IO[bytes]) -> Iterator[Line]:
    """Yields the lines of a file; a line that is too long is cut and marked."""
    number = 0
    while raw := handle.readline(LINE_BYTES):
        number += 1
        whole = raw.endswith(b"\n") or len(raw) < LINE_BYTES
        yield Line(number, raw, whole)
        while not whole and (more := handle.readline(LINE_BYTES)):
            whole = more.endswith(b"\n")


def rows(handle: IO[bytes], encoding: Encoding) -> Iterator[Row]:
    """Yields the rows of a CSV file, including its header; no content of a file raises.

    A quote that is not properly closed spoils only the line that opens it. Each line is parsed at most three times.
    """
    source = _Lines(handle, encoding)
    while line := source.take():
        yield source.row(line)


def decoded(raw: bytes, encoding: Encoding) -> str | None:
    """The text without byte order mark; None if the bytes are not in that encoding."""
    try:
        return raw.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError:
        return None


class _Lines:
    """The lines of a file as a source of rows; lines inside a broken quote are read again."""

    def __init__(self, handle: IO[bytes], encoding: Encoding) -> None:
        self._coming, self._encoding = lines(handle), encoding
        self._waiting: deque[Line] = deque()
        self._inside = 0
        """The last line wholly inside a broken quote. Up to this line no valid row of several lines begins."""

    def take(self) -> Line | None:
        """The next line, None after the last."""
        return self._waiting.popleft() if self._waiting else next(self._coming, None)

    def row(self, first: Line) -> Row:
        """The row that begins at a line, with the lines on which it continues."""
        if (text := self._text(first)) is None:
            return Row(first.number, first.number, [], "not_encoded" if first.whole else "line_too_long")
        more: list[Line] = []
        try:
            cells = next(csv.reader(chain((text,), self._following(first, more)), strict=True), [])
        except csv.Error:
            self._waiting.extendleft(reversed(more))
            self._inside = max(self._inside, first.number + len(more) - 1)
            return Row(first.number, first.number, [], "not_csv")
        return Row(first.number, first.number + len(more), [cell.strip() for cell in cells])

    def _following(self, first: Line, taken: list[Line]) -> Iterator[str]:
        """Yields the text of the lines after the first one, up to the longest row, and adds them to `taken`."""
        while first.number > self._inside and len(taken) < ROW_LINES - 1 and (line := self.take()):
            taken.append(line)
            if (text := self._text(line)) is None:
                return
            yield text

    def _text(self, line: Line) -> str | None:
        return decoded(line.raw, self._encoding) if line.whole else None
