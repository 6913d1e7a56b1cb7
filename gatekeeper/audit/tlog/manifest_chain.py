"""The chain of a partition's manifests: each continues the one before it, and their ranges of inputs join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import adds_up

LinkFault = Literal["begins_late", "twice", "missing"]
RangeFault = Literal["miscounted", "repeated", "skipped"]
SignatureFault = Literal["unsigned", "key_unknown", "forged"]


class FaultyRange(NamedTuple):
    """Offsets of an input that a manifest counts wrongly, takes again or skips: from `first` to before `to`."""

    fault: RangeFault
    topic: str
    first: int
    to: int


class Step(NamedTuple):
    """The faults of one manifest after those before it. `link`: None if it continues the chain."""

    link: LinkFault | None
    ranges: list[FaultyRange]

    @property
    def joined(self) -> bool:
        """Tells whether the manifest continues the chain, or is the first one that is there."""
        return self.link in (None, "begins_late")

    @property
    def apart(self) -> list[FaultyRange]:
        """The ranges that are wrong by themselves: offsets say nothing where the chain is broken."""
        return [one for one in self.ranges if self.joined or one.fault == "miscounted"]


class ManifestChain:
    """The end of a partition's chain.

    `head`: SHA-256 (hex) of its last manifest, None without one. `taken`: next offset of each input.
    """

    def __init__(
        self, head: str | None = None, taken: Mapping[str, int] | None = None, name: Callable[[str], str] = str
    ) -> None:
        """`name`: the name under which an input is known, by its topic on the broker."""
        self.head, self.taken, self._name = head, dict(taken or {}), name

    def step(self, said: Mapping[str, Any], hash_: str) -> Step:
        """Moves on to the next manifest, whatever its faults. `said`, `hash_`: the manifest, and its SHA-256 (hex).

        After a break, inputs go on from wherever the manifest says. Raises KeyError, TypeError or AttributeError for a
        value of another shape.
        """
        step, stands = Step(self._link(said["prev"], hash_), []), self.taken
        self.head, self.taken = hash_, dict(stands) if step.joined or step.link == "twice" else {}
        for one in said["in"]:
            topic, first, to = self._name(one["topic"]), one["from"], one["to"]
            if not adds_up(first, to, one["n"], [(gap["first"], gap["n"]) for gap in one["gaps"]]):
                step.ranges.append(FaultyRange("miscounted", topic, first, to))
            if first < (expected := self.taken.get(topic, stands.get(topic, first))):
                step.ranges.append(FaultyRange("repeated", topic, first, min(to, expected)))
            elif first > expected:
                step.ranges.append(FaultyRange("skipped", topic, expected, first))
            self.taken[topic] = max(self.taken.get(topic, to), to)
        for one in said.get("skipped", ()):  # a person chose where to go on
            topic, first = self._name(one["topic"]), one["from"]
            if first != (expected := self.taken.get(topic, stands.get(topic, first))):
                step.ranges.append(FaultyRange("skipped", topic, expected, first))
            self.taken[topic] = one["to"]
        return step

    def _link(self, prev: str | None, hash_: str) -> LinkFault | None:
        if prev == self.head:
            return None
        if self.head is None:
            return "begins_late"
        return "twice" if hash_ == self.head else "missing"


def signature_fault(value: bytes, signature: bytes, key: Vkey | None) -> SignatureFault | None:
    """The fault of a manifest's signature, None if it is valid. `key`: the one that the manifest names, if known."""
    if not signature:
        return "unsigned"
    if key is None:
        return "key_unknown"
    return None if key.verifies(signature, value) else "forged"
