"""Copies facts to the topics of another prefix, such that their first arrivals survive (domain rule 7.1.2).

Each copy states the first arrival of its record in a header. A `copy` record for each partition names the hash over
them. The headers are believed once a manager has signed that record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge import token_keys
from gatekeeper.knowledge.copies import Copies, header
from gatekeeper.knowledge.store import FactStore
from schemas.codec import Unreadable, decode, encode
from schemas.events import Copy, Resolution, Signature, Staff
from schemas.record import Headers, Record
from schemas.topics import FACT_TOPICS, subject_key
from streams.client.outgoing import Outgoing
from streams.client.publisher import Publisher, transact
from streams.client.reader import Reader
from streams.client.signatory import Unsigned

LEFT_OUT = (Resolution, Staff, Signature, Copy)
"""Kinds of `reference` that name places, people or signatures of the former topics."""
AFTER_ALL_MS = 2**62
"""A time after every arrival, as the log's own is not known when a record is written."""
WINDOW = 1_000
"""Records under way at once."""


class Copying(NamedTuple):
    """A record to be copied: `arrived` is its first arrival in milliseconds, `headers` go along."""

    key: bytes
    value: bytes
    arrived: int
    headers: Headers


@dataclass(slots=True)
class Copied:
    """Result of a copy: the records by topic, the unreadable ones (topic/partition/offset), and the ranges to sign."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FACT_TOPICS, 0))
    unreadable: list[str] = field(default_factory=list)
    ranges: list[Copy] = field(default_factory=list)


def copy(old: Settings, new: Settings, *, taken: Callable[[], object] = lambda: None) -> Copied:
    """Copies all facts, and writes the records that a manager must sign; unreadable records are left out.

    `taken`: called for each record. Raises UsageError (2) if a fact topic of the new prefix has records. Raises
    IncompleteError (5) if Kafka did not acknowledge some. Then begin anew with another prefix.
    """
    done = Copied()
    with Reader(old) as source, Reader(new) as target:
        for topic in FACT_TOPICS:
            if any(target.ends(topic).values()):
                raise UsageError("error.copy_not_empty", topic=new.topic(topic))
        believed, written = _believed(source), Copies()
        for topic in FACT_TOPICS:
            readable = _readable(source, topic, believed, done, taken)
            with Publisher(new, topic, Unsigned()) as out:
                for window in _windows(_marked(topic, readable, len(target.partitions(topic)))):
                    if None in out.send(window):
                        raise IncompleteError("error.copy_incomplete", topic=new.topic(topic))
                    for record in window:
                        written.take(_as_written(record, done.counts[topic]))
                        done.counts[topic] += 1
    done.ranges = list(_ranges(written, old))
    records = [Outgoing("reference", f"copy/{span.id}".encode(), encode(span)) for span in done.ranges]
    if records:
        transact(new, records, signatory=Unsigned())
    return done


def _believed(source: Reader) -> FactStore:
    """The facts of the former topics, where those are copies themselves; else an empty store."""
    store = FactStore(source.settings.group, source.settings.founder)
    for record in source.read("reference"):
        store.apply(record)
    if store.copies.signed:
        for topic in FACT_TOPICS[:-1]:
            for record in source.read(topic):
                store.apply(record)
    return store


def _readable(
    source: Reader, topic: str, known: FactStore, done: Copied, taken: Callable[[], object]
) -> Iterator[Copying]:
    """Yields each record to be copied."""
    again = Copies()
    for record in source.read(topic):
        taken()
        stated = again.take(record)
        try:
            model = decode(topic, record.key, record.value)
        except Unreadable:
            done.unreadable.append(f"{topic}/{record.partition}/{record.offset}")
            continue
        if topic != "reference" or not isinstance(model, LEFT_OUT):
            first = stated if stated is not None and known.copies.believed((topic, record.partition)) else None
            key = record.key or subject_key(topic, model).encode()
            kept = tuple(pair for pair in record.headers if pair[0] == token_keys.HEADER)
            yield Copying(key, record.value or b"", record.timestamp if first is None else first, kept)


def _marked(topic: str, readable: Iterable[Copying], partitions: int) -> Iterator[Outgoing]:
    """Yields the copies with their headers; the last one of each partition is marked, and so comes at the end."""
    held = dict[int, Copying]()
    for copying in readable:
        number = partition_of(copying.key, partitions)
        if before := held.get(number):
            yield _outgoing(topic, number, before, last=False)
        held[number] = copying
    for number, copying in held.items():
        yield _outgoing(topic, number, copying, last=True)


def _outgoing(topic: str, number: int, copying: Copying, *, last: bool) -> Outgoing:
    return Outgoing(topic, copying.key, copying.value, number, (header(copying.arrived, last=last), *copying.headers))


def _windows(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    window = list[Outgoing]()
    for record in records:
        window.append(record)
        if len(window) == WINDOW:
            yield window
            window = []
    if window:
        yield window


def _as_written(record: Outgoing, offset: int) -> Record:
    return Record(record.topic, record.partition or 0, offset, AFTER_ALL_MS, record.key, record.value, record.headers)


def _ranges(written: Copies, old: Settings) -> Iterator[Copy]:
    """Yields the record to sign of each partition: about what was written, whatever else may stand there."""
    for (topic, partition), run in sorted(written.runs.items()):
        about = {"topic": topic, "partition": partition, "count": run.count, "sha256": run.sha256}
        yield Copy.model_validate({"v": 1, "kind": "copy", "id": f"{topic}-{partition}", "origin": old.prefix, **about})
