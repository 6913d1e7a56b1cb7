"""A list file's bytes as rows, each with the number of its line; what is broken costs its own row and no other."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal, NamedTuple

Encoding = Literal["utf-8", "cp932"]
ROW_LINES = 64
"""So many may one row take: cells may hold line breaks, and a quotation that never ends must not take the rest."""
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
    """Yields the rows of a CSV file, its header among them. Never raises for what stands in it."""
    waiting: deque[Line] = deque()
    coming = lines(handle)
    while line := waiting.popleft() if waiting else next(coming, None):
        taken = [line]
        while not (row := _row(taken, encoding)):
            more = None
            if len(taken) < ROW_LINES:
                more = waiting.popleft() if waiting else next(coming, None)
            if more is None:  # the quotation that opens here never ends: this line is lost, those behind it are not
                row = Row(line.number, line.number, [], "not_csv")
                break
            taken.append(more)
        yield row
        waiting.extendleft(reversed([each for each in taken if each.number > row.last_line]))


def decoded(raw: bytes, encoding: Encoding) -> str | None:
    """Returns the text, without the mark of UTF-8; None where it is not in that encoding."""
    try:
        return raw.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError:
        return None


def _row(taken: list[Line], encoding: Encoding) -> Row | None:
    """Returns the row that begins the lines; None where it may go on behind them."""
    first, last = taken[0].number, taken[-1].number
    texts = [text for line in taken if line.whole and (text := decoded(line.raw, encoding)) is not None]
    if len(texts) < len(taken):
        cause = "not_encoded" if taken[-1].whole else "line_too_long"
        # a quotation that runs into a broken line loses its first line; those between may be rows of their own
        return Row(first, first, [], cause if len(taken) == 1 else "not_csv")
    feed = iter(texts)
    try:
        cells = next(csv.reader(feed, strict=True), [])
    except csv.Error:
        behind = len(list(feed))
        return Row(first, last - behind, [], "not_csv") if behind else None
    return Row(first, last, [cell.strip() for cell in cells])
