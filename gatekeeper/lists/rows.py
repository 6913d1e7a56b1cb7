"""A list file's bytes as rows, each with the number of its line; what is broken costs its own row and no other."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Literal, NamedTuple

Encoding = Literal["utf-8", "cp932"]
ROW_LINES = 64
"""A row may span so many lines: cells may hold line breaks, and a quotation that never ends must not take the rest."""
LINE_BYTES = 256 * 1024
"""Of a longer line the rest is passed over: no event of ours is so long."""

BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row: the numbers of its first and last line, and its cells; or the cause for which it could not be read.

    `cause` is a key of texts/row.toml. `cells` of a row of nothing are empty.
    """

    line: int
    last_line: int
    cells: list[str]
    cause: str | None = None


class Line(NamedTuple):
    """A line: its number from 1, and its bytes with the line break; `whole` unless it was longer than LINE_BYTES."""

    number: int
    raw: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What a file looks like: its encoding, and how many lines it has."""

    encoding: Encoding
    lines: int


def survey(handle: IO[bytes]) -> Form:
    """Reads a file through and returns its form; may raise OSError.

    It is UTF-8 where it says so by a mark, or where not more of its lines with letters beyond ASCII fail to be than
    are: one damaged line does not make a file CP932 (Shift_JIS as Japanese Excel writes it).
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
    """Yields the lines of a file; of one that is too long its beginning, marked."""
    number = 0
    while raw := handle.readline(LINE_BYTES):
        number += 1
        whole = raw.endswith(b"\n") or len(raw) < LINE_BYTES
        yield Line(number, raw, whole)
        while not whole and (more := handle.readline(LINE_BYTES)):
            whole = more.endswith(b"\n")


def rows(handle: IO[bytes], encoding: Encoding) -> Iterator[Row]:
    """Yields the rows of a CSV file, its header among them. Never raises for what stands in it.

    A quotation that is not closed as CSV demands costs the line that opens it. Each line is parsed three times at most.
    """
    source = _Lines(handle, encoding)
    while line := source.take():
        yield source.row(line)


def decoded(raw: bytes, encoding: Encoding) -> str | None:
    """The text, without the mark of UTF-8; None where it is not in that encoding."""
    try:
        return raw.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError:
        return None


class _Lines:
    """The lines of a file, from which rows are taken; lines that a broken quotation ran through are taken again."""

    def __init__(self, handle: IO[bytes], encoding: Encoding) -> None:
        self._coming, self._encoding = lines(handle), encoding
        self._waiting: deque[Line] = deque()
        self._inside = 0
        """The last line that lay wholly within a broken quotation. No sound row of several lines begins up to here."""

    def take(self) -> Line | None:
        """The next line, None behind the last."""
        return self._waiting.popleft() if self._waiting else next(self._coming, None)

    def row(self, first: Line) -> Row:
        """The row that begins with a line, and takes the lines on which it goes on."""
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
        """Yields the text of the lines behind the first one, as far as its row may go, and notes the lines taken."""
        while first.number > self._inside and len(taken) < ROW_LINES - 1 and (line := self.take()):
            taken.append(line)
            if (text := self._text(line)) is None:
                return
            yield text

    def _text(self, line: Line) -> str | None:
        return decoded(line.raw, self._encoding) if line.whole else None
