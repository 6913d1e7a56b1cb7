"""Kafka for the commands, writing: acknowledged by all in-sync replicas, singly or all in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from threading import Thread
from typing import Any, Self
from uuid import uuid4

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import IncompleteError
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from schemas.record import Headers
from schemas.topics import TOPICS
from streams.client import signatory as signatories
from streams.client.broker_access import REQUEST_MS, connection, forbidden, reaching
from streams.client.outgoing import Outgoing
from streams.client.reader import Reader
from streams.client.signatory import Signatory

DELIVERY_MS = 20_000
"""Milliseconds for an acknowledgement; within that time an idempotent producer survives a broker's restart."""
TRANSACTION_MS = 10_000
"""Milliseconds. A command killed in a transaction blocks the barrier for this time and the broker's check at most."""
WINDOW_RECORDS = 2_000
WINDOW_BYTES = 4 * 1024 * 1024
"""Bytes of a file that are under way at once; after a failure no more than this is uncertain."""

FromLine = tuple[int, bytes | None, bytes]
"""A record of a file: the number of its line, its key and its value."""


@dataclass(frozen=True, slots=True)
class RecordMetadata:
    """The place of a written record on a topic of the registry, as Kafka acknowledged it."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Window:
    """Result for a part of a file: the number of acknowledged records, and the line to continue from.

    `whole`: False if a record had no answer. `next_line` is then the line of that record, and nothing more was written.
    """

    acknowledged: int
    next_line: int
    whole: bool


class Publisher:
    """Writer to one topic outside of transactions; all in-sync replicas acknowledge each record, written once.

    Keyed records go to the partition of Kafka's murmur2, as with Java's producers. The order of a person's records and
    the recognition of duplicates depend on one partitioner for all.
    `signatory`: signs acts and reference data; None: the person whose key the settings name.
    """

    def __init__(self, settings: Settings, topic: str, signatory: Signatory | None = None) -> None:
        self._settings = settings
        self._topic = topic
        self._signatory = signatory or signatories.of(settings, {topic})

    def __enter__(self) -> Self:
        self._counts = _counts(self._settings, {self._topic})
        with reaching(self._settings):
            self._producer = _producer(self._settings, linger_ms=5, batch_size=256 * 1024)
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._producer)

    def write(
        self,
        records: Sequence[tuple[bytes | None, bytes]],
        partitions: Sequence[int] | None = None,
        *,
        headers: Headers = (),
    ) -> list[RecordMetadata | None]:
        """Writes records (key, value) and waits for the answers. The result has each place, None without an answer.

        `partitions`: the partition of each record, whatever its key. `headers`: of each record. A record without an
        answer may have been written.
        Raises UsageError (2) if the user may not write there, and nothing was written.
        """
        pairs = zip(records, partitions or repeat(None, len(records)), strict=True)
        return self.send([Outgoing(self._topic, key, value, partition, headers) for (key, value), partition in pairs])

    def send(self, outgoing: Sequence[Outgoing]) -> list[RecordMetadata | None]:
        """Writes records of this topic, with their headers; else as `write`."""
        signed, futures = self._signatory.sign(outgoing), list[Any]()
        with suppress(KafkaTimeoutError):
            for record in (*signed.records, *signed.behind):
                futures.append(_sent(self._producer, self._settings, record, self._counts))
            self._producer.flush(timeout=DELIVERY_MS / 1000 + 5)
        written = futures[: len(outgoing)]
        places = [_place(self._topic, future) if future.succeeded() else None for future in written]
        if futures and not any(places) and (lacking := forbidden(self._settings, futures[0].exception)):
            raise lacking
        return places + [None] * (len(outgoing) - len(places))

    def write_lines(self, records: Iterable[FromLine], *, headers: Headers = ()) -> Iterator[Window]:
        """Writes the records of a file, window by window, and yields each result; ends after one that is not whole.

        `headers`: of each record.
        """
        for window in _windows(records):
            places = self.write([(key, value) for _, key, value in window], headers=headers)
            whole = None not in places
            line = window[-1][0] + 1 if whole else window[places.index(None)][0]
            yield Window(sum(place is not None for place in places), line, whole)
            if not whole:
                return


def transact(
    settings: Settings, records: Sequence[Outgoing], *, name: str | None = None, signatory: Signatory | None = None
) -> list[RecordMetadata]:
    """Writes all records or none, in one transaction. The result is their places; a result means acknowledged.

    `signatory`: as for `Publisher`.
    `name`: the name for `settle`, in case the answer to the commit does not come. An older open transaction of that
    name is settled first. Raises UnavailableError (3) or UsageError (2) if nothing was written. Raises IncompleteError
    (5) if the answer to the commit did not come and the result is unknown.
    """
    topics = {record.topic for record in records}
    counts = _counts(settings, topics)
    signed = (signatory or signatories.of(settings, topics)).sign(records)
    with transactional(settings, _of_command(settings, name or uuid4().hex)) as producer:
        with reaching(settings):
            producer.begin_transaction()
            places = _written(producer, settings, [*signed.records, *signed.behind], counts)
        try:
            bounded(producer.commit_transaction)
        except KafkaError:
            raise IncompleteError("error.commit_unknown", broker=settings.bootstrap) from None
        return places[: len(records)]


def settle(settings: Settings, name: str) -> None:
    """Waits until the transaction of that name, if there was one, is committed or aborted for good.

    A client that still writes in it is fenced, and can no longer commit.
    """
    with transactional(settings, _of_command(settings, name)):
        pass


@contextmanager
def transactional(settings: Settings, id_: str) -> Iterator[Any]:
    """Yields a producer that holds this transactional id; its former holder can no longer commit."""
    with reaching(settings):
        producer = _producer(settings, transactional_id=id_, transaction_timeout_ms=TRANSACTION_MS)
    try:
        with reaching(settings):
            producer.init_transactions()
        yield producer
    finally:
        _close(producer)


def _of_command(settings: Settings, name: str) -> str:
    return f"{settings.application}-cli-{name}"


def _windows(records: Iterable[FromLine]) -> Iterator[list[FromLine]]:
    window: list[FromLine] = []
    size = 0
    for record in records:
        window.append(record)
        size += len(record[2])
        if len(window) >= WINDOW_RECORDS or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window


def _written(
    producer: Any, settings: Settings, records: Sequence[Outgoing], counts: Mapping[str, int]
) -> list[RecordMetadata]:
    try:
        futures = [_sent(producer, settings, record, counts) for record in records]
        producer.flush(timeout=TRANSACTION_MS / 1000)
        return [_place(record.topic, future) for record, future in zip(records, futures, strict=True)]
    except KafkaError:
        # if the abort does not arrive, the broker gives up by itself, and readers wait until then
        with suppress(KafkaError):
            bounded(producer.abort_transaction)
        raise


def _sent(producer: Any, settings: Settings, record: Outgoing, counts: Mapping[str, int]) -> Any:
    partition = record.partition
    if partition is None and record.topic in counts:
        partition = partition_of(record.value if record.key is None else record.key, counts[record.topic])
    return producer.send(
        settings.topic(record.topic),
        key=record.key,
        value=record.value,
        partition=partition,
        headers=list(record.headers),
    )


def _counts(settings: Settings, topics: Set[str]) -> dict[str, int]:
    """The number of partitions over which keys are spread, by topic; Kafka's own for topics that may have any number.

    A partition that somebody added does not count. Raises UsageError (2) for a missing topic: a producer would only
    wait for it until its time-out.
    """
    with Reader(settings) as reader:
        counts = {topic: len(reader.numbers(topic)) for topic in topics}
    return {topic: count for topic, count in counts.items() if TOPICS[topic].partitions != "any"}


def _producer(settings: Settings, **more: Any) -> Any:
    return KafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_block_ms=REQUEST_MS,
        delivery_timeout_ms=DELIVERY_MS,
        **more,
    )


def _place(topic: str, future: Any) -> RecordMetadata:
    metadata = future.get(timeout=0)
    return RecordMetadata(topic, metadata.partition, metadata.offset)


def _close(producer: Any) -> None:
    with suppress(KafkaError), interruption.held():
        producer.close(timeout=1)


def bounded(call: Callable[[], None]) -> None:
    """Runs a call without a time-out in kafka-python; raises KafkaTimeoutError if it does not end in time."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(TRANSACTION_MS / 1000)
    if thread.is_alive():
        raise KafkaTimeoutError("no answer")
    if failed:
        raise failed[0]
