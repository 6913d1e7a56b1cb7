"""Writes an export: the folder that `gatekeeper.audit.folder` reads and `gatekeeper.audit.verify` checks.

It grows in a folder beside its place, `OUT.part`, and takes that place when it is whole. Cut off, it goes on there
behind the last member of each compressed file that was written down, where all up to there still is what it was.
"""

from __future__ import annotations

import base64
import gzip
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE
from typing import Any, Self, cast

import orjson

from gatekeeper.audit import verify
from gatekeeper.audit.log import CHECKPOINT, path
from gatekeeper.audit.record import FOREIGN
from gatekeeper.audit.sealed import Sealed, checked
from gatekeeper.audit.trail import Link, Trail
from gatekeeper.audit.verify import TILE, leaf_hash
from gatekeeper.errors import IncompleteError, IntegrityError, UnavailableError, UsageError
from schemas.audit import AuditRecord, Count, Digest, Manifest
from schemas.codec import canonical
from schemas.values import Model

_DIGEST = re.compile("[0-9a-f]{64}")
LEVEL = 6
"""Of compression: against 1 it saves a fifth of the room and of the time to read it, and costs some when writing."""
PROGRESS = "progress"
"""The folder in `OUT.part` where whoever calls may keep what going on needs; it is no part of an export."""
_CHUNK = 1 << 20
_GROWING = frozenset(("records", "manifests", PROGRESS))
_OURS = _GROWING | {"export.json", "log", "keys", "policies", "reference", "schemas", "verify.py"}


@dataclass(slots=True)
class Exported:
    """What was written; `left` manifests were not sealed yet, `absent` are hashes that no bytes were at hand for."""

    manifests: int = 0
    records: int = 0
    left: int = 0
    size: int | None = None
    witnessed: bool = False
    absent: list[str] = field(default_factory=list)


class Written(Model):
    """What a file holds up to the end of a member: so many bytes, and their SHA-256 in hex."""

    length: Count
    sha256: Digest


class Files(Model):
    """What the two files of a partition hold."""

    manifests: Written
    records: Written


class Standing(Model):
    """Where in a partition an export stands: its last link that is written, and what the files hold up to there."""

    partition: Count
    offset: Count
    hash: Digest
    files: Files


class Begun(Model):
    """How far an export came: the partitions that are written, the one that is being written, and what was met there.

    `left`, `manifests` and `records` count as `Exported` does; `policies` and `reference` are hashes to be exported.
    """

    done: dict[Count, Files]
    standing: Standing | None
    manifests: Count
    records: Count
    left: Count
    policies: list[Digest]
    reference: list[Digest]


def part_of(out: Path, *, user: int) -> Path:
    """Returns the folder in which an export grows until it is whole.

    `user`: the number of the one who calls. Raises UsageError (2) where it could not take its place then, that holds
    something, or the folder is somebody else's or open to others; UnavailableError (3) where the disk refuses.
    """
    with _disk(out):
        if out.name in ("", "..") or out.is_symlink() or out.is_mount():
            raise UsageError("error.export_place", folder=out)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError("error.export_there", folder=out)
        part = out.with_name(f"{out.name}.part")
        if part.is_symlink() or part.is_mount():
            raise UsageError("error.export_place", folder=part)
        if part.is_dir():
            found = part.stat()
            if found.st_uid != user or found.st_mode & 0o022:
                raise UsageError("error.export_open", folder=part, mode=f"{S_IMODE(found.st_mode):03o}")
        if part.exists() and not (part.is_dir() and {file.name for file in part.iterdir()} <= _OURS):
            raise UsageError("error.export_there", folder=part)
    return part


def write(
    out: Path,
    part: Path,
    trail: Trail,
    *,
    about: Mapping[str, Any],
    log: Sealed | None,
    keys: Path,
    unsealed: bool = False,
    told: Callable[[Link], None] = lambda link: None,
    begun: Begun | None = None,
    due: Callable[[], bool] = lambda: False,
    save: Callable[[Begun], None] = lambda begun: None,
    sync: Callable[[Path], None] = lambda path: None,
) -> Exported:
    """Writes an export of a trail to a folder that is not there yet, or is empty; whole or not at all.

    `part`: as `part_of` returns it; nobody else may write to it. `about`: group, made, from and to. `log`: what is
    sealed; of its newest manifests those that are not in it are left out, unless `unsealed`. `keys`: the key folder, of
    which the public keys are taken. `told` hears of each link that is read, again too.
    `save` takes how far it came: at first, after each partition and, between two links, whenever it is `due`; before
    that, `sync` puts files and folders on the disk, that no power cut takes what was said to be there.
    `begun`: what it took last, of the same trail and log, to go on from there.
    What was written is taken away where the trail cannot become whole, and stays however else it is cut off.
    Raises UsageError (2) where what was begun is no beginning of this trail (any more) or was changed,
    IntegrityError (4) where the log's leaves do not come to its checkpoint, UnavailableError (3) where the disk
    refuses, and what the trail does.
    """
    if log is not None:
        checked(log)  # or what is sealed would be left out as what is not
    with _disk(part):
        part.mkdir(parents=True, exist_ok=True)
        part.chmod(0o700)  # what goes on trusts it
        for file in part.iterdir():
            if begun is None or file.name not in _GROWING or file.is_symlink():  # of a run that was cut off
                file.unlink() if file.is_symlink() or not file.is_dir() else shutil.rmtree(file)
        (part / PROGRESS).mkdir(exist_ok=True)
    writer = _Writer(part, trail, log, unsealed=unsealed, told=told, due=due, save=save, sync=sync)
    try:
        writer.read(begun)
    except (IntegrityError, IncompleteError):
        shutil.rmtree(part, ignore_errors=True)
        raise
    found = writer.rest(about, keys)
    with _disk(out):
        if out.exists():
            out.rmdir()
        part.replace(out)
        out.chmod(S_IMODE((out / "schemas").stat().st_mode))  # as any folder that is made here
    shutil.rmtree(out / PROGRESS, ignore_errors=True)  # last, that it goes on wherever it is killed
    return found


@contextmanager
def _disk(file: Path, key: str = "error.disk") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(key, path=error.filename or file, detail=error.strerror) from None


class _Writer:
    def __init__(
        self,
        folder: Path,
        trail: Trail,
        log: Sealed | None,
        *,
        unsealed: bool,
        told: Callable[[Link], None],
        due: Callable[[], bool],
        save: Callable[[Begun], None],
        sync: Callable[[Path], None],
    ) -> None:
        self._folder, self._trail, self._log = folder, trail, log
        self._told, self._due, self._save, self._sync = told, due, save, sync
        self._unsealed = unsealed or log is None
        self._found = Exported()
        self._done: dict[int, Files] = {}
        self._policies: set[str] = set()
        self._reference: set[str] = set()

    def read(self, begun: Begun | None) -> None:
        """Writes what the trail holds, behind what was begun."""
        if begun is not None:
            self._found = Exported(begun.manifests, begun.records, begun.left)
            self._done, self._policies, self._reference = {**begun.done}, {*begun.policies}, {*begun.reference}
            for number, files in begun.done.items():
                self._lines(number, files, ended=True)
        else:
            self._keep(None)
        for number in self._trail.partitions():
            if number not in self._done:
                standing = begun.standing if begun else None
                self._partition(number, standing if standing and standing.partition == number else None)

    def rest(self, about: Mapping[str, Any], keys: Path) -> Exported:
        """Writes all that a check needs beside it; returns what was written."""
        self._hashed("policies", "toml", self._policies, self._trail.policy)
        self._hashed("reference", "json", self._reference, self._trail.reference)
        for name, model in (("audit", AuditRecord), ("manifest", Manifest)):
            self._put(f"schemas/{name}.json", orjson.dumps(model.model_json_schema(), option=orjson.OPT_INDENT_2))
        for file in sorted(keys.glob("*.pub")):
            with _disk(file, "error.disk_unread"):
                key = file.read_bytes()
            self._put(f"keys/{file.name}", key)
        if self._log is not None:
            self._tiles(self._log)
        self._put("verify.py", Path(verify.__file__).read_bytes())
        self._put("export.json", canonical({"v": 1, "partitions": len(self._done), **about}))
        return self._found

    def _partition(self, number: int, standing: Standing | None) -> None:
        links = self._links(number, standing)
        both = self._lines(number, standing.files if standing else None)
        with both[0] as manifests, both[1] as records:
            tail = 0
            for link in links:
                index = self._log.indexes.get(leaf_hash(link.value)) if self._log else None
                if index is not None:
                    tail = 0
                elif not self._unsealed:
                    tail += 1
                    if tail == 1:  # what comes from here on is taken away again, unless something sealed follows
                        manifests.mark()
                        records.mark()
                self._link(link, index, manifests, records)
                self._told(link)
                if not tail and self._due():
                    files = Files(manifests=manifests.mark(), records=records.mark())
                    self._keep(Standing(partition=number, offset=link.offset, hash=_hash(link), files=files))
            if tail:
                self._found.left += tail
                self._found.manifests -= tail
                manifests.cut()
                self._found.records -= records.cut()
            self._done[number] = Files(manifests=manifests.end(), records=records.end())
        self._keep(None)

    def _lines(self, number: int, there: Files | None, *, ended: bool = False) -> tuple[_Lines, _Lines]:
        """Returns a partition's files of manifests and of records, which must hold what was written before."""
        manifests, records = (_Lines(self._folder, kind, number, self._sync) for kind in ("manifests", "records"))
        if there:
            manifests.demand(there.manifests, ended=ended)
            records.demand(there.records, ended=ended)
        return manifests, records

    def _links(self, number: int, standing: Standing | None) -> Iterator[Link]:
        """Returns a partition's links behind the one where the export stands, which must be there and the same."""
        links = self._trail.links(number)
        if standing is not None:
            last = None
            for last in links:
                self._told(last)
                if last.offset >= standing.offset:
                    break
            if last is None or (last.offset, _hash(last)) != (standing.offset, standing.hash):
                raise UsageError("error.export_lost", folder=self._folder)
        return links

    def _keep(self, standing: Standing | None) -> None:
        self._save(
            Begun(
                done=self._done,
                standing=standing,
                manifests=self._found.manifests,
                records=self._found.records,
                left=self._found.left,
                policies=_digests(self._policies),
                reference=_digests(self._reference),
            )
        )

    def _link(self, link: Link, index: int | None, manifests: _Lines, records: _Lines) -> None:
        sig = base64.b64encode(link.signature).decode()
        manifests.add(orjson.dumps({"index": index, "offset": link.offset, "sig": sig, "value": link.value.decode()}))
        for record in link.records:
            records.add(record)
            with suppress(*FOREIGN):  # one that was changed, as a check tells
                said = orjson.loads(record)
                self._policies.add(said["policy"]["sha256"])
                if said["facts"]:
                    self._reference.update(digest for digest in said["facts"]["refs"].values() if digest)
        self._policies.add(link.manifest["policy"]["sha256"])
        self._found.manifests += 1
        self._found.records += len(link.records)

    def _hashed(self, folder: str, ending: str, digests: set[str], get: Callable[[str], bytes | None]) -> None:
        left, there = set(_digests(digests)), set()
        while left:
            digest = left.pop()
            there.add(digest)
            value = get(digest)
            if value is None:
                self._found.absent.append(digest)
                continue
            self._put(f"{folder}/{digest}.{ending}", value)
            if ending == "json":
                left |= _versions(value) - there

    def _tiles(self, log: Sealed) -> None:
        """Copies the log as it was at that checkpoint, however far it has grown meanwhile."""
        size, tree = log.checkpoint.size, log.tree
        self._found.size, self._found.witnessed = size, log.witnessed
        for start in range(0, size, TILE):
            framed = [len(leaf).to_bytes(2, "big") + leaf for leaf in tree.leaves(start)]
            self._put(f"log/{path('entries', start // TILE, len(framed))}", b"".join(framed))
        level = 0
        while hashes := size >> 8 * level:
            for number in range(-(-hashes // TILE)):
                width = min(TILE, hashes - number * TILE)
                self._put(f"log/{path(level, number, width)}", b"".join(tree.hashes(level, number)))
            level += 1
        self._put(f"log/{CHECKPOINT}", log.note.encode())

    def _put(self, name: str, content: bytes) -> None:
        file = self._folder / name
        with _disk(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _hash(link: Link) -> str:
    return sha256(link.value).hexdigest()


def _digests(named: set[str]) -> list[str]:
    """Returns in order what of all that records name has the shape of a hash: a forger may have put anything there."""
    return sorted(one for one in named if isinstance(one, str) and _DIGEST.fullmatch(one))


def _versions(value: bytes) -> set[str]:
    """Returns the hashes that a map of versions names, nothing for another value."""
    said = orjson.loads(value)
    return set(said.values()) if "v" not in said else set()


class _Lines:
    """A gzip file that is written line by line, in members; what was added since `mark` can be cut off again.

    It goes on behind what is demanded to be there; what follows that is cut off.
    """

    def __init__(self, folder: Path, kind: str, number: int, sync: Callable[[Path], None]) -> None:
        self._folder, self._path, self._sync = folder, folder / kind / f"{number}.ndjson.gz", sync
        self._length, self._hash = 0, sha256()
        self._marked: tuple[int, Any, int] | None = None
        self._count = 0

    def demand(self, written: Written, *, ended: bool = False) -> None:
        """Takes in what was written; raises UsageError (2) where the file no longer holds it, or holds more if ended.

        Raises UnavailableError (3) where it cannot be read.
        """
        with _disk(self._path, "error.disk_unread"):
            there = self._path.is_file() and not self._path.is_symlink()
            size = self._path.stat().st_size if there else -1
            if size >= written.length:
                with self._path.open("rb") as file:
                    while chunk := file.read(min(_CHUNK, written.length - self._length)):
                        self._took(chunk)
        if (self._length, self._hash.hexdigest()) != (written.length, written.sha256) or (
            ended and size > self._length
        ):
            raise UsageError("error.export_cut", file=self._path, folder=self._folder)

    def __enter__(self) -> Self:
        with _disk(self._path):
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("r+b" if self._length else "wb")
            self._file.truncate(self._length)
            self._file.seek(self._length)
            self._sync(self._path.parent)
            self._sync(self._folder)
            self._member()
        return self

    def __exit__(self, *_: object) -> None:
        with _disk(self._path):
            self._lines.close()
            self._file.close()

    def write(self, data: bytes) -> int:
        """Takes compressed bytes, as a file does."""
        self._took(data)
        return self._file.write(data)

    def add(self, line: bytes) -> None:
        """Adds a line; raises UnavailableError (3) where the disk refuses, as all that follow."""
        with _disk(self._path):
            self._lines.write(line + b"\n")
        self._count += 1

    def mark(self) -> Written:
        """Ends a member and begins another; returns what the file holds with it, and has on the disk."""
        written = self.end()
        self._marked = self._length, self._hash.copy(), self._count
        with _disk(self._path):
            self._member()
        return written

    def cut(self) -> int:
        """Cuts off what was added since the mark; returns how many lines."""
        assert self._marked is not None
        with _disk(self._path):
            self._lines.close()
            self._file.truncate(self._marked[0])
        self._length, self._hash, count = self._marked
        return self._count - count

    def end(self) -> Written:
        """Ends the last member; returns what the file holds, and has on the disk."""
        with _disk(self._path):
            self._lines.close()
            self._file.flush()
            self._sync(self._path)
        return Written(length=self._length, sha256=self._hash.hexdigest())

    def _took(self, data: bytes) -> None:
        self._length += len(data)
        self._hash.update(data)

    def _member(self) -> None:
        self._lines = gzip.GzipFile(filename="", mode="wb", fileobj=cast(Any, self), compresslevel=LEVEL, mtime=0)
