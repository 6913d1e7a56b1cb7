"""One table of an LMDB file, with the changes that wait for its next commit.

Each value is stored behind 8 bytes of a keyed hash over its table, its name and itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from zlib import crc32

import lmdb

from gatekeeper.store.guard import Guard

MAC_BYTES = 8
STEP = 200
"""Rows that a walk reads at a time."""
Changes = Mapping[str, bytes | None]
"""New values by name, None for a name that is removed."""


class SpoiltError(Exception):
    """Raised if a value that is read at a start is not as it was written."""


class DiskTable:
    """One table.

    `spoilt`: what a look-up gives, after `on_spoilt`, for a value that is not the one written last. `guarded`: tells
    of a value whether its row is guarded. Memory keeps a short hash of such a row, and a look-up finds it gone or old.
    `whole` learns the guarded rows of an earlier process. Where it finds each row guarded, a look-up that misses reads
    no disk.
    """

    def __init__(
        self,
        name: str,
        env: lmdb.Environment,
        begun: blake2b,
        spoilt: bytes,
        on_spoilt: Callable[[str], None],
        guarded: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.name = name
        self.changed_bytes = 0
        """The bytes that wait, about."""
        self._env, self._begun, self._spoilt, self._on_spoilt = env, begun, spoilt, on_spoilt
        self._db = env.open_db(name.encode())
        self._changed: dict[str, bytes | None] = {}
        self._committing: Changes = {}
        self._sum = b"sum/" + name.encode()
        self._guarded, self._guard = guarded, Guard()
        self._all_guarded = False

    def get(self, name: str, /) -> bytes | None:
        """The value of a name, None without one."""
        for changes in (self._changed, self._committing):
            if name in changes:
                return changes[name]
        key = name.encode()
        if self._all_guarded and key not in self._guard:
            return None
        try:
            with self._env.begin(self._db) as read:
                stored = read.get(key)
        except lmdb.Error:
            stored = b""
        mac, value = (None, None) if stored is None else (stored[:MAC_BYTES], stored[MAC_BYTES:])
        wrong = value is not None and mac != self._mac(key, value)
        if wrong or (self._guarded and self._guard.misses(key, mac)):
            self._on_spoilt(self.name)
            return self._spoilt
        return value

    def __setitem__(self, name: str, value: bytes, /) -> None:
        self._changed[name] = value
        self.changed_bytes += len(name) + len(value)

    def pop(self, name: str, default: None, /) -> bytes | None:
        """Removes a name, if it is there."""
        value = self.get(name)
        if value is not None:
            self._changed[name] = default
            self.changed_bytes += len(name)
        return value

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Yields all names with their values; raises SpoiltError if one is not as it was written, or is missing."""
        newer, count = {**self._committing, **self._changed}, 0
        try:
            with self._env.begin(self._db) as read:
                for key, stored in read.cursor():
                    count += 1
                    if (name := key.decode()) in newer:
                        continue
                    if stored[:MAC_BYTES] != self._mac(key, value := stored[MAC_BYTES:]):
                        raise SpoiltError(self.name)
                    yield name, value
                if count != read.stat(self._db)["entries"]:
                    raise SpoiltError(self.name)
        except (lmdb.Error, UnicodeDecodeError) as error:
            raise SpoiltError(self.name) from error
        yield from ((name, value) for name, value in newer.items() if value is not None)

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Yields every name that stays, once, with a value of it; between steps there may be changes and commits."""
        waiting = {**self._committing, **self._changed}
        rows: list[tuple[bytes, bytes]] = []
        while True:
            try:
                with self._env.begin(self._db) as read, read.cursor() as cursor:
                    there = (cursor.set_range(rows[-1][0] + b"\0") if rows else cursor.first()) is True
                    rows = list(islice(cursor.iternext(), STEP)) if there else []
            except lmdb.Error:
                self._on_spoilt(self.name)
                return
            if not rows:
                break
            for key, stored in rows:
                name, value = key.decode(errors="replace"), stored[MAC_BYTES:]
                if name in waiting:
                    continue
                if stored[:MAC_BYTES] != self._mac(key, value):
                    self._on_spoilt(self.name)
                    value = self._spoilt
                yield name, value
        for name in waiting:
            if (value_now := self.get(name)) is not None:
                yield name, value_now

    def whole(self) -> bool:
        """Tells whether the file has exactly the names that were committed, each with the hash of its last value.

        It reads all names and hashes, and looks each name up. Of a page that the disk did not write, the older hashes
        differ. A damaged branch of the tree misleads look-ups, though a cursor passes by it.
        """
        count, total, last, guard = 0, 0, b"", Guard()
        self._all_guarded = False
        try:
            with self._env.begin(self._db) as read, read.cursor() as cursor:
                for key, stored in cursor:
                    if key <= last or read.get(key) != stored:
                        return False
                    count, total, last = count + 1, total + _sum(key, stored), key
                    if self._guarded and self._guarded(stored[MAC_BYTES:]):
                        guard.put(key, stored)
            self._guard, self._all_guarded = guard, self._guarded is not None and len(guard) == count
            with self._env.begin() as read:
                return (read.get(self._sum) or b"0 0") == b"%d %d" % (count, total)
        except lmdb.Error:
            return False

    def __len__(self) -> int:
        with self._env.begin(self._db) as read:
            count: int = read.stat(self._db)["entries"]
            for name, value in {**self._committing, **self._changed}.items():
                count += (value is not None) - (read.get(name.encode()) is not None)
        return count

    def cut(self) -> Changes:
        """Ends the changes that the next commit has; later ones wait for the one after it."""
        self._committing, self._changed, self.changed_bytes = self._changed, {}, 0
        return self._committing

    def write(self, txn: lmdb.Transaction, changes: Changes) -> None:
        """Writes changes in a transaction."""
        if not changes:
            return
        try:
            count, total = map(int, bytes(txn.get(self._sum, b"0 0")).split())
        except ValueError:
            raise lmdb.CorruptedError(self.name) from None
        for name, value in sorted(changes.items()):  # neighbours share pages
            key = name.encode()
            if value is None:
                had = txn.pop(key, db=self._db)
            else:
                stored = self._mac(key, value) + value
                had = txn.replace(key, stored, db=self._db)
                count, total = count + 1, total + _sum(key, stored)
            if had is not None:
                count, total = count - 1, total - _sum(key, bytes(had))
        txn.put(self._sum, b"%d %d" % (count, total))

    def committed(self) -> None:
        """Forgets the changes of the commit, which the file has now."""
        for name, value in self._committing.items() if self._guarded else ():
            key = name.encode()
            if value is not None and self._guarded and self._guarded(value):
                self._guard.put(key, self._mac(key, value))
            else:
                self._guard.drop(key)
                self._all_guarded = self._all_guarded and value is None
        self._committing = {}

    def _mac(self, key: bytes, value: bytes) -> bytes:
        mac = self._begun.copy()
        mac.update(b"%d:%b" % (len(key), key))
        mac.update(value)
        return mac.digest()


def _sum(key: bytes, stored: bytes) -> int:
    """The part of a row in the sum of its table: a check of its name and its hash."""
    return crc32(stored[:MAC_BYTES], crc32(key))
