"""A person's word that a refused partition goes on, and from where: found among the acts of the partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from schemas.audit import Skipped
from schemas.codec import Unreadable, read
from schemas.events import PartitionAct
from schemas.record import Record
from schemas.topics import logical_name


@dataclass(frozen=True, slots=True)
class Resumption:
    """An act that ends a refusal: the next offsets to take, and who says so; `place`: its own offset on `acts`."""

    act_id: str
    by: str
    refused: str
    sends: int
    acts: int
    place: int

    def skipped(self, before: Mapping[str, int]) -> tuple[Skipped, ...]:
        """Returns what goes undecided by it, for the manifest: nothing of an input whose position stays.

        `before`: where the partition was, by the broker's name of the input. A position that goes back is told as
        well: `to` then lies before `first`.
        """
        after = {name: self.sends if logical_name(name) == "sends" else self.acts for name in before}
        said = {"act": self.act_id, "offset": self.place, "by": self.by, "refused": self.refused}
        return tuple(
            Skipped.model_validate({"topic": name, "from": start, "to": after[name], **said})
            for name, start in before.items()
            if after[name] != start
        )


def fingerprint(head: bytes | None) -> str | None:
    """How an act names the head that a person looked at: SHA-256 (hex) of its bytes, None without a head."""
    return None if head is None else sha256(head).hexdigest()


def resumption(acts: Iterable[Record], *, partition: int, refused: str, head: bytes | None) -> Resumption | None:
    """The newest act that ends this very refusal, None where there is none.

    `acts`: records of the topic `acts`; those that cannot be read, or are about something else, are passed over.
    `refused`: the key of the error. `head`: the bytes of the head's entry as the worker reads it, None without one:
    an act counts for that head alone, so it never applies twice. An act that would skip itself does not count, for it
    must be met in its turn and recorded. Whether its offsets lie within the log is for the worker to see.
    """
    found, seen = None, fingerprint(head)
    for record in acts:
        try:
            act = read(record).model
        except Unreadable:
            continue
        if not isinstance(act, PartitionAct) or act.partition != partition or record.partition != partition:
            continue
        if (act.refused, act.head) == (refused, seen) and act.acts <= record.offset:
            found = Resumption(act.act_id, act.by, act.refused, act.sends, act.acts, record.offset)
    return found
