"""Files that others wrote, read in bounded memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

from gatekeeper.audit.tlog.canonical_json import read_canonical
from gatekeeper.audit.verify.findings import Trouble

READ_BYTES = 1 << 14
"""Compressed bytes that are read at once. They inflate about tenfold, and to MAX_LINE at most."""
MAX_LINE = 1 << 22
"""Longest line in bytes; a record has 256 KiB at most."""
MAX_FILE = 1 << 25
"""Largest file in bytes that is read at once; a tile of leaves has half of that at most."""


def open_file(folder: Path, name: str) -> BinaryIO:
    """Opens a file for reading; raises Trouble if the file is missing, not a regular one, or unreadable."""
    try:
        if not S_ISREG((folder / name).stat().st_mode):
            raise Trouble("no_file", file=name)
        return (folder / name).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise Trouble("missing", file=name) from None
    except OSError as error:
        raise Trouble("file", file=name, detail=error.strerror) from None


def read_file(folder: Path, name: str) -> bytes:
    """The content of a file; raises Trouble as `open_file` does, or if the file is too large."""
    with open_file(folder, name) as file:
        try:
            if os.fstat(file.fileno()).st_size <= MAX_FILE:
                return file.read()
        except OSError as error:
            raise Trouble("file", file=name, detail=error.strerror) from None
    raise Trouble("large", file=name, most=MAX_FILE)


def read_object(value: bytes, file: str) -> dict[str, Any]:
    """Reads an object of canonical JSON; raises Trouble for any other value. `file`: the name of its file."""
    try:
        return read_canonical(value)
    except ValueError:
        raise Trouble("not_canonical", file=file) from None


class Lines:
    """The lines of gzip files in turn, in bounded memory. `data` from `at` on is inflated, but not yet taken."""

    def __init__(self, files: Iterator[tuple[str, BinaryIO]], told: Callable[[int], None] = lambda count: None) -> None:
        """`files`: names and files, one at least. `told` is called with the number of compressed bytes read."""
        self.data, self.at, self.name = b"", 0, ""
        self._file: BinaryIO = BytesIO()
        self._files, self._told = files, told
        self._begin()

    def _begin(self) -> bool:
        """Opens the next file; tells whether there is one."""
        if (opened := next(self._files, None)) is None:
            self._file = BytesIO()
            return False
        self.name, self._file = opened
        self._inflate, self._packed = zlib.decompressobj(31), b""
        return True

    def more(self) -> bool:
        """Inflates more of one file, after the data not yet taken; tells whether there was any."""
        rest = self.data[self.at :]
        if len(rest) > MAX_LINE:
            raise Trouble("large", file=self.name, most=MAX_LINE)
        while not (piece := self._inflated()) and not rest and self._begin():
            pass
        self.data, self.at = rest + (piece or (rest and b"\n")), 0
        return bool(piece or rest)

    def _inflated(self) -> bytes:
        """The next bytes of the file, none at its end."""
        piece = b""
        try:
            while not piece and (packed := self._packed or self._file.read(READ_BYTES)):
                if self._inflate.eof:  # the next gzip member
                    self._inflate = zlib.decompressobj(31)
                piece = self._inflate.decompress(packed, MAX_LINE)
                self._packed = self._inflate.unused_data or self._inflate.unconsumed_tail
                self._told(len(packed) - len(self._packed))
        except zlib.error:
            raise Trouble("cut", file=self.name) from None
        except OSError as error:
            raise Trouble("file", file=self.name, detail=error.strerror) from None
        if not piece and not self._inflate.eof:
            raise Trouble("cut", file=self.name)
        return piece

    def line(self) -> bytes | None:
        """Takes the next line; None at the end."""
        while (end := self.data.find(b"\n", self.at)) < 0:
            if not self.more():
                return None
        line, self.at = self.data[self.at : end], end + 1
        return line

    def peek(self) -> bytes:
        """The next line, which stays to be taken; empty at the end."""
        if (line := self.line()) is None:
            return b""
        self.at -= len(line) + 1
        return line

    def back(self, lines: Iterable[bytes]) -> None:
        """Gives lines back, to be taken next."""
        self.data, self.at = b"".join(line + b"\n" for line in lines) + self.data[self.at :], 0
