"""Writes a backup into empty topics: each record at the partition, offset and time that it had.

The topics keep the times of who writes them until all is there. A mark on each topic keeps the gate shut meanwhile, and
until a person opens it. docs/adr/0065-backup.md.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.ground import interruption
from gatekeeper.ground.atomic_store import sync
from gatekeeper.ground.errors import IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from schemas.topics import FACT_TOPICS, TOPICS
from streams.backup import feeds, group_positions
from streams.backup.feeds import Feed, FeedAnswer
from streams.backup.folder import Told, demand_whole, disk, whole
from streams.backup.group_positions import GroupPosition
from streams.backup.keys import missing
from streams.backup.list import Backup, StoredFile, StoredLog, opened
from streams.backup.log_image import Frame, frames
from streams.backup.log_rewriter import LogRewriter
from streams.client import admin, topic_settings
from streams.client.admin import Difference
from streams.client.connection import reached
from streams.client.reader import Reader
from streams.client.restore_mark import OPEN, RESTORING, SETTING, SHUT

TIMES = "message.timestamp.type"
"""The setting of a topic by which the broker keeps a record's time, or takes its own."""
BEGUN = {TIMES: "CreateTime", SETTING: RESTORING}
"""The settings under which records are written back."""
AT_ONCE = 64
"""Logs that are written side by side."""
REQUEST_BYTES = 16 * 2**20
"""Bytes that are under way at once."""
PIECE = 500_000
"""Offsets without a record that one transaction takes up, at most; it must end in time."""
TRANSACTION_SECONDS = 60.0
REQUEST_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Restored:
    """Result of a restore: the backup's list, files that were there and stay, and keys that are not here (ROLE-N).

    `differences`: between the topics and the registry, but for the one that keeps workers from starting. `feeds`: to be
    asked for what came after the backup, none if the gate is open.
    """

    backup: Backup
    kept: tuple[str, ...]
    keys: tuple[str, ...]
    differences: tuple[Difference, ...]
    feeds: tuple[Feed, ...] = ()


def check(settings: Settings, folder: Path, *, told: Told = lambda done, total: None) -> Backup:
    """The list of a backup that is whole and that these settings fit; writes nothing.

    Raises IntegrityError (4) with file and place if something is damaged, missing or unsigned. Raises UsageError (2)
    for a backup of another system, or if settings or a key differ from it. A sealed log that is there is refused, too.
    So are members at work in its groups, before a byte is read. Raises UnavailableError (3) without a broker.
    """
    backup = opened(folder, Keys(settings.key_folder), group=settings.group)
    for name, ours, theirs in (
        ("GATEKEEPER_PARTITIONS", settings.partitions, backup.partitions),
        ("GATEKEEPER_MODE", settings.mode, backup.mode),
    ):
        if ours != theirs:
            raise UsageError("error.backup_setting", name=name, found=ours, wanted=theirs)
    missing(backup, Keys(settings.key_folder))
    _log_files(settings, backup)
    _demand_idle(settings, backup)
    done = 0
    for log in backup.logs:
        if log.file:
            for frame in _frames(folder, log):
                if not log.start <= frame.base < frame.end <= log.end:
                    raise IntegrityError("error.backup_differs", folder=folder, file=log.file.path)
                told(done := done + frame.end - frame.base, backup.records)
    for file in backup.files:
        demand_whole(folder, file)
    return backup


def restore(settings: Settings, folder: Path, *, shut: bool, told: Told = lambda done, total: None) -> Restored:
    """Writes a backup back, which `check` has found whole, into topics without any record.

    `shut`: no worker starts until `open_gate`. Raises UsageError (2) if a topic has records. So it does while workers
    or readers in the backup's groups are at work. Raises IncompleteError (5) if somebody else wrote meanwhile, and
    UnavailableError (3) without broker or disk. After an error while it writes delete the topics, and begin anew.
    Raises IntegrityError (4) if a file has changed since `check`.
    """
    backup = opened(folder, Keys(settings.key_folder), group=settings.group)
    _prepare(settings, backup)
    try:
        with interruption.held():  # a signal is looked for between two writes
            asyncio.run(_rewritten(settings, folder, backup, told))
        kept = tuple(_files(settings, folder, backup))
    except (KafkaError, OSError) as error:
        detail = type(error).__name__
        raise UnavailableError("error.broker_unreachable", broker=settings.bootstrap, detail=detail) from None
    except IntegrityError as error:  # `check` has read it whole
        raise IntegrityError("error.backup_changed", file=error.values["file"]) from None
    _demand_ends(settings, backup)
    admin.forget(settings, {(log.topic, log.partition): log.start for log in backup.logs if log.start})
    group_positions.commit(settings, (GroupPosition(**position.model_dump()) for position in backup.positions))
    topic_settings.alter(settings, TOPICS, {TIMES: "LogAppendTime", SETTING: SHUT})
    backup_feeds = list[Feed]()
    if shut:
        with Reader(settings) as reader:
            backup_feeds = feeds.found(reader, backup)
    else:
        topic_settings.alter(settings, TOPICS, {SETTING: OPEN})
    gone = missing(backup, Keys(settings.key_folder))
    differences = (difference for difference in admin.verify(settings) if difference.aspect != "shut")
    return Restored(backup, kept, tuple(gone), tuple(differences), tuple(backup_feeds))


def open_gate(
    settings: Settings,
    folder: Path,
    answers: Collection[FeedAnswer] = (),
    *,
    taken: Callable[[], object] = lambda: None,
) -> tuple[Backup, list[Feed]]:
    """Takes the mark of a whole restore away: workers start, and the service answers.

    `answers`: for the feeds that gave what they stated since the backup. For each other one a gap withholds the mail of
    its companies. `taken`: called for each fact that is read.
    Raises UsageError (2) if the restore did not end, or the gate is open. So it does for an answer of no feed. Raises
    IncompleteError (5) if a topic lacks records of the backup.
    """
    backup, differences = opened(folder, Keys(settings.key_folder), group=settings.group), admin.verify(settings)
    if half := [difference.topic for difference in differences if difference.aspect == "restoring"]:
        raise UsageError("error.topic_restoring_differs", topic=half[0])
    if not any(difference.aspect == "shut" for difference in differences):
        raise UsageError("error.restore_is_open")
    wanted = {(log.topic, log.partition): log.end for log in backup.logs}
    with Reader(settings) as reader:
        ends = {(name, number): end for name in TOPICS for number, end in reader.written(name).items()}
        for (name, number), end in wanted.items():
            if ends.get((name, number), 0) < end:
                where = {"topic": settings.topic(name), "partition": number, "offset": ends.get((name, number), 0)}
                raise IncompleteError("error.restore_short", folder=folder, wanted=end, **where)
        backup_feeds = feeds.found(reader, backup, taken)
        feeds.answer(backup_feeds, answers)
        feeds.state(settings, reader, backup, backup_feeds)
    topic_settings.alter(settings, TOPICS, {SETTING: OPEN})
    return backup, backup_feeds


def _demand_idle(settings: Settings, backup: Backup) -> None:
    """Refuses groups with members: their positions could not be set at the end, and they do not see the mark."""
    groups = {settings.group, *(position.group for position in backup.positions)}
    if busy := group_positions.at_work(settings, groups):
        raise UsageError("error.restore_at_work", groups=", ".join(busy))


def _prepare(settings: Settings, backup: Backup) -> None:
    numbers = {name: len([log for log in backup.logs if log.topic == name]) for name in TOPICS}
    numbers["asked"] = numbers["asked"] or settings.partitions  # no backup of before 0.4.0 has it
    absent = {difference.topic for difference in admin.verify(settings) if difference.aspect == "missing"}
    _demand_empty(settings, {name: n for name, n in numbers.items() if settings.topic(name) not in absent})
    _demand_idle(settings, backup)  # again, as the check takes long
    admin.create(settings, partitions={name: numbers[name] for name in FACT_TOPICS}, configs=BEGUN)
    _demand_empty(settings, numbers)
    topic_settings.alter(settings, TOPICS, BEGUN)  # of topics that were there, empty


def _demand_empty(settings: Settings, numbers: Mapping[str, int]) -> None:
    """Raises UsageError (2) for a topic with records, or without that number of partitions; marks nothing."""
    with Reader(settings) as reader:
        for name, number in numbers.items():
            written = reader.written(name)
            if any(written.values()):
                raise UsageError("error.restore_not_empty", topic=settings.topic(name))
            if len(written) != number:
                raise UsageError("error.restore_partitions", topic=settings.topic(name), wanted=number)


def _demand_ends(settings: Settings, backup: Backup) -> None:
    wanted = {(log.topic, log.partition): log.end for log in backup.logs}
    with Reader(settings) as reader:
        for name in TOPICS:
            for number, end in reader.settled(name).items():
                if end != wanted.get((name, number), 0):
                    where = {"topic": settings.topic(name), "partition": number, "offset": end}
                    raise IncompleteError("error.restore_disturbed", **where)


async def _rewritten(settings: Settings, folder: Path, backup: Backup, told: Told) -> None:
    client = AIOKafkaClient(**reached(settings), request_timeout_ms=int(REQUEST_SECONDS * 1000))
    rewriter = LogRewriter(
        client,
        f"{settings.application}-cli-restore",
        [settings.topic(name) for name in TOPICS],
        timeout=TRANSACTION_SECONDS,
        request=REQUEST_SECONDS,
    )
    done, left = 0, [log for log in backup.logs if log.end]
    facts = [log for log in left if log.topic in FACT_TOPICS]
    try:
        await rewriter.start()
        for logs in (iter(facts), iter([log for log in left if log not in facts])):  # no decision without its facts
            while some := list(islice(logs, AT_ONCE)):
                parts = {TopicPartition(settings.topic(log.topic), log.partition): log for log in some}
                async for count in _side_by_side(rewriter, folder, parts):
                    told(done := done + count, backup.records)
                    interruption.look()
    finally:
        await rewriter.stop()


async def _side_by_side(
    rewriter: LogRewriter, folder: Path, logs: Mapping[TopicPartition, StoredLog]
) -> AsyncIterator[int]:
    """Writes logs, and yields how many records were written: all batches that are next, else all gaps before them."""
    left = {tp: _frames(folder, log) for tp, log in logs.items()}
    ahead = {tp: next(frames_, None) for tp, frames_ in left.items()}
    at = dict.fromkeys(logs, 0)
    while True:
        ready = {tp: frame for tp, frame in ahead.items() if frame and frame.base == at[tp]}
        if ready:
            for wave in _waves(ready):
                await rewriter.write(wave)
                for tp, frame in wave.items():
                    at[tp], ahead[tp] = frame.end, next(left[tp], None)
                yield sum(frame.end - frame.base for frame in wave.values())
            continue
        gaps = {
            tp: ((frame.base if frame else logs[tp].end) - at[tp], frame.newest if frame else max(0, logs[tp].newest))
            for tp, frame in ahead.items()
        }
        gaps = {tp: gap for tp, gap in gaps.items() if gap[0]}
        if not gaps:
            return
        share = max(1, PIECE // len(gaps))
        gaps = {tp: (min(count, share), at_) for tp, (count, at_) in gaps.items()}
        await rewriter.skip(gaps)
        for tp, (count, _) in gaps.items():
            at[tp] += count
        yield 0


def _waves(ready: dict[TopicPartition, Frame]) -> Iterator[dict[TopicPartition, Frame]]:
    wave, size = dict[TopicPartition, Frame](), 0
    for tp, frame in ready.items():
        if wave and size + len(frame.raw) > REQUEST_BYTES:
            yield wave
            wave, size = {}, 0
        wave[tp] = frame
        size += len(frame.raw)
    yield wave


def _frames(folder: Path, log: StoredLog) -> Iterator[Frame]:
    """Yields the batches of a log; raises IntegrityError (4) at the end if the list has another file."""
    if log.file is None:
        return
    with whole(folder, log.file) as file:
        yield from frames(file, log.file.path)


def _log_files(settings: Settings, backup: Backup) -> dict[StoredFile, Path]:
    """The places of the sealed log's files, the checkpoint last: a folder without it is no log.

    Raises UsageError (2) if the folder is not empty.
    """
    files = [file for file in backup.files if file.path.startswith("log/")]
    with disk(settings.log_folder):
        if files and settings.log_folder.is_dir() and any(settings.log_folder.iterdir()):
            raise UsageError("error.restore_log_there", folder=settings.log_folder)
    files.sort(key=lambda file: file.path == f"log/{CHECKPOINT}")
    return {file: settings.log_folder / file.path.removeprefix("log/") for file in files}


def _files(settings: Settings, folder: Path, backup: Backup) -> Iterable[str]:
    """Puts the sealed log and the files of settings in their places; yields each file of settings that was there."""
    wanted = _log_files(settings, backup)
    for file in backup.files:
        target = Path(getattr(settings, file.path.removeprefix("settings/"), "") or "")
        if file.path in backup.settings and target.name and target.exists():
            yield str(target)
        elif file.path in backup.settings and target.name:
            wanted[file] = target
    for file, target in wanted.items():
        part = target.with_name(f"{target.name}.part")
        with disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(folder, file) as source, part.open("wb") as copy:
                part.chmod(0o600 if file.path in backup.settings else 0o644)
                shutil.copyfileobj(source, copy)
            sync(part)
            part.rename(target)
            sync(target.parent)
