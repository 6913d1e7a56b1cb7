"""One table of an LMDB file, with the changes that wait for its next commit.

Each value is stored behind 8 bytes of a keyed hash over its table, its name and itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

import lmdb

MAC_BYTES = 8
Changes = Mapping[str, bytes | None]
"""New values by name, None for a name that is removed."""


class SpoiltError(Exception):
    """Raised if a value that is read at a start is not as it was written."""


class DiskTable:
    """One table. `spoilt`: what a look-up gives, after `on_spoilt`, for a value that is not as it was written."""

    def __init__(
        self, name: str, env: lmdb.Environment, begun: blake2b, spoilt: bytes, on_spoilt: Callable[[str], None]
    ) -> None:
        self.name = name
        self.changed_bytes = 0
        """The bytes that wait, about."""
        self._env, self._begun, self._spoilt, self._on_spoilt = env, begun, spoilt, on_spoilt
        self._db = env.open_db(name.encode())
        self._changed: dict[str, bytes | None] = {}
        self._committing: Changes = {}

    def get(self, name: str, /) -> bytes | None:
        """The value of a name, None without one."""
        for changes in (self._changed, self._committing):
            if name in changes:
                return changes[name]
        try:
            with self._env.begin(self._db) as read:
                stored = read.get(name.encode())
        except lmdb.Error:
            stored = b""
        if stored is None:
            return None
        value = stored[MAC_BYTES:]
        if stored[:MAC_BYTES] != self._mac(name.encode(), value):
            self._on_spoilt(self.name)
            return self._spoilt
        return value

    def __setitem__(self, name: str, value: bytes, /) -> None:
        self._changed[name] = value
        self.changed_bytes += len(name) + len(value)

    def pop(self, name: str, default: None, /) -> bytes | None:
        """Removes a name, if it is there."""
        found = self.get(name)
        if found is not None:
            self._changed[name] = default
            self.changed_bytes += len(name)
        return found

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

    def __len__(self) -> int:
        with self._env.begin(self._db) as read:
            known: int = read.stat(self._db)["entries"]
            for name, value in {**self._committing, **self._changed}.items():
                known += (value is not None) - (read.get(name.encode()) is not None)
        return known

    def cut(self) -> Changes:
        """Ends the changes that the next commit has; later ones wait for the one after it."""
        self._committing, self._changed, self.changed_bytes = self._changed, {}, 0
        return self._committing

    def write(self, txn: lmdb.Transaction, changes: Changes) -> None:
        """Writes changes in a transaction."""
        for name, value in sorted(changes.items()):  # neighbours share pages
            key = name.encode()
            if value is None:
                txn.delete(key, db=self._db)
            else:
                txn.put(key, self._mac(key, value) + value, db=self._db)

    def committed(self) -> None:
        """Forgets the changes of the commit, which the file has now."""
        self._committing = {}

    def _mac(self, key: bytes, value: bytes) -> bytes:
        mac = self._begun.copy()
        mac.update(b"%d:%b" % (len(key), key) + value)
        return mac.digest()
