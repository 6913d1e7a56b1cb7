"""The fleet on Kafka: the workers' group and its notes, heads, waiting sends, the newest manifests, the seal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import monotonic, sleep, time
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from gatekeeper.audit.log import seal_status
from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, IntegrityError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.topic_ids import ABOUT, ORDER, REPLACED
from gatekeeper.management.fleet import AddedPartitions, ConsumerGroup, Fleet, InputPartition, LastWrite, Member, fleet
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.record import Record
from schemas.topics import DAY_MS, TOPICS
from streams.client import admin, progress
from streams.client.broker_access import REQUEST_MS, connection, reaching
from streams.client.reader import Reader

NEWEST_WITHIN = (20, 1_000)
"""Offsets before the end of a partition in which the newest manifest is searched; the second only if needed."""
AGAIN_SECONDS = 0.1
COUNTED_DAYS = 7
"""Days of manifests that are counted, as long as sends are kept. They are read while a person waits."""
NO_GROUP = "Dead"
"""Kafka's name for the state of a group that no member has ever joined, or that was deleted."""


def read(settings: Settings, reader: Reader) -> Fleet:
    """The fleet as it is now; the work depends on the number of partitions, not on their size.

    Raises as Reader does. Raises UsageError (2) also if the user may not describe the group. Raises IntegrityError
    (4) for a newest manifest that cannot be read.
    """
    at = int(time() * 1000)
    added = reader.added(TOPICS)
    more = tuple(AddedPartitions(topic, numbers, _held(reader, topic, numbers)) for topic, numbers in added.items())
    reader.pass_over(added)
    # heads before ends, or heads could be ahead of ends; manifests last, or a busy worker could seem silent
    spoilt: dict[int, IntegrityError] = {}
    heads = progress.read(reader, unreadable=spoilt)
    starts, ends = reader.starts("sends"), reader.ends("sends")
    group, notes = _group(settings, ends)
    # a worker need not have met them yet
    wrong = spoilt | _made_again(settings, reader, heads)
    refused = {number: Refused.of(error, since=at) for number, error in wrong.items()} | notes
    waiting = {
        number: _waiting_since(reader, number, heads[number].sends if number in heads else starts[number], end)
        for number, end in ends.items()
    }
    newest = {
        number: LastWrite(manifest(record).writer, record.timestamp)
        for number, record in newest_manifests(reader).items()
    }
    places = {
        number: InputPartition(
            starts[number], end, heads.get(number), waiting[number], newest.get(number), refused.get(number)
        )
        for number, end in ends.items()
    }
    session_ms = int(settings.session_timeout * 1000)
    return replace(fleet(group, places, at=at, session_ms=session_ms, seal=seal(settings)), added=more)


def _made_again(settings: Settings, reader: Reader, heads: Mapping[int, Head]) -> dict[int, IntegrityError]:
    """By partition, the refusal that its next worker finds because topics were made again.

    A topic that this user may not see is not compared.
    """
    ids, errors = admin.topic_ids(settings, ORDER), dict[int, IntegrityError]()
    for number, head in heads.items():
        again = head.made_again(ids)
        key = next((key for key, names in ABOUT.items() if not {*names}.isdisjoint(again)), None)
        if key is None:
            continue
        name, position = ("acts", head.acts) if key == REPLACED and "sends" not in again else ("sends", head.sends)
        where: dict[str, Any] = {"topic": settings.topic(name), "partition": number}
        if key == REPLACED:
            where |= {"position": position, "begin": reader.starts(name)[number], "end": reader.ends(name)[number]}
        errors[number] = IntegrityError(key, topics=", ".join(topic for topic in again if topic in ABOUT[key]), **where)
    return errors


def seal(settings: Settings) -> SealStatus | None:
    """The seal in the log's folder, None if there is no log here. Never raises: the seal names the error."""
    keys, files = Keys(settings.key_folder), AtomicStore(settings.log_folder)
    try:
        if not (log := keys.public("log")) and files.read(CHECKPOINT) is not None:
            raise UsageError("error.log_keyless", folder=settings.key_folder)
        return seal_status.read(files, log=log, witnesses=keys.public("witness"))
    except GatekeeperError as error:
        return SealStatus(error=error)


def manifest(record: Record) -> Manifest:
    """The manifest in this record; raises IntegrityError (4) with its place if it is unreadable."""
    try:
        content: Manifest = decode("manifests", None, record.value)
    except Unreadable as fault:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        raise IntegrityError("error.manifest_unreadable", place=place, fault=fault.fault) from None
    return content


def totals(reader: Reader, taken: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Sums of the manifests of the last COUNTED_DAYS: `counted_days`, `verdicts`, `outputs`, `misplaced`.

    `taken`: called for each manifest. Raises IntegrityError (4) for one that cannot be read.
    """
    verdicts, outputs, misplaced = Counter[str](), Counter[str](), 0
    for record in reader.read("manifests", since=int(time() * 1000) - COUNTED_DAYS * DAY_MS):
        content = manifest(record)
        verdicts.update(content.verdicts)
        outputs.update(content.out.model_dump())
        misplaced += content.misplaced
        taken()
    return {
        "counted_days": COUNTED_DAYS,
        "verdicts": dict(verdicts),
        "outputs": dict(outputs),
        "misplaced": misplaced,
    }


def signing(reader: Reader) -> set[str]:
    """The ids of the keys that signed the newest manifests."""
    return {manifest(record).kid for record in newest_manifests(reader).values()}


def refused(settings: Settings, partitions: Iterable[int]) -> dict[int, Refused]:
    """The refusals of partitions, by number, without those that go on."""
    return _group(settings, partitions)[1]


def _held(reader: Reader, topic: str, numbers: range) -> int:
    starts, ends = reader.starts(topic), reader.written(topic)
    return sum(ends[number] - starts[number] for number in numbers)


def _waiting_since(reader: Reader, partition: int, position: int, end: int) -> int | None:
    record = next(reader.between("sends", partition=partition, start=position, end=end), None)
    return record.timestamp if record else None


def newest_manifests(reader: Reader) -> dict[int, Record]:
    """The newest manifest of each partition that has one."""
    starts, ends = reader.starts("manifests"), reader.ends("manifests")
    wanted = {number for number, end in ends.items() if end > starts[number]}
    newest: dict[int, Record] = {}
    for last in NEWEST_WITHIN:
        newest = {record.partition: record for record in reader.read("manifests", last=last)}
        if newest.keys() >= wanted:
            break
    return newest


def _group(settings: Settings, partitions: Iterable[int]) -> tuple[ConsumerGroup, dict[int, Refused]]:
    """Describes the workers' group, and reads the refusals of partitions, by number.

    A new broker, or one that has just taken the group over, gets a few seconds to answer.
    """
    give_up, name = monotonic() + REQUEST_MS / 1000, settings.group
    ours = [TopicPartition(settings.topic("sends"), number) for number in partitions]
    with reaching(settings), KafkaAdminClient(**connection(settings)) as client:
        while True:
            try:
                description = client.describe_groups([name])[name]
                if not description["error"] or description["group_state"] == NO_GROUP:
                    members = (_member(row, settings.topic("sends")) for row in description["members"])
                    offsets = client.list_group_offsets({name: ours})[name]
                    notes = {tp.partition: Refused.decode(mirror.metadata) for tp, mirror in offsets.items()}
                    refused = {number: note for number, note in notes.items() if note}
                    return ConsumerGroup(description["group_state"], tuple(members)), refused
                # kafka-python keeps only the sentence
                error: KafkaError = CoordinatorNotAvailableError(description["error"])
            except KafkaError as raised:
                error = raised
            if not error.retriable or monotonic() > give_up:
                raise error
            sleep(AGAIN_SECONDS)


def _member(row: dict[str, Any], topic: str) -> Member:
    # not decoded if its form is unknown, and empty during a rebalance
    assignment = row["member_assignment"] if isinstance(row["member_assignment"], dict) else {}
    partitions = (
        number
        for assigned in assignment.get("assigned_partitions", ())
        if assigned["topic"] == topic
        for number in assigned["partitions"]
    )
    worker, host = row["group_instance_id"] or "", row["client_host"].removeprefix("/")
    return Member(worker, row["member_id"], host, tuple(sorted(partitions)))
