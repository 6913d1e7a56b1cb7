"""Tables hold the values of the store by name: in memory, or in a form that a restart finds again.

A table is looked up while sends are judged, and a plain dict is one. A journal is only read when a store begins. In
memory it keeps nothing, because everything is read from Kafka again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

SPOILT = b"!"
"""A table gives this for a value that changed since it was written. Nothing is known then, and nothing is added."""


class Table(Protocol):
    """Values by name; the part of a dict that the store uses."""

    def get(self, name: str, /) -> bytes | None:
        """The value of a name, None without one."""

    def __setitem__(self, name: str, value: bytes, /) -> None: ...

    def pop(self, name: str, default: None, /) -> bytes | None:
        """Removes a name, if it is there."""

    def items(self) -> Iterable[tuple[str, bytes]]:
        """All names with their values."""

    def __len__(self) -> int: ...


class Tables(Protocol):
    """Opens tables and journals by name."""

    def table(self, name: str) -> Table:
        """A table, with all that it was given."""

    def journal(self, name: str) -> Table:
        """A journal, with all that it was given before this start."""


class _Nothing(dict[str, bytes]):
    """A journal that keeps nothing."""

    def __setitem__(self, name: str, value: bytes, /) -> None:
        pass


class MemoryTables:
    """Tables that end with the process."""

    def table(self, name: str) -> dict[str, bytes]:
        """A dict."""
        return {}

    def journal(self, name: str) -> dict[str, bytes]:
        """A dict that stays empty."""
        return _Nothing()
