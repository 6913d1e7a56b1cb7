"""Refused partitions on Kafka: the information for a person to let them go on, and the act that does so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import orjson

from gatekeeper.audit.checks.accounts import OWN
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.ground import interruption
from gatekeeper.ground.errors import IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.resumption import fingerprint
from gatekeeper.ledger.topic_ids import ORDER
from gatekeeper.management.refusal import InputTopic, KeptRange, ProposedSkip, Refusal
from gatekeeper.staff.message import milliseconds
from schemas.codec import Unreadable, decode, encode
from schemas.events import PartitionAct
from schemas.record import Record
from schemas.topics import logical_name, subject_key
from streams.client import admin, progress
from streams.client.fact_with_act import now
from streams.client.publisher import Publisher
from streams.client.reader import Reader
from streams.operations import endorsement, fleet

INPUTS: tuple[InputTopic, InputTopic] = ("sends", "acts")
NEWEST_WITHIN = (20, 1_000)
AGAIN_SECONDS = 0.25
CLOCKS_MS = 60_000
"""Milliseconds by which the clocks of two brokers may differ; each dates the records that it stores."""


@dataclass(frozen=True, slots=True)
class SkippedRecords:
    """Records that a skip would leave undecided, or have judged again, as far as Kafka still keeps them.

    `expired`: number of offsets that are gone. `records`: number of records that are there. `since`, `until`: times of
    the first and the last of those (milliseconds), None without any.
    """

    skip: ProposedSkip
    expired: int
    records: int
    since: int | None
    until: int | None


def read(settings: Settings, reader: Reader, number: int, note: Refused) -> Refusal:
    """The known state of a refused partition; raises as Reader does."""
    raw = progress.raw(reader, number)
    head = None
    if raw is not None:
        with suppress(IntegrityError):
            head = Head.decode(raw)
    logs = {name: KeptRange(reader.starts(name)[number], reader.ends(name)[number]) for name in INPUTS}
    fresh = _fresh(settings, reader, number, head, logs) if head is not None else {}
    return Refusal(number, note, head, raw, logs, _claimed(reader, number), fresh)


def lost(reader: Reader, number: int, skips: list[ProposedSkip]) -> list[SkippedRecords]:
    """The kept and expired records of each skip; reads the records that would be skipped, or judged again."""
    skipped = []
    for skip in skips:
        start, count, times = reader.starts(skip.topic)[number], 0, list[int]()
        first, last = sorted((skip.start, skip.to))
        for record in reader.between(skip.topic, partition=number, start=first, end=last):
            count += 1
            times = [times[0] if times else record.timestamp, record.timestamp]
        expired = max(0, min(start, skip.to) - skip.start)
        skipped.append(SkippedRecords(skip, expired, count, *(times or (None, None))))
    return skipped


def write(settings: Settings, act: PartitionAct) -> int:
    """Writes the act to its partition of `acts`. The result is its offset; UnavailableError (3) without an answer."""
    with Publisher(settings, "acts") as out:
        (place,) = out.write([(subject_key("acts", act).encode(), encode(act))], [act.partition])
    if place is None:
        raise UnavailableError("error.partition_unwritten", broker=settings.bootstrap, act=act.act_id)
    return place.offset


def demand_two(reader: Reader) -> None:
    """Raises UsageError (2) if fewer than two managers are registered, though somebody is."""
    log = endorsement.read(reader).log
    if log.roster.began is not None and len(managers := log.roster.managers(milliseconds(now()), None)) < 2:
        raise UsageError("error.partition_one_manager", managers=", ".join(managers) or "-")


def seconded(reader: Reader, act: PartitionAct) -> bool:
    """True if another person has written the same act; the worker checks both signatures."""
    fields = act.model_dump(include={"refused", "head", "sends", "acts", "subject"})
    for record in reader.read("acts", partition=act.partition):
        with suppress(Unreadable):
            other = decode("acts", record.key, record.value)
            same = isinstance(other, PartitionAct) and other.model_dump(include={*fields}) == fields
            if same and other.by.casefold() != act.by.casefold():
                return True
    return False


def gone_on(settings: Settings, reader: Reader, act: PartitionAct, *, seconds: float) -> bool:
    """True if the partition went on within `seconds`: it has another head, and no note any more."""
    give_up = monotonic() + seconds
    while True:
        raw = progress.raw(reader, act.partition)
        if (
            raw is not None
            and fingerprint(raw, act.refused) != act.head
            and act.partition not in fleet.refused(settings, [act.partition])
        ):
            return True
        if monotonic() > give_up:
            return False
        interruption.wait(AGAIN_SECONDS)


def _fresh(
    settings: Settings, reader: Reader, number: int, head: Head, logs: Mapping[InputTopic, KeptRange]
) -> dict[InputTopic, int]:
    """The inputs that have another log than the one that was read, each with the first offset to decide there."""
    again, firsts = head.made_again(admin.topic_ids(settings, ORDER)), dict[InputTopic, int]()
    back = progress.replaced(reader, number, head)
    for name, log in logs.items():
        if name in again:
            firsts[name] = log.start
        elif name in back:
            firsts[name] = _first_undecided(reader, number, name, log)
    return firsts


def _first_undecided(reader: Reader, number: int, topic: InputTopic, log: KeptRange) -> int:
    """The first offset of a log that no audit record names with its record's time; the log's end without one.

    A log that was put back is older up to there, and holds other records from there on.
    """
    kept = reader.between(topic, partition=number, start=log.start, end=log.end)
    times = {record.offset: record.timestamp for record in kept}
    if not times:
        return log.end
    left = dict(times)
    for record in reader.read("audit", since=min(times.values()) - CLOCKS_MS, partition=number):
        with suppress(*FOREIGN):
            audited = orjson.loads(record.value or b"")
            src, own = audited["src"], audited["stage"] in OWN[topic]
            if own and logical_name(src["topic"]) == topic and times.get(src["offset"]) == src["timestamp"]:
                left.pop(src["offset"], None)
    return min(left, default=log.end)


def _claimed(reader: Reader, number: int) -> dict[str, int]:
    """The next offsets of inputs according to the newest readable manifests of a partition."""
    offsets: dict[str, int] = {}
    for last in NEWEST_WITHIN:
        for record in _readable(reader.read("manifests", last=last, partition=number), number):
            offsets |= record
        if offsets.keys() >= set(INPUTS):
            break
    return offsets


def _readable(records: Iterator[Record], number: int) -> Iterator[dict[str, int]]:
    for record in records:
        with suppress(Unreadable):
            manifest = decode("manifests", None, record.value)
            if manifest.partition == number:
                yield {logical_name(stretch.topic): stretch.to for stretch in (*manifest.in_, *manifest.skipped)}
