"""Kafka for the commands, reading: synchronous and bounded, without a consumer group, committing no position.

A reader of the gate's topics must set `read_committed`, or it also gets the records of aborted transactions. Java,
kafka-python and aiokafka do not set it by default. `Reader` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Self

import kafka.consumer.fetcher
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.settings import Settings
from schemas.record import Record
from schemas.topics import FACT_TOPICS, added, beside, logical_name
from streams.client import answering, batches, broker_access
from streams.client.bounds import LogBounds
from streams.client.broker_access import connection, reaching
from streams.client.fetched_records import FetchedRecords, Search, StoredRecords
from streams.client.record_batch import Stored

batches.install(kafka.consumer.fetcher)

STALL_SECONDS = 15.0
"""Seconds without progress of a read, at most, before it is an error, not an answer."""

NEAR = 500
"""Distance of offsets up to which records are read in one pass."""

SETTLE_SECONDS = 30.0
"""Seconds; no transaction of the worker is open for longer."""


class Reader:
    """Reader of committed records of the registry's topics.

    Every method raises UnavailableError (3) without an answer, UsageError (2) if the topic is missing.
    """

    _parser: type[FetchedRecords] = FetchedRecords

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __enter__(self) -> Self:
        with reaching(self.settings):
            self._consumer = KafkaConsumer(
                **connection(self.settings) | {"kafka_client": self._client},
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                # every read starts at an offset asked just before; retention may overtake it
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                fetch_max_wait_ms=100,
                max_poll_records=2_000,
            )
        self._search = Search()
        self._consumer._fetcher.PartitionRecords = partial(self._parser, self._search)
        self._bounds = LogBounds(self.settings)
        self._listed = set[TopicPartition]()
        self._passed = dict[str, range]()
        return self

    def __exit__(self, *_: object) -> None:
        with interruption.held():
            self._bounds.close()
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _client(self, **configs: Any) -> KafkaNetClient:
        client, self._manager = answering.managed(**configs)
        return client

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic, in order."""
        name = self.settings.topic(topic)
        with reaching(self.settings):
            numbers = self._bounds.listed(name).get(name)
        if not numbers:
            key = "error.topic_unseen" if self.settings.sasl_username else "error.topic_missing"
            where = {"broker": self.settings.bootstrap, "user": self.settings.sasl_username}
            raise UsageError(key, topic=name, **where)
        passed = self._passed.get(topic, ())
        partitions = [TopicPartition(name, number) for number in numbers if number not in passed]
        self._listed.update(partitions)
        return partitions

    def added(self, topics: Iterable[str]) -> dict[str, range]:
        """The partitions that somebody added to topics of a fixed number, as `schemas.topics.added` tells them.

        `topics`: those to compare. One that is missing, or hidden from this user, is left out.
        """
        names = {self.settings.topic(topic): topic for topic in topics}
        with reaching(self.settings):
            listed = self._bounds.listed(*names)
        return added({names[name]: len(numbers) for name, numbers in listed.items()})

    def numbers(self, topic: str) -> list[int]:
        """The partitions of a topic that the worker writes or judges: all but those that somebody added."""
        gone = self.added({topic, *beside(topic)}).get(topic, ())
        return [tp.partition for tp in self.partitions(topic) if tp.partition not in gone]

    def pass_over(self, partitions: Mapping[str, range]) -> None:
        """Treats these partitions, by topic, as if they were not there; facts are read wherever they are."""
        self._passed = {topic: numbers for topic, numbers in partitions.items() if topic not in FACT_TOPICS}

    def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition for readers of committed records: the first offset not yet stable."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            ends = self._bounds.stable(partitions)
        return {tp.partition: ends[tp] for tp in partitions}

    def written(self, topic: str) -> dict[int, int]:
        """The end of each partition with the records of open transactions; `ends` passes it once those have ended."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            ends = self._bounds.ends(partitions)
        return {tp.partition: ends[tp] for tp in partitions}

    def starts(self, topic: str) -> dict[int, int]:
        """The first offset that each partition still keeps."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            starts = self._bounds.beginnings(partitions)
        return {tp.partition: starts[tp] for tp in partitions}

    def kept(self, topics: Iterable[str]) -> dict[tuple[str, int], tuple[int, int]]:
        """The first offset that each partition of these topics keeps, and its end for readers of committed records."""
        partitions = {(topic, tp.partition): tp for topic in topics for tp in self.partitions(topic)}
        with reaching(self.settings):
            starts, ends = self._bounds.kept([*partitions.values()])
        return {place: (starts[tp], ends[tp]) for place, tp in partitions.items()}

    def since(self, topic: str, at: int) -> dict[int, int]:
        """The first offset of each partition received at that time (milliseconds) or later, or its end."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            offsets = self._bounds.since(partitions, at)
        return {tp.partition: offsets[tp] for tp in partitions}

    def settled(self, topic: str) -> dict[int, int]:
        """An end of each partition below which no transaction is open, and above which everything begins after now.

        Raises IncompleteError (5) if a transaction stays open.
        """
        partitions = self.partitions(topic)
        give_up = monotonic() + SETTLE_SECONDS
        with reaching(self.settings):
            wanted = self._bounds.ends(partitions)
            while True:
                stable = self._bounds.stable(partitions)
                open_ = [tp for tp in partitions if stable[tp] < wanted[tp]]
                if not open_:
                    return {tp.partition: wanted[tp] for tp in partitions}
                if monotonic() > give_up:
                    raise IncompleteError("error.unsettled", topic=open_[0].topic, partition=open_[0].partition)
                interruption.wait(0.02)

    @property
    def connections(self) -> tuple[int, int]:
        """Changes whenever a connection is made anew, or a broker failed. Then it may be in an older state."""
        return self._manager.made, self._bounds.doubts

    def held(self, topic: str) -> list[tuple[str, int]]:
        """The partitions, by the broker's name and number, on which a transaction was open at this call."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            ends = self._bounds.ends(partitions)
            stable = self._bounds.stable(partitions)
        return [(tp.topic, tp.partition) for tp in partitions if stable[tp] < ends[tp]]

    def read(
        self,
        topic: str,
        *,
        last: int | None = None,
        since: int | None = None,
        behind: Mapping[int, int] | None = None,
        before: Mapping[int, int] | None = None,
        partition: int | None = None,
        containing: Collection[bytes] = (),
    ) -> Iterator[Record]:
        """Yields the records of `topic` up to its ends at this call, in order within a partition.

        `last`: only so many offsets before the end of each partition. `since`: only records that the broker received at
        that time (milliseconds) or later. `behind`: only from these offsets on, by partition. `before`: only up to
        these offsets (exclusive), and nothing of other partitions. `partition`: only this one. `containing`: only
        records with one of these in key, value or a header, and perhaps unreadable ones. A batch without any of them is
        not parsed.
        """
        partitions = [tp for tp in self.partitions(topic) if partition in (None, tp.partition)]
        with reaching(self.settings):
            starts, ends = self._bounds.kept(partitions)
        if last is not None:
            starts = {tp: max(start, ends[tp] - last) for tp, start in starts.items()}
        if since is not None:
            begun = self.since(topic, since)
            starts = {tp: max(start, min(begun[tp.partition], ends[tp])) for tp, start in starts.items()}
        if behind is not None:
            starts = {tp: max(start, behind.get(tp.partition, 0)) for tp, start in starts.items()}
        if before is not None:
            ends = {tp: min(end, before.get(tp.partition, 0)) for tp, end in ends.items()}
        yield from self._between(starts, ends, containing)

    def at(self, topic: str, *, partition: int, offset: int) -> Record | None:
        """The committed record at this place, None if there is none (any more)."""
        return next(self.between(topic, partition=partition, start=offset, end=offset + 1), None)

    def between(self, topic: str, *, partition: int, start: int, end: int) -> Iterator[Record]:
        """Yields the committed, kept records of one partition from `start` up to `end` (exclusive)."""
        tp = TopicPartition(self.settings.topic(topic), partition)
        if tp not in self._listed and tp not in self.partitions(topic):  # a partition that was there stays
            return
        with reaching(self.settings):
            starts, ends = self._bounds.kept([tp])
            start, end = max(start, starts[tp]), min(end, ends[tp])
        yield from self._between({tp: start}, {tp: end})

    def spans(self, wanted: Mapping[tuple[str, int], tuple[int, int]]) -> Iterator[Record]:
        """Yields the committed records of many logs, by topic and partition, from an offset up to another (exclusive).

        They must be within what is kept; the order is that within a partition.
        """
        partitions = {
            TopicPartition(self.settings.topic(topic), number): span for (topic, number), span in wanted.items()
        }
        starts = {tp: start for tp, (start, _) in partitions.items()}
        yield from self._between(starts, {tp: end for tp, (_, end) in partitions.items()})

    def some(self, topic: str, places: Iterable[tuple[int, int]]) -> Iterator[Record]:
        """Yields the committed, kept records at these places (partition and offset), in their order."""
        left = deque(sorted(set(places)))
        while left:
            partition, first = left[0]
            stretch: set[int] = set()
            # records close to each other are read in one pass, as a new seek takes about as long
            while left and left[0][0] == partition and left[0][1] - max(stretch, default=first) <= NEAR:
                stretch.add(left.popleft()[1])
            for record in self.between(topic, partition=partition, start=first, end=max(stretch) + 1):
                if record.offset in stretch:
                    yield record

    def follow(self, topic: str, *, from_beginning: bool) -> Iterator[Record]:
        """Yields the present records of `topic` (or none of them) and then those from this call on, without end."""
        partitions = self.partitions(topic)
        with reaching(self.settings):
            ask = self._bounds.beginnings if from_beginning else self._bounds.stable
            self._seek(ask(partitions))
        return (record for records in self._coming(partitions, STALL_SECONDS / 2) for record in records)

    def coming(self, topic: str, starts: Mapping[int, int], *, seconds: float) -> Iterator[list[Record]]:
        """Yields the records from these offsets on, without end; an empty list after `seconds` without a record."""
        return self.following({topic: starts}, seconds=seconds)

    def following(self, starts: Mapping[str, Mapping[int, int]], *, seconds: float) -> Iterator[list[Record]]:
        """Yields as `coming` does, for several topics at once, each in order within a partition."""
        partitions = {
            TopicPartition(self.settings.topic(topic), number): offset
            for topic, numbers in starts.items()
            for number, offset in numbers.items()
        }
        with reaching(self.settings):
            self._seek(partitions)
        return self._coming(list(partitions), seconds)

    def reached(self) -> dict[tuple[str, int], int]:
        """The next offset of each topic and partition that is followed; it passes commit markers too."""
        with reaching(self.settings):
            positions = {
                tp: self._consumer.position(tp, timeout_ms=broker_access.REQUEST_MS) or 0
                for tp in self._consumer.assignment()
            }
        return {(logical_name(tp.topic), tp.partition): offset for tp, offset in positions.items()}

    def _coming(self, partitions: list[TopicPartition], seconds: float) -> Iterator[list[Record]]:
        while True:
            with reaching(self.settings):
                fetched = self._consumer.poll(timeout_ms=int(seconds * 1000))
                if not fetched:
                    # a client that lost its broker waits for ever; this request tells a quiet topic from a lost broker
                    with suppress(KeyError):  # kafka-python leaves out a partition whose leader changes meanwhile
                        self._consumer.end_offsets(partitions)
            interruption.look()
            yield [record for records in fetched.values() for record in records]

    def _seek(self, starts: dict[Any, int], containing: Collection[bytes] = ()) -> None:
        self._search.wanted = containing
        self._consumer.assign(list(starts))
        self._consumer.resume(*starts)  # an earlier read paused the partitions that it had finished
        for tp, offset in starts.items():
            self._consumer.seek(tp, offset)

    def _between(
        self, starts: dict[Any, int], ends: dict[Any, int], containing: Collection[bytes] = ()
    ) -> Iterator[Record]:
        left = {tp for tp, start in starts.items() if start < ends[tp]}
        if not left:
            return
        positions = {tp: starts[tp] for tp in left}
        with reaching(self.settings):
            self._seek(positions, containing)
        moved_at = monotonic()
        while left:
            with reaching(self.settings):
                fetched = self._consumer.poll(timeout_ms=200)
            for tp, records in fetched.items():
                end = ends[tp]
                yield from (
                    records if records[-1].offset < end else (record for record in records if record.offset < end)
                )
            with reaching(self.settings):
                for tp in tuple(left):
                    # the position also passes commit markers, which are never handed out
                    reached = self._consumer.position(tp, timeout_ms=broker_access.REQUEST_MS) or positions[tp]
                    if reached > positions[tp]:
                        positions[tp], moved_at = reached, monotonic()
                    if reached >= ends[tp]:
                        left.discard(tp)
                        self._consumer.pause(tp)
                if monotonic() - moved_at > STALL_SECONDS:
                    raise KafkaTimeoutError("no progress")
            interruption.look()


class StoredReader(Reader):
    """Reader of committed records in the bytes in which the broker has them."""

    _parser = StoredRecords

    def stored(self, topic: str, *, partition: int, start: int, end: int) -> Iterator[Stored]:
        """Yields the records as `between` does; raises IntegrityError (4) for a batch that cannot be read."""
        records: Iterator[Any] = self.between(topic, partition=partition, start=start, end=end)
        yield from records
