"""A person's act that lets a refused partition go on, and the offsets for it: found among the partition's acts.

Where a partition stands at one record that our code cannot take, the same act of two people passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import BY_TWO, SKIPPABLE
from schemas.codec import canonical
from schemas.events import PartitionAct
from schemas.manifests import Skipped
from schemas.record import Record
from schemas.topics import logical_name


@dataclass(frozen=True, slots=True)
class Resumption:
    """An act that ends a refusal: the next offsets to take, and the actor. `place`: the act's own offset on `acts`."""

    act_id: str
    by: str
    refused: str
    sends: int
    acts: int
    place: int

    def skipped(self, before: Mapping[str, int]) -> tuple[Skipped, ...]:
        """The ranges that the act leaves undecided, for the manifest; none for an input whose position stays.

        `before`: the partition's positions, by the broker's name of the input. A position that goes back is included as
        well: `to` is then less than `first`.
        """
        after = {name: self.sends if logical_name(name) == "sends" else self.acts for name in before}
        fields = {"act": self.act_id, "offset": self.place, "by": self.by, "refused": self.refused}
        return tuple(
            Skipped.model_validate({"topic": name, "from": start, "to": after[name], **fields})
            for name, start in before.items()
            if after[name] != start
        )


def fingerprint(head: bytes | None, refused: str) -> str | None:
    """The name of a head in an act: SHA-256 (hex) of its bytes, None without a head.

    A partition that is refused at work writes a new head at each try. So its position alone is named, with the act that
    led there. No act applies again where a position came back. `refused`: the key of the error.
    """
    if head is None:
        return None
    if refused in SKIPPABLE:
        at = Head.decode(head)
        head = canonical([at.sends, at.acts, at.resumed])
    return sha256(head).hexdigest()


def resumption(
    acts: Iterable[tuple[Record, Any]],
    *,
    partition: int,
    refused: str,
    head: bytes | None,
    counts: Callable[[Record], bool],
) -> Resumption | None:
    """The newest act that ends this very refusal, None if there is none.

    `acts`: records of the topic `acts` and what was read from each; unreadable records and other acts are skipped.
    `refused`: the key of the error; for one of BY_TWO, two people must have said the same. `counts`: tells whether
    an act has a signer, or needs none.
    `head`: the bytes of the head's entry as the worker reads it, None without one. An act counts for that head alone,
    so it never applies twice. An act that would skip itself does not count, because it must be taken in its turn and
    recorded. The worker checks whether the act's offsets lie within the log.
    """
    newest, seen = None, fingerprint(head, refused)
    needed, people = 2 if refused in BY_TWO else 1, dict[tuple[int, int], set[str]]()
    for record, act in acts:
        if not isinstance(act, PartitionAct) or act.partition != partition or record.partition != partition:
            continue
        if (act.refused, act.head) == (refused, seen) and act.acts <= record.offset and counts(record):
            agreed = people.setdefault((act.sends, act.acts), set())
            agreed.add(act.by.casefold())
            if len(agreed) >= needed:
                newest = Resumption(act.act_id, act.by, act.refused, act.sends, act.acts, record.offset)
    return newest
