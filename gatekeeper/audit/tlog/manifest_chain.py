"""The chain of a partition's manifests: each continues the one before it, and their ranges of inputs join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gatekeeper.audit.tlog.log_faults import Fault
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import adds_up


class FaultyRange(NamedTuple):
    """Offsets of an input that a manifest counts wrongly, takes again or skips: from `first` to before `to`."""

    fault: Fault
    topic: str
    first: int
    to: int


class Step(NamedTuple):
    """The faults of one manifest after those before it. `link`: None if it continues the chain."""

    link: Fault | None
    ranges: list[FaultyRange]

    @property
    def joined(self) -> bool:
        """Tells whether the manifest continues the chain, or is the first one that is there."""
        return self.link in (None, "begins_late")

    @property
    def apart(self) -> list[FaultyRange]:
        """The ranges that are wrong by themselves: offsets say nothing where the chain is broken."""
        return [faulty for faulty in self.ranges if self.joined or faulty.fault == "miscounted_range"]


@dataclass
class ManifestChain:
    """The end of a partition's chain.

    `head`: SHA-256 (hex) of its last manifest, None without one. `taken`: next offset of each input. `name`: an input's
    name by its topic on the broker. `whole`: nothing before the first manifest is gone.
    """

    head: str | None = None
    taken: dict[str, int] = field(default_factory=dict)
    name: Callable[[str], str] = str
    whole: bool = False

    def step(self, said: Mapping[str, Any], hash_: str) -> Step:
        """Moves on to the next manifest, whatever its faults. `said`, `hash_`: the manifest, and its SHA-256 (hex).

        After a break, inputs go on from wherever the manifest says. Raises KeyError, TypeError or AttributeError for a
        value of another shape.
        """
        step, stands = Step(self._link(said["prev"], hash_), []), self.taken
        self.head, self.taken = hash_, dict(stands) if step.joined or step.link == "repeated_manifest" else {}
        for taken in said["in"]:
            topic, first, to = self.name(taken["topic"]), taken["from"], taken["to"]
            if not adds_up(taken):
                step.ranges.append(FaultyRange("miscounted_range", topic, first, to))
            if first < (expected := self.taken.get(topic, stands.get(topic, first))):
                step.ranges.append(FaultyRange("repeated_offset", topic, first, min(to, expected)))
            elif first > expected:
                step.ranges.append(FaultyRange("skipped_offset", topic, expected, first))
            self.taken[topic] = max(self.taken.get(topic, to), to)
        for skip in said.get("skipped", ()):  # a person chose where to go on
            topic, first = self.name(skip["topic"]), skip["from"]
            if first != (expected := self.taken.get(topic, stands.get(topic, first))):
                step.ranges.append(FaultyRange("skipped_offset", topic, expected, first))
            self.taken[topic] = skip["to"]
        return step

    def _link(self, prev: str | None, hash_: str) -> Fault | None:
        if prev == self.head:
            return None
        if self.head is None and not self.whole:
            return "begins_late"
        return "repeated_manifest" if hash_ == self.head else "broken_chain"


def signature_fault(value: bytes, signature: bytes, key: Vkey | None) -> Fault | None:
    """The fault of a manifest's signature, None if it is valid. `key`: the one that the manifest names, if known."""
    if not signature:
        return "unsigned_manifest"
    if key is None:
        return "unknown_key"
    return None if key.verifies(signature, value) else "forged_manifest"
