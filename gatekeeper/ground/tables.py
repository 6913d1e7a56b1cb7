"""Tables of values by name, for facts and ledger. They are in memory, or in a store on disk.

A table is looked up while sends are judged. A journal is only read when a store begins. In memory it keeps nothing,
because everything is read from Kafka again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

SPOILT = b"!"
"""A table gives this for a value that changed since it was written. Nothing is known then, and nothing is added."""


class Table(Protocol):
    """Values by name: the part of a dict that stores use, and a walk."""

    def get(self, name: str, /) -> bytes | None:
        """The value of a name, None without one."""

    def __setitem__(self, name: str, value: bytes, /) -> None: ...

    def pop(self, name: str, default: None, /) -> bytes | None:
        """Removes a name, if it is there."""

    def items(self) -> Iterable[tuple[str, bytes]]:
        """All names with their values."""

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Yields every name that stays, with a value of it, in steps between which there may be changes."""

    def __len__(self) -> int: ...


class Tables(Protocol):
    """Opens tables and journals by name."""

    def table(self, name: str) -> Table:
        """A table, with all that it was given."""

    def journal(self, name: str) -> Table:
        """A journal, with all that it was given before this start."""


class _MemoryTable(dict[str, bytes]):
    """A dict that can be walked through while it changes."""

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Yields every name that stays, with its value."""
        for name in list(self):
            if (value := self.get(name)) is not None:
                yield name, value


class _Nothing(_MemoryTable):
    """A journal that keeps nothing."""

    def __setitem__(self, name: str, value: bytes, /) -> None:
        pass


class MemoryTables:
    """Tables that end with the process."""

    def table(self, name: str) -> Table:
        """A dict."""
        return _MemoryTable()

    def journal(self, name: str) -> Table:
        """A dict that stays empty."""
        return _Nothing()
