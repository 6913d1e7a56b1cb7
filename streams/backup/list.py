"""The signed list of a backup: what the folder holds, and what the system had.

`backup.json` names each file with its SHA-256. `backup.note` is a signed note of C2SP over the SHA-256 of the list, by
the key of the role `backup`.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field, ValidationError

from gatekeeper.audit.tlog.notes import open_note
from gatekeeper.audit.tlog.signing import signed
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from schemas.audit import Mode
from schemas.values import Count, Digest, Instant, Model

LIST, NOTE = "backup.json", "backup.note"
FORM = 1
"""The version of this form."""
STOPS = ("consents", "suppressions")
"""Topics of which a record may stop a piece."""


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
    public = keys.public("backup")
    if not public:
        raise UsageError("error.key_missing", role="backup", folder=keys.folder)
    if not any(note.signed(key) for key in public):
        raise IntegrityError("error.backup_unsigned", folder=folder, keys=keys.folder)
    try:
        content = orjson.loads(raw)
        if content["v"] != FORM:
            raise IntegrityError("error.backup_form", folder=folder, found=content["v"], known=FORM)
        backup = Backup.model_validate_json(raw)
    except (ValueError, LookupError, TypeError, ValidationError):
        raise IntegrityError("error.backup_damaged", file=LIST, place=0) from None
    if note.body != _text(backup.group, raw):
        raise IntegrityError("error.backup_damaged", file=LIST, place=0)
    if backup.group != group:
        raise UsageError("error.backup_other", folder=folder, found=backup.group, wanted=group)
    return backup


def _text(group: str, raw: bytes) -> str:
    return f"gate-backup/1\n{group}\n{sha256(raw).hexdigest()}\n"
