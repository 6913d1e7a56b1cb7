"""The head: how far a partition is, as its owner wrote it into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import orjson

from gatekeeper.errors import IntegrityError
from schemas.audit import Mode
from schemas.codec import canonical

HEAD = b"head"
"""The entry's key."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a partition stands: written in every transaction, and the only position that is trusted.

    `sends` and `acts` are the next offsets to take; `prev` is the SHA-256 (hex) of the last manifest's value, None
    before the first; `at` is the last instant given to decide(), in milliseconds; `mode` is that of
    the gate, which never changes: a shadow's decisions are none of a live gate. `asked` is how many items wait for the
    answer of a person who was asked. `masters` are the fingerprints of its owner's master keys by number, where the
    engine that wrote it knew of them.
    """

    sends: int
    acts: int = 0
    prev: str | None = None
    at: int = 0
    mode: Mode = "live"
    asked: int = 0
    masters: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The entry's value."""
        return canonical({"v": 1, **asdict(self)})

    def other_master(self, numbers: Iterable[int], ours: Mapping[int, str]) -> int | None:
        """Which of these numbers of master keys is that of another key with us, None where none is.

        `ours`: the fingerprints of our master keys.
        """
        return next((n for n in sorted(numbers) if self.masters.get(str(n), ours[n]) != ours[n]), None)

    @classmethod
    def decode(cls, value: bytes) -> Head:
        """Reads the entry's value; raises IntegrityError (4) for anything that this engine did not write."""
        try:
            found = orjson.loads(value)
            if found.pop("v") != 1:
                raise ValueError("version")
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IntegrityError("error.head_unreadable") from None
