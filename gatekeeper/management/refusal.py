"""A refused partition for the person who resumes it: its position, the allowed offsets, and the skipped records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.resumption import fingerprint
from schemas.events import PartitionAct
from schemas.topics import logical_name

InputTopic = Literal["sends", "acts"]


class KeptRange(NamedTuple):
    """Offsets that Kafka keeps of an input partition: its first offset and its end offset."""

    start: int
    end: int


class Position(NamedTuple):
    """The next offsets of both inputs."""

    sends: int
    acts: int


class ProposedSkip(NamedTuple):
    """Range of an input's offsets that would go undecided; with `to` below `start` they would be judged again."""

    topic: InputTopic
    start: int
    to: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """State of a refused partition.

    `head`, `raw`: the head in the ledger and its bytes, None without one. `logs`: the kept offsets of both inputs.
    `claimed`: the next offsets of the inputs in the last manifest, empty without one. `fresh`: the inputs whose log was
    replaced by another, each with the first offset there that nobody has decided.
    """

    partition: int
    note: Refused
    head: Head | None
    raw: bytes | None
    logs: Mapping[InputTopic, KeptRange]
    claimed: Mapping[str, int]
    fresh: Mapping[InputTopic, int] = field(default_factory=dict)

    @property
    def topic(self) -> InputTopic:
        """The input that `--from` refers to: `acts` if the refusal is about `acts`, else `sends`."""
        return "acts" if logical_name(str(self.note.values.get("topic", ""))) == "acts" else "sends"

    @property
    def before(self) -> Position:
        """The position of the partition: from its head, else its last manifest, else the start of the logs."""
        if self.head is not None:
            return Position(self.head.sends, self.head.acts)
        return Position(*(self.claimed.get(name, self.logs[name].start) for name in ("sends", "acts")))

    @property
    def range(self) -> KeptRange:
        """The first and last offset that `--from` allows.

        Nothing may be decided twice, so the first is the partition's position. Only in another log than the one that
        was read, any offset may be.
        """
        log, before = self.logs[self.topic], self.before[self.topic == "acts"]
        if self.note.key == "error.torn":
            before = max(before, self._settled(self.topic, before))
        anew = self.topic in self.fresh or before > log.end
        return KeptRange(log.start if anew else max(log.start, before), log.end)

    @property
    def suggested(self) -> int:
        """The offset that skips the fewest records."""
        return self.fresh.get(self.topic, self.range.start)

    def position(self, start: int) -> Position:
        """The new position if `--from` is `start`; raises UsageError (2) with the allowed offsets."""
        first, last = self.range
        if not first <= start <= last:
            raise UsageError("error.partition_from", partition=self.partition, topic=self.topic, first=first, last=last)
        offsets = dict(zip(("sends", "acts"), self.before, strict=True))
        for name, log in self.logs.items():  # records of the other input may have expired as well
            at = self.fresh.get(name, self._settled(name, offsets[name]))
            offsets[name] = min(max(at, log.start), log.end)
        return Position(**{**offsets, self.topic: start})

    @property
    def record(self) -> tuple[InputTopic, int] | None:
        """The record at which the partition stands and that two people can pass: its topic and offset."""
        if self.note.record is None or self.head is None:
            return None
        return self.topic, self.note.record[1]

    def behind(self, record: tuple[str, int]) -> Position:
        """The position behind the record at which the partition stands; raises UsageError (2) for any other record."""
        if self.record is None:
            raise UsageError("error.partition_not_so", partition=self.partition, advice=self.note.advice)
        if record != self.record:
            named = "/".join(map(str, self.record))
            raise UsageError("error.partition_skip", partition=self.partition, record=named)
        return Position(**{**self.before._asdict(), self.record[0]: self.record[1] + 1})

    def skips(self, position: Position) -> list[ProposedSkip]:
        """The ranges that would go undecided after resuming at a position, without those that audit records decide.

        In another log than the one that was read, a position may also lie before the first record to decide.
        """
        sends, acts = (self._settled(name, start) for name, start in zip(("sends", "acts"), self.before, strict=True))
        decided = self.note.values.get("sends") if self.note.key == "error.torn" else None
        sends = decided if type(decided) is int else sends
        sends, acts = self.fresh.get("sends", sends), self.fresh.get("acts", acts)
        skips = ProposedSkip("sends", sends, position.sends), ProposedSkip("acts", acts, position.acts)
        return [skip for skip in skips if skip.start != skip.to]

    def act(self, position: Position, *, act_id: str, at: str, by: str, reason: str) -> PartitionAct:
        """The act that resumes the partition; raises UsageError (2) that names the option with an invalid value."""
        fields: dict[str, Any] = {"v": 1, "kind": "resume_partition", "act_id": act_id, "at": at, "by": by}
        fields |= {"subject": f"partition/{self.partition}", "reason": reason, **position._asdict()}
        fields |= {"refused": self.note.key, "head": fingerprint(self.raw, self.note.key)}
        try:
            return PartitionAct.model_validate(fields)
        except ValidationError as error:
            option = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        raise UsageError("error.option_invalid", option=f"--{option}")

    def _settled(self, name: str, otherwise: int) -> int:
        """The next offset of an input after a torn transaction is settled, from the note; else `otherwise`."""
        value = self.note.values.get({"sends": "end", "acts": "acts"}[name]) if self.note.key == "error.torn" else None
        return value if type(value) is int else otherwise
