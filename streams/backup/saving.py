"""Writes all that must survive a lost cluster into a folder: every log, the sealed log, and files of settings.

Each log is kept as it is: partition, offset, broker's time, key, value and headers, byte for byte. Of the compacted
logs only the order is kept. Secret keys are named, and never copied. docs/adr/0065-backup.md.
"""

from __future__ import annotations

from pathlib import Path
from time import time

from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.ground.errors import IncompleteError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import HEAD, Head
from schemas.topics import TOPICS
from streams.backup.cut import ORDER, BackupCut, decoded
from streams.backup.folder import HashingFile, Told, copied, growing
from streams.backup.group_positions import positions
from streams.backup.keys import named
from streams.backup.list import Backup, StoredFile, StoredLog, StoredPosition, seal
from streams.backup.log_image import ImageWriter
from streams.client.reader import Reader, StoredReader

NAMED = ("console_users", "console_provider", "serve_callers", "webhooks")
"""Settings that name a file without which people and programs cannot sign in; secrets that such a file names stay."""
DEAD = b"dead/"
"""The beginning of the ledger's keys for unreadable facts that have their dead letter."""
LOOKS = 50
"""Attempts to copy the sealed log while its sealer writes; each costs only what is new."""


def take(settings: Settings, out: Path, *, told: Told = lambda done, total: None) -> Backup:
    """Writes a backup into the new folder `out`; workers and writers may go on meanwhile.

    `told`: called now and then. Raises UsageError (2) if the folder exists, or without a key of the role `backup`.
    Raises UnavailableError (3) without broker or disk. Raises IncompleteError (5) if somebody keeps a transaction open,
    and IntegrityError (4) if a broker cannot read its own log.
    """
    keys = Keys(settings.key_folder)
    keys.signer("backup")  # without a key nothing is written
    keys.demand_group(settings.group, "backup")
    with growing(out) as part:
        begun = _now()
        # positions are older than the logs' ends, and the sealed log has no leaf that `manifests` lacks
        committed = [
            StoredPosition(**position._asdict()) for position in positions(settings) if TOPICS[position.topic].keep_ms
        ]
        files = _sealed_log(settings.log_folder, part)
        paths = {name: path for name in NAMED if (path := getattr(settings, name))}
        files += [copied(Path(path), part, f"settings/{name}") for name, path in paths.items()]
        with Reader(settings) as reader, StoredReader(settings) as stored:
            reader.pass_over(reader.added(TOPICS))
            logs, heads = _Logs(reader, stored, part, told).all()
        ends = {(log.topic, log.partition): log.end for log in logs}
        backup = Backup(
            v=1,
            group=settings.group,
            prefix=settings.prefix,
            partitions=settings.partitions,
            mode=settings.mode,
            begun=instant(begun),
            ended=instant(_now()),
            logs=tuple(logs),
            files=tuple(files),
            settings={f"settings/{name}": path for name, path in paths.items()},
            positions=tuple(_within(position, ends) for position in committed),
            keys=tuple(named(keys, heads)),
        )
        seal(part, backup, keys)
    return backup


class _Logs:
    """The logs of a system, cut at one transaction for each partition and written one after another."""

    def __init__(self, reader: Reader, stored: StoredReader, part: Path, told: Told) -> None:
        self._reader, self._stored, self._part, self._told = reader, stored, part, told
        self._cut = BackupCut(reader)
        self._starts = {topic: reader.starts(topic) for topic in ORDER}
        self._heads: dict[int, bytes] = {}
        self._dead = set[str]()
        self._done = 0

    def all(self) -> tuple[list[StoredLog], list[Head]]:
        """Writes every log, the ledger first: its heads tell where the others end. The heads are handed out, too."""
        ledgers = [self._written("ledger", partition) for partition in self._cut.ends["ledger"]]
        self._cut.behind(self._heads, self._dead)
        others = [(topic, number) for topic in ORDER if topic != "ledger" for number in self._cut.ends[topic]]
        logs = [*ledgers, *(self._written(topic, number) for topic, number in others)]
        return logs, [head for raw in self._heads.values() if (head := decoded(raw))]

    def _written(self, topic: str, partition: int) -> StoredLog:
        gapless = TOPICS[topic].keep_ms is None
        start, end = self._starts[topic][partition], self._cut.ends[topic][partition]
        file = HashingFile(self._part, f"topics/{topic}/{partition}.log")
        image = ImageWriter(file, "gzip" if TOPICS[topic].compression == "gzip" else "zstd", gapless=gapless)
        for record in self._stored.stored(topic, partition=partition, start=start, end=end):
            image.add(record)
            if topic == "ledger" and record.key == HEAD and (value := record.value) is not None:
                self._heads[partition] = value
            elif topic == "ledger" and record.key and record.key.startswith(DEAD):
                self._dead.add(record.key.removeprefix(DEAD).decode("utf-8", "replace"))
            if not image.records % 1_000:
                self._told(self._done + record.offset - start, self._total())
        image.flush()
        whole = file.close()
        self._done += max(0, end - start)
        self._told(self._done, self._total())
        return StoredLog(
            topic=topic,
            partition=partition,
            start=0 if gapless else min(start, end),
            end=image.end if gapless else end,
            records=image.records,
            newest=image.newest,
            file=whole if image.records else None,
        )

    def _total(self) -> int:
        spans = (end - self._starts[topic][number] for topic in ORDER for number, end in self._cut.ends[topic].items())
        return sum(max(0, span) for span in spans)


def _sealed_log(folder: Path, part: Path) -> list[StoredFile]:
    """A copy of the sealed log at one checkpoint; raises IncompleteError (5) if it never stands still."""
    copies: dict[str, StoredFile] = {}
    for _ in range(LOOKS):
        before = _checkpoint(folder)
        for name in [name for name in copies if not _lasting(name)]:
            (part / copies.pop(name).path).unlink()
        try:
            for file in sorted(folder.rglob("*")) if before else ():
                name = file.relative_to(folder).as_posix()
                if name not in copies and "/." not in f"/{name}" and file.is_file() and not file.is_symlink():
                    copies[name] = copied(file, part, f"log/{name}")
        except FileNotFoundError:
            continue  # the sealer tidied up
        if _checkpoint(folder) == before:
            return list(copies.values())
    raise IncompleteError("error.backup_log_moves", folder=folder)


def _lasting(name: str) -> bool:
    """True for a file of the sealed log that never changes: a whole tile."""
    return name.startswith("tile/") and ".p/" not in name


def _checkpoint(folder: Path) -> bytes:
    file = folder / CHECKPOINT
    return file.read_bytes() if file.is_file() else b""


def _within(position: StoredPosition, ends: dict[tuple[str, int], int]) -> StoredPosition:
    """The position, at most at the end of its log; the sealer's counts leaves, and stays."""
    if position.group.endswith(".sealer"):
        return position
    return position.model_copy(
        update={"offset": min(position.offset, ends.get((position.topic, position.partition), position.offset))}
    )


def _now() -> int:
    return int(time() * 1000)
