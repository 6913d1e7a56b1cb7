"""The inputs and facts of workers, read back by place: inputs as far as they are kept, and all facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.head import Head
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client.reader import Reader

STRETCH = 500
"""Offsets read at a time, because the next request is usually for a neighbour."""
_KEPT = 32


class KeptInputs:
    """The inputs of `gatekeeper.audit.checks.recheck.Inputs`, read from Kafka; every method raises as `Reader` does.

    `heads`: those of the partitions, which tell the present eras.
    """

    def __init__(self, settings: Settings, reader: Reader, heads: Mapping[int, Head]) -> None:
        self._reader, self._heads = reader, heads
        self._names = {name: settings.topic(name) for name in ("sends", "acts", "review")}
        self._stretches: dict[tuple[str, int, int], dict[int, Record]] = {}

    def at(self, topic: str, partition: int, offset: int, era: int = 0) -> Record | None:
        """The committed record of a topic (registry name) at this place, None if there is none."""
        if topic not in self._names or self._is_former(topic, partition, era):
            return None
        record = self._stretch(topic, partition, offset // STRETCH).get(offset)
        return None if record is None else replace(record, topic=self._names[topic])

    def expired(self, topic: str, partition: int, offset: int, era: int = 0) -> bool:
        """True if the record at this place is no longer kept."""
        if self._is_former(topic, partition, era):
            return True
        # asked each time, as retention may have passed since
        return offset < self._reader.starts(topic).get(partition, 0) if topic in self._names else False

    def _is_former(self, topic: str, partition: int, era: int) -> bool:
        head = self._heads.get(partition)
        return head is not None and era < head.era(topic)

    def _stretch(self, topic: str, partition: int, number: int) -> dict[int, Record]:
        stretch = self._stretches.get((topic, partition, number))
        if stretch is None:
            start = number * STRETCH
            records = self._reader.between(topic, partition=partition, start=start, end=start + STRETCH)
            stretch = {record.offset: record for record in records}
            if len(self._stretches) >= _KEPT:
                del self._stretches[next(iter(self._stretches))]
            self._stretches[topic, partition, number] = stretch
        return stretch


def facts(reader: Reader) -> Iterator[Record]:
    """Yields all records of the fact topics up to their current ends, each partition in its order."""
    for topic in FACT_TOPICS:
        yield from reader.read(topic)
