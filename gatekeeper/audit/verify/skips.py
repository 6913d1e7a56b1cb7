"""Checks offsets that a person skipped: the manifest states the skip, and the act's record must agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, is_place, read_json, with_keys
from gatekeeper.audit.verify.findings import Report


@dataclass
class Skip:
    """One skipped range: the place of its manifest, the manifest's statement, and the values to report."""

    place: tuple[int, int]
    said: dict[str, Any]
    told: dict[str, Any]


class Skips:
    """The skips of one partition whose acts have no record yet."""

    def __init__(self, partition: int, report: Report) -> None:
        self._partition, self._report = partition, report
        self._asked: dict[int, list[Skip]] = {}
        """Skips by the offset of their act on `acts`."""

    def add(self, place: tuple[int, int], skipped: dict[str, Any]) -> tuple[str, int, int]:
        """Registers a skip that a manifest states; the result is its topic, its first offset and the next offset.

        Raises one of MALFORMED if the value is no skip.
        """
        with_keys(skipped, "act", "by", "from", "offset", "refused", "to", "topic")
        topic, first, to, act = (skipped[name] for name in ("topic", "from", "to", "offset"))
        if not all(map(is_place, (first, to, act))):
            raise ValueError("no such place")
        values = {"topic": topic, "first": first, "to": to, "by": skipped["by"], "act": skipped["act"], "input": act}
        self._asked.setdefault(act, []).append(Skip(place, skipped, values))
        return topic, first, to

    def awaits(self, topic: str, offset: int) -> bool:
        """Tells whether a skip asks for the record of this input."""
        return offset in self._asked and topic_name(topic) == "acts"

    def take(self, offset: int, record: bytes) -> None:
        """Compares the record of an act with the skips that name it. `offset`: of the act."""
        try:
            act = read_json(record.decode())["act"]
            recorded = act["kind"], act["act_id"], act["by"], act["resumed"]["refused"]
            to = {topic_name(name): act["resumed"][name] for name in ("sends", "acts")}
        except MALFORMED:
            recorded, to = ("", "", "", ""), {}
        for skip in self._asked.pop(offset):
            wanted = "resume_partition", skip.said["act"], skip.said["by"], skip.said["refused"]
            if recorded == wanted and to.get(topic_name(skip.said["topic"])) == skip.said["to"]:
                self._report.skips.append({"partition": self._partition, **skip.told})
            else:
                self._report.add("unsaid_skip", skip.place, **skip.told)

    def end(self) -> None:
        """Reports each skip whose act has no record."""
        for skip in chain.from_iterable(self._asked.values()):
            self._report.add("unrecorded_skip", skip.place, **skip.told)


def topic_name(topic: str) -> str:
    """The name of a topic without prefix and version."""
    return topic.rpartition(".v")[0].rpartition(".")[2] or topic
