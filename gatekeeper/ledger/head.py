"""The head: position of a partition, as its owner wrote it into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

import orjson

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger import topic_ids
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
    let the refused partition go on, None if there was none. `topics` are the ids of all topics, in the form of
    `topic_ids`. `facts` are the logs of facts as the owner had read them. `believed` is the last time (milliseconds)
    at which people said that vanished facts are back, 0 if never. `eras` are the numbers of times that an input's
    offsets began anew, because its log was replaced by another. `anew` is the last manifest whose audit records are
    gone, if people let the partition go on without them. It is None once later records are written. `last` names a
    record below the position of each input by offset and beginning of its hash (hex). It is the last readable one.
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
    topics: str = ""
    facts: FactLogs = field(default_factory=dict)
    believed: int = 0
    eras: dict[str, int] = field(default_factory=dict)
    anew: str | None = None
    last: dict[str, tuple[int, str]] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The entry's value."""
        fields = asdict(self)
        if self.resumed is None:
            del fields["resumed"]
        for name in ("anew", "tokens", "topics", "facts", "believed", "eras", "last"):
            if not fields[name]:
                del fields[name]
        return canonical({"v": 1, **fields})

    def other_master(self, numbers: Iterable[int], ours: Mapping[int, str]) -> int | None:
        """The first of these numbers under which we have another master key, None if there is none.

        `ours`: the fingerprints of our master keys.
        """
        return next((n for n in sorted(numbers) if self.masters.get(str(n), ours[n]) != ours[n]), None)

    def other_token(self, ours: Mapping[int, str]) -> int | None:
        """The first number under which we have another token key, None if there is none. `ours`: fingerprints."""
        return next((n for n in sorted(ours) if self.tokens.get(str(n), ours[n]) != ours[n]), None)

    def made_again(self, ours: Mapping[str, str]) -> list[str]:
        """The topics that are others than those with which this partition worked: their records are gone.

        `ours`: the ids of topics now, by name. If the ledger is another one, too, a backup was restored, and none is
        told.
        """
        return [] if self.of_another_ledger(ours) else topic_ids.differing(self.topics, ours)

    def of_another_ledger(self, ours: Mapping[str, str]) -> bool:
        """Tells whether a backup was restored since this head was written."""
        return "ledger" in topic_ids.differing(self.topics, ours)

    def with_topics(self, ours: Mapping[str, str], names: Iterable[str] = ()) -> Head:
        """This head with the present ids of these topics, or of all if none of them counts as made again."""
        known = names if self.made_again(ours) else topic_ids.ORDER
        return replace(self, topics=topic_ids.written(ours, self.topics, known))

    def era(self, topic: str) -> int:
        """The era of an input's offsets: 0 until its log was replaced."""
        return self.eras.get(topic, 0)

    @classmethod
    def decode(cls, value: bytes) -> Head:
        """Decodes the entry's value; raises IntegrityError (4) for a value that this engine did not write."""
        try:
            fields = orjson.loads(value)
            if fields.pop("v") != 1:
                raise ValueError("version")
            if isinstance(fields.get("topics"), dict):  # 0.3.0 wrote whole ids, of some topics
                fields["topics"] = topic_ids.written(fields["topics"])
            last = {name: (int(offset), str(hash_)) for name, (offset, hash_) in fields.pop("last", {}).items()}
            return cls(**fields, last=last)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IntegrityError("error.head_unreadable") from None
