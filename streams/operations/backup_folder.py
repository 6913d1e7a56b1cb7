"""The folder of a backup: its files, and the signed list of them, which is written last.

`backup.json` names each file with its SHA-256. `backup.note` is a signed note of C2SP over the SHA-256 of the list, by
the key of the role `backup`. A folder grows as `DIR.part`, and gets its name when it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Annotated, Literal

import orjson
from pydantic import Field, ValidationError

from gatekeeper.audit.log.atomic_store import sync
from gatekeeper.audit.tlog.notes import open_note
from gatekeeper.audit.tlog.signing import signed
from gatekeeper.errors import IntegrityError, UnavailableError, UsageError
from gatekeeper.keys import Key, Keys
from gatekeeper.ledger.head import Head
from gatekeeper.times import instant
from schemas.audit import Mode
from schemas.values import Count, Digest, Instant, Model
from streams.client.log_image import Readable

LIST, NOTE = "backup.json", "backup.note"
FORM = 1
"""The version of this form."""
STOPS = ("consents", "suppressions")
"""Topics of which a record may stop a piece."""
_PIECE = 2**20

Told = Callable[[int, int], object]
"""Takes how many offsets or records are done, and how many there are."""


class StoredFile(Model):
    """A file of the backup: its path there, its SHA-256 and its size in bytes."""

    path: Annotated[str, Field(pattern=r"^(topics|log|settings)(/[A-Za-z0-9_][A-Za-z0-9._\-]*)+$")]
    sha256: Digest
    bytes: Count


class StoredLog(Model):
    """A log: topic (registry name), partition, first offset, end, number of records and time of the newest (ms).

    `file`: its image, None where the log is empty.
    """

    topic: str
    partition: Count
    start: Count
    end: Count
    records: Count
    newest: int
    file: StoredFile | None


class StoredPosition(Model):
    """The next offset of a consumer group on one partition, with the group's note."""

    group: str
    topic: str
    partition: Count
    offset: Count
    note: str


class NamedKey(Model):
    """A key that the system had: role, number, and the SHA-256 of the public half. No secret is in a backup.

    `mark`: the fingerprint of a key that signs nothing.
    """

    role: str
    number: Count
    sha256: Digest | None
    mark: str | None = None


class Backup(Model):
    """The list of a backup. `begun`, `ended`: the times between which it was made.

    `files`: copies of the sealed log and of files that settings name; `settings`: those settings, by path.
    """

    v: Literal[1]
    group: str
    prefix: str
    partitions: Count
    mode: Mode
    begun: Instant
    ended: Instant
    logs: tuple[StoredLog, ...]
    files: tuple[StoredFile, ...]
    settings: dict[str, str]
    positions: tuple[StoredPosition, ...]
    keys: tuple[NamedKey, ...]

    @property
    def records(self) -> int:
        """The number of records of all logs."""
        return sum(log.records for log in self.logs)

    @property
    def since(self) -> str:
        """From when on withdrawals and stops may be missing: by the clocks of the brokers, and not after `begun`."""
        newest = [max(log.newest for log in self.logs if log.topic == topic) for topic in STOPS if self._has(topic)]
        return min([instant(at) for at in newest if at >= 0] + [self.begun])

    def _has(self, topic: str) -> bool:
        return any(log.topic == topic for log in self.logs)

    @property
    def newest(self) -> int:
        """The broker's time of the newest record, in milliseconds; -1 without one."""
        return max((log.newest for log in self.logs), default=-1)


def named(keys: Keys, heads: Iterable[Head]) -> list[NamedKey]:
    """The keys of this machine and those that workers used, as heads of the ledger name them."""
    found = {(one.role, one.number): one for one in map(_named, keys.known())}
    for head in heads:
        for role, marks in (("master", head.masters), ("token", head.tokens)):
            for number, mark in marks.items():
                found[role, int(number)] = NamedKey(role=role, number=int(number), sha256=None, mark=mark)
    return [found[place] for place in sorted(found)]


def missing(backup: Backup, keys: Keys) -> list[str]:
    """The keys of the backup that are not here, as ROLE-N; raises UsageError (2) if one here is another key."""
    here, gone = {(one.role, one.number): _named(one) for one in keys.known()}, []
    for one in backup.keys:
        name, ours = f"{one.role}-{one.number}", here.get((one.role, one.number))
        if ours is None:
            gone.append(name)
        elif (one.mark and ours.mark and one.mark != ours.mark) or (one.sha256 and one.sha256 != ours.sha256):
            raise UsageError("error.backup_key_differs", name=name, folder=keys.folder)
    return gone


def _named(key: Key) -> NamedKey:
    half = sha256(key.verifier.encode()).hexdigest() if key.verifier else None
    return NamedKey(role=key.role, number=key.number, sha256=half, mark=key.mark)


@contextmanager
def growing(out: Path) -> Iterator[Path]:
    """Yields `OUT.part`, for its owner alone; it takes its name once the block is done.

    Raises UsageError (2) if one of both is there already, UnavailableError (3) if the disk refuses.
    """
    part = out.with_name(f"{out.name}.part")
    with disk(out):
        for folder in (out, part):
            if folder.exists() or folder.is_symlink():
                raise UsageError("error.backup_there", folder=folder)
        part.mkdir(mode=0o700, parents=True)
        yield part
        for place, _, names in os.walk(part):
            for name in names:
                sync(Path(place, name))
            sync(Path(place))
        part.rename(out)
        sync(out.absolute().parent)


class HashingFile:
    """A new file below a backup, hashed while it is written."""

    def __init__(self, part: Path, path: str) -> None:
        self._path, self._hash, self._bytes = path, sha256(), 0
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        self._file = (part / path).open("wb")

    def write(self, data: bytes) -> int:
        """Adds bytes."""
        self._hash.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def close(self) -> StoredFile:
        """The finished file."""
        self._file.close()
        return StoredFile(path=self._path, sha256=self._hash.hexdigest(), bytes=self._bytes)


def copied(source: Path, part: Path, path: str) -> StoredFile:
    """A copy of a file, as a file of the backup."""
    with source.open("rb") as read:
        file = HashingFile(part, path)
        for piece in _pieces(read):
            file.write(piece)
    return file.close()


def seal(part: Path, backup: Backup, keys: Keys) -> None:
    """Writes the list and its signature; raises UsageError (2) without a key of the role `backup`."""
    raw = orjson.dumps(backup.model_dump(mode="json"), option=orjson.OPT_INDENT_2) + b"\n"
    (part / LIST).write_bytes(raw)
    (part / NOTE).write_text(signed(_text(backup.group, raw), keys.signer("backup")), "utf-8")


def opened(folder: Path, keys: Keys, *, group: str) -> Backup:
    """The list of a backup, whose signature is good.

    Raises UsageError (2) if the folder is no whole backup, of another system, or no public key is there. Raises
    IntegrityError (4) if no known key signed the list, or it has another form.
    """
    try:
        raw, note = (folder / LIST).read_bytes(), open_note((folder / NOTE).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError("error.backup_missing", folder=folder, name=NOTE) from None
    except (OSError, ValueError):
        raise IntegrityError("error.backup_damaged", file=NOTE, place=0) from None
    known = keys.public("backup")
    if not known:
        raise UsageError("error.key_missing", role="backup", folder=keys.folder)
    if not any(note.signed(key) for key in known):
        raise IntegrityError("error.backup_unsigned", folder=folder, keys=keys.folder)
    try:
        said = orjson.loads(raw)
        if said["v"] != FORM:
            raise IntegrityError("error.backup_form", folder=folder, found=said["v"], known=FORM)
        found = Backup.model_validate_json(raw)
    except (ValueError, LookupError, TypeError, ValidationError):
        raise IntegrityError("error.backup_damaged", file=LIST, place=0) from None
    if note.body != _text(found.group, raw):
        raise IntegrityError("error.backup_damaged", file=LIST, place=0)
    if found.group != group:
        raise UsageError("error.backup_other", folder=folder, found=found.group, wanted=group)
    return found


def demand_whole(folder: Path, file: StoredFile) -> None:
    """Raises IntegrityError (4) unless the file is there, byte for byte."""
    with whole(folder, file) as read:
        for _ in _pieces(read):
            pass


class HashedReader:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, empty at the end."""
        found = self._file.read(size)
        self._hash.update(found)
        return found

    def sha256(self) -> str:
        """The SHA-256 of what was read."""
        return self._hash.hexdigest()


@contextmanager
def whole(folder: Path, file: StoredFile) -> Iterator[HashedReader]:
    """Yields a file of the backup, to be read to its end.

    Raises IntegrityError (4) if it is missing, or if what was read is not what the list says.
    """
    try:
        opened_ = (folder / file.path).open("rb")
    except OSError:
        raise IntegrityError("error.backup_file_missing", folder=folder, file=file.path) from None
    with opened_:
        read = HashedReader(opened_)
        yield read
        if read.sha256() != file.sha256:
            raise IntegrityError("error.backup_differs", folder=folder, file=file.path)


@contextmanager
def disk(file: Path) -> Iterator[None]:
    """Turns a disk's error in the block into UnavailableError (3), which names the file."""
    try:
        yield
    except OSError as error:
        raise UnavailableError("error.disk", path=error.filename or file, detail=error) from None


def _text(group: str, raw: bytes) -> str:
    return f"gate-backup/1\n{group}\n{sha256(raw).hexdigest()}\n"


def _pieces(file: Readable) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
