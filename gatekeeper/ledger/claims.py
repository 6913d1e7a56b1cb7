"""Claims: the transactional ids that may still write a partition, by the entries `owner/ID` of its ledger."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.codec import canonical

_OWNER = b"owner/"


class Claims:
    """The ids that may still write a partition, in the order of their claims. The last one owns it."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    @property
    def last(self) -> str | None:
        """The id that owns the partition, None if nobody does."""
        return next(reversed(self._ids), None)

    def take(self, key: bytes, value: bytes | None) -> bool:
        """Puts in an entry of the ledger as read back; False if the entry is no claim."""
        if not key.startswith(_OWNER):
            return False
        name = key.removeprefix(_OWNER).decode()
        self._ids.pop(name, None)
        if value is not None:
            self._ids[name] = None
        return True


def claim(name: str) -> tuple[bytes, bytes]:
    """The entry by which a transactional id claims a partition: key and value."""
    return _OWNER + name.encode(), canonical({"v": 1})


def unclaimed(name: str) -> tuple[bytes, None]:
    """The deletion of an id's claim: the id is fenced, or writes the partition no more."""
    return _OWNER + name.encode(), None
