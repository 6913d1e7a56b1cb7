"""The rows of a list by the tokens that they name, in 12 bytes a token, however many there are."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

_RUN = 1 << 19  # tokens that are sorted at once
_HASH = (1 << 64) - 1
_ROW = (1 << 32) - 1
_BITS = (1 << 27) - 1


class RowsByToken:
    """Rows by token, whole or less exact.

    Of a token there is a hash of 8 bytes. Two may be confused in at most one look-up of a million million.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[array[int], array[int]]] = []
        self._new: list[int] = []
        self._seen = bytearray(_BITS + 1 >> 3)

    def add(self, token: str, row: int, *, whole: bool) -> None:
        """Adds a token of a row."""
        hash_ = hash(token) & _HASH
        self._new.append(hash_ << 32 | row << 1 | whole)
        self._seen[(hash_ & _BITS) >> 3] |= 1 << (hash_ & 7)
        if len(self._new) >= _RUN:
            self._sort()

    def __contains__(self, token: str) -> bool:
        """True for a token that a row may name; nearly always false for another."""
        hash_ = hash(token)
        return bool(self._seen[(hash_ & _BITS) >> 3] & 1 << (hash_ & 7))

    def rows(self, token: str) -> Iterator[tuple[int, bool]]:
        """Yields the rows that name a token, each with True if the token is whole."""
        if token not in self:
            return
        self._sort()
        hash_ = hash(token) & _HASH
        for hashes, rows in self._runs:
            at = bisect_left(hashes, hash_)
            while at < len(hashes) and hashes[at] == hash_:
                yield rows[at] >> 1, bool(rows[at] & 1)
                at += 1

    def _sort(self) -> None:
        if self._new:
            self._new.sort()
            hashes, rows = (entry >> 32 for entry in self._new), (entry & _ROW for entry in self._new)
            self._runs.append((array("Q", hashes), array("I", rows)))
            self._new = []
