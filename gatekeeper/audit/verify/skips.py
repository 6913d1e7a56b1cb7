"""Offsets that a person let go undecided: the manifest says so, and the record of that person's act has to agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, is_place, read_json, with_keys
from gatekeeper.audit.verify.findings import Report


@dataclass
class Skip:
    """One range that was skipped: the manifest that says so, what it says, and what is told of it."""

    place: tuple[int, int]
    said: dict[str, Any]
    told: dict[str, Any]


class Skips:
    """The skips of one partition whose acts have no record yet."""

    def __init__(self, partition: int, report: Report) -> None:
        self._partition, self._report = partition, report
        self._asked: dict[int, list[Skip]] = {}
        """By the offset of each act on `acts`."""

    def add(self, place: tuple[int, int], skipped: dict[str, Any]) -> tuple[str, int, int]:
        """Takes in a skip that a manifest states; returns its topic, its first offset and the offset behind it.

        Raises one of MALFORMED for what is no skip.
        """
        with_keys(skipped, "act", "by", "from", "offset", "refused", "to", "topic")
        topic, first, to, act = (skipped[name] for name in ("topic", "from", "to", "offset"))
        if not all(map(is_place, (first, to, act))):
            raise ValueError("no such place")
        told = {"topic": topic, "first": first, "to": to, "by": skipped["by"], "act": skipped["act"], "input": act}
        self._asked.setdefault(act, []).append(Skip(place, skipped, told))
        return topic, first, to

    def awaits(self, topic: str, offset: int) -> bool:
        """Tells whether a skip asks for the record of this input."""
        return offset in self._asked and topic_name(topic) == "acts"

    def take(self, offset: int, record: bytes) -> None:
        """Holds the record of an act against the skips that ask for it; `offset`: of the act."""
        try:
            act = read_json(record.decode())["act"]
            said = act["kind"], act["act_id"], act["by"], act["resumed"]["refused"]
            to = {topic_name(name): act["resumed"][name] for name in ("sends", "acts")}
        except MALFORMED:
            said, to = ("", "", "", ""), {}
        for skip in self._asked.pop(offset):
            wanted = "resume_partition", skip.said["act"], skip.said["by"], skip.said["refused"]
            if said == wanted and to.get(topic_name(skip.said["topic"])) == skip.said["to"]:
                self._report.skips.append({"partition": self._partition, **skip.told})
            else:
                self._report.add("skip_unsaid", skip.place, **skip.told)

    def end(self) -> None:
        """Reports each skip whose act has no record."""
        for skip in chain.from_iterable(self._asked.values()):
            self._report.add("skip_unrecorded", skip.place, **skip.told)


def topic_name(topic: str) -> str:
    """Returns what a topic is called without prefix and version."""
    return topic.rpartition(".v")[0].rpartition(".")[2] or topic
