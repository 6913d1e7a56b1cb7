"""The topics of facts, read again from their first record, and compared with what was read before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from gatekeeper.ledger.fact_logs import Content, FactLogs, vanished
from schemas.codec import VALUE_BYTES
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client import admin, progress, replicas
from streams.client.read_log import ReadLog
from streams.client.reader import Reader


class FactReading:
    """All facts as they stand on their topics now. `records`: the number of readable ones."""

    def __init__(self, logs: Mapping[str, Sequence[ReadLog]]) -> None:
        self._logs = logs
        self.records = sum(log.content.records for read_logs in logs.values() for log in read_logs)

    def begins(self, topic: str) -> Sequence[int]:
        """The first offset of each partition of a topic."""
        return [log.begin for log in self._logs[topic]]

    def below(self, topic: str, positions: Sequence[int]) -> Sequence[Content] | None:
        """The content of each partition below its position; None if that was not asked for."""
        contents = [log.below(at) for log, at in zip(self._logs[topic], positions, strict=False)]
        return None if None in contents else [content for content in contents if content is not None]

    def short_of(self, topic: str, positions: Sequence[int]) -> bool:
        """Tells whether a partition ends below its position."""
        return any(log.position < at for log, at in zip(self._logs[topic], positions, strict=False))

    def holds(self, topic: str, number: int, log: ReadLog) -> bool:
        """Tells whether a partition still holds what was read of it before."""
        now = self._logs[topic][number]
        return now.begin <= log.begin and log.position <= now.position and now.below(log.position) == log.content

    def gone(self, known: Iterable[FactLogs]) -> list[str]:
        """The topics that no longer hold what they held when these were written."""
        return sorted({topic for logs in known for topic in vanished(logs, self, ended=True)})


def read(
    reader: Reader, positions: Mapping[str, Sequence[Iterable[int]]], passed: Callable[[int], None] = lambda _: None
) -> FactReading:
    """All facts up to their ends at this call, with the content below some positions of each partition.

    `passed`: called with a number of records that were read. Raises as `Reader` does.
    """
    logs: dict[str, list[ReadLog]] = {}
    for topic in FACT_TOPICS:
        starts, ends = reader.starts(topic), reader.ends(topic)
        logs[topic] = [ReadLog(start, start) for _, start in sorted(starts.items())]
        for log, noted in zip(logs[topic], positions.get(topic, ()), strict=False):
            log.note(noted)
        for record in reader.read(topic, before=ends):
            passed(1)
            if (whole := _whole(reader, record)) is not None:
                logs[topic][record.partition].take(whole)
        for number, end in ends.items():
            logs[topic][number].position = end
    return FactReading(logs)


def gone(reader: Reader, passed: Callable[[int], None] = lambda _: None) -> tuple[FactReading, list[str]]:
    """All facts, and the topics that lack what some partition's head says that its worker had read.

    Heads of another ledger do not count: a restore made all topics again. Raises as `Reader` does.
    """
    heads = list(progress.read(reader).values())
    ours = admin.topic_ids(reader.settings, (*FACT_TOPICS, "ledger"))
    known = [head.facts for head in heads if not head.of_another_ledger(ours)]
    again = {topic for head in heads for topic in head.made_again(ours)}
    at = {topic: [logs[topic]["at"] for logs in known if topic in logs] for topic in FACT_TOPICS}
    positions = {
        topic: [[*filter(_there, offsets)] for offsets in zip_longest(*by_head)] for topic, by_head in at.items()
    }
    reading = read(reader, positions, passed)
    return reading, sorted({*reading.gone(known), *again.intersection(FACT_TOPICS)})


def _there(position: int | None) -> bool:
    return position is not None


def _whole(reader: Reader, record: Record) -> Any:
    """The record as it was read at first: from another replica if the leader's copy is spoilt; None if unreadable."""
    copy: Any = record
    if (refused := record.refused) is not None:
        if refused.what != "batch":
            return None
        name = reader.settings.topic(record.topic)
        copy = replicas.read(reader.settings, name, record.partition, [record.offset]).get(record.offset)
    return None if copy is None or len(copy.value or b"") > VALUE_BYTES else copy
