"""Short hashes of rows that a table must have, so that a row cannot vanish or grow old unseen.

A damaged name hides its row, and an older file has an older row. Neither shows in what a look-up reads.
"""

from __future__ import annotations

from array import array

_FIRST = 64
_NOTHING = 0
"""The name of a free slot, and the mark of a row that need not be there."""


class Guard:
    """The names of rows, each with a short hash of the row.

    A slot takes 12 bytes, and at most two thirds of the slots are taken. One thread may write while another reads: a
    look-up finds the hash of before or after a change.
    """

    def __init__(self) -> None:
        self._count = 0
        self._slots = array("Q", bytes(8 * _FIRST)), array("I", bytes(4 * _FIRST))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: bytes) -> bool:
        return self._mark(name) != _NOTHING

    def put(self, name: bytes, mac: bytes) -> None:
        """Demands a row under this name from now on. `mac`: the hash of the row, of which four bytes count."""
        self._set(name, int.from_bytes(mac[:4], "big") or 1)

    def drop(self, name: bytes) -> None:
        """Demands no row under this name any more."""
        if self._mark(name) != _NOTHING:
            self._set(name, _NOTHING)

    def misses(self, name: bytes, mac: bytes | None) -> bool:
        """Tells whether another row must be there. `mac`: the hash of the row that was read, None without one."""
        mark = self._mark(name)
        return mark != _NOTHING and (mac is None or (int.from_bytes(mac[:4], "big") or 1) != mark)

    def _mark(self, name: bytes) -> int:
        (names, marks), key = self._slots, _key(name)
        last = len(names) - 1
        slot = key & last
        while (there := names[slot]) != _NOTHING:
            if there == key:
                return marks[slot]
            slot = (slot + 1) & last
        return _NOTHING

    def _set(self, name: bytes, mark: int) -> None:
        if 3 * (self._count + 1) > 2 * len(self._slots[0]):
            self._grow()
        self._count += _place(*self._slots, _key(name), mark)

    def _grow(self) -> None:
        names, marks = self._slots
        wider = array("Q", bytes(16 * len(names))), array("I", bytes(8 * len(names)))
        self._count = sum(_place(*wider, key, mark) for key, mark in zip(names, marks, strict=True) if mark)
        self._slots = wider


def _key(name: bytes) -> int:
    """64 bits of the name, by the secret that Python draws for each process; never that of a free slot."""
    return (hash(name) & 0xFFFFFFFFFFFFFFFF) or 1


def _place(names: array[int], marks: array[int], key: int, mark: int) -> bool:
    """Writes the mark of a key, and tells whether the key is new. The name comes last: it makes the slot seen."""
    last = len(names) - 1
    slot = key & last
    while names[slot] not in (_NOTHING, key):
        slot = (slot + 1) & last
    new = names[slot] == _NOTHING
    marks[slot] = mark
    names[slot] = key
    return new
