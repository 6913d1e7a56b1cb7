"""The head: position of a partition, as its owner wrote it into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import orjson

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.fact_logs import FactLogs
from schemas.audit import Mode
from schemas.codec import canonical

HEAD = b"head"
"""The entry's key."""


@dataclass(frozen=True, slots=True)
class Head:
    """Position of a partition: written in every transaction, and the only position that is trusted.

    `sends` and `acts` are the next offsets to take. `prev` is the SHA-256 (hex) of the last manifest's value, None
    before the first. `at` is the last instant given to decide(), in milliseconds. `mode` is that of the gate and
    never changes, because a live gate must not use a shadow's decisions. `asked` is the number of items that wait
    for the answer of a person who was asked. `masters` are the fingerprints of the owner's master keys by number,
    if the engine knew them. `tokens` are those of token keys, earlier ones included. `resumed` is the last act that
    let the refused partition go on, None if there was none. `topics` are Kafka's ids of the topics of facts, and of
    the ledger, by name. `facts` are the logs of facts as the owner had read them. `believed` is the last time
    (milliseconds) at which people said that vanished facts are back, 0 if never.
    """

    sends: int
    acts: int = 0
    prev: str | None = None
    at: int = 0
    mode: Mode = "live"
    asked: int = 0
    masters: dict[str, str] = field(default_factory=dict)
    resumed: str | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)
    facts: FactLogs = field(default_factory=dict)
    believed: int = 0

    def encode(self) -> bytes:
        """The entry's value."""
        said = asdict(self)
        if self.resumed is None:
            del said["resumed"]
        for name in ("tokens", "topics", "facts", "believed"):
            if not said[name]:
                del said[name]
        return canonical({"v": 1, **said})

    def other_master(self, numbers: Iterable[int], ours: Mapping[int, str]) -> int | None:
        """The first of these numbers under which we have another master key, None if there is none.

        `ours`: the fingerprints of our master keys.
        """
        return next((n for n in sorted(numbers) if self.masters.get(str(n), ours[n]) != ours[n]), None)

    def other_token(self, ours: Mapping[int, str]) -> int | None:
        """The first number under which we have another token key, None if there is none. `ours`: fingerprints."""
        return next((n for n in sorted(ours) if self.tokens.get(str(n), ours[n]) != ours[n]), None)

    def made_again(self, ours: Mapping[str, str]) -> list[str]:
        """The topics of facts that are others than those by which this partition decided: their facts are gone.

        `ours`: the ids of the topics now. If the ledger is another one, too, a backup was restored, and none is told.
        """
        if self.topics.get("ledger") != ours.get("ledger"):
            return []
        return sorted(name for name, known in self.topics.items() if ours.get(name) != known)

    @classmethod
    def decode(cls, value: bytes) -> Head:
        """Decodes the entry's value; raises IntegrityError (4) for a value that this engine did not write."""
        try:
            found = orjson.loads(value)
            if found.pop("v") != 1:
                raise ValueError("version")
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IntegrityError("error.head_unreadable") from None
