"""Writes an export: the folder that `gatekeeper.audit.folder` reads and `gatekeeper.audit.verify` checks."""

from __future__ import annotations

import base64
import gzip
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from gatekeeper.audit import verify
from gatekeeper.audit.log import CHECKPOINT, Reading, Tree, newest, path
from gatekeeper.audit.record import FOREIGN
from gatekeeper.audit.trail import Link, Trail
from gatekeeper.audit.verify import TILE, Checkpoint, Vkey, leaf_hash, open_checkpoint
from gatekeeper.errors import UnavailableError, UsageError
from schemas.audit import AuditRecord, Manifest
from schemas.codec import canonical

LEVEL = 6
"""Of compression: against 1 it saves a fifth of the room and of the time to read it, and costs some when writing."""
_OURS = frozenset(
    ("export.json", "records", "manifests", "log", "keys", "policies", "reference", "schemas", "verify.py")
)


@dataclass(slots=True)
class Exported:
    """What was written; `left` manifests were not sealed yet, `absent` are hashes that no bytes were at hand for."""

    manifests: int = 0
    records: int = 0
    left: int = 0
    size: int | None = None
    witnessed: bool = False
    absent: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A log as it is exported: the note of one checkpoint, cosigned if it can be, and where each of its leaves is."""

    files: Reading
    checkpoint: Checkpoint
    note: str
    witnessed: bool
    indexes: Mapping[bytes, int]
    """Leaf hash to leaf number."""

    @property
    def tree(self) -> Tree:
        """The tree of that checkpoint."""
        return Tree(self.files, self.checkpoint.size)

    def cosigned_at(self, witnesses: Sequence[Vkey]) -> int | None:
        """Returns when one of these witnesses saw it last, in seconds since the epoch; None where none did."""
        note = self.checkpoint.note
        return max((note.cosigned_at(key) for key in witnesses if note.signed(key)), default=None)


def sealed(files: Reading, logs: Sequence[Vkey], witnesses: Sequence[Vkey]) -> Sealed | None:
    """Returns the log with the newest checkpoint that a witness cosigned, or without one the newest; None if empty.

    `logs`, `witnesses`: the public keys. Raises IntegrityError (4) where the log cannot be read.
    """
    found = newest(files, logs)
    if found is None:
        return None
    candidates = [(_cosigned(found[0], witnesses), *found)]
    for name in files.names("witness"):
        with suppress(ValueError):
            text = (files.read(f"witness/{name}") or b"").decode()
            seen = open_checkpoint(text)
            if seen.size <= found[0].size and any(seen.note.signed(key) for key in logs):
                candidates.append((_cosigned(seen, witnesses), seen, text))
    witnessed, checkpoint, note = max(candidates, key=lambda one: (one[0], one[1].size))
    if not checkpoint.size:
        return None
    tree = Tree(files, checkpoint.size)
    leaves = (leaf for start in range(0, checkpoint.size, TILE) for leaf in tree.leaves(start))
    return Sealed(files, checkpoint, note, witnessed, {leaf_hash(leaf): n for n, leaf in enumerate(leaves)})


def _cosigned(checkpoint: Checkpoint, witnesses: Sequence[Vkey]) -> bool:
    return any(checkpoint.note.signed(key) for key in witnesses)


def write(
    out: Path,
    trail: Trail,
    *,
    about: Mapping[str, Any],
    log: Sealed | None,
    keys: Path,
    unsealed: bool = False,
    told: Callable[[Link], None] = lambda link: None,
) -> Exported:
    """Writes an export of a trail to a folder that is not there yet, or is empty; whole or not at all.

    `about`: group, made, from and to. `log`: what is sealed; of its newest manifests those that are not in it are left
    out, unless `unsealed`. `keys`: the key folder, of which the public keys are taken. `told` hears of each link.
    Raises UsageError (2) for a folder that holds something, UnavailableError (3) where the disk refuses, and what the
    trail does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("error.export_there", folder=out)
    part = out.with_name(f"{out.name}.part")
    if part.exists() and not (part.is_dir() and {file.name for file in part.iterdir()} <= _OURS):
        raise UsageError("error.export_there", folder=part)
    with _disk(part):
        shutil.rmtree(part, ignore_errors=True)  # of a run that was cut off
        part.mkdir(parents=True)
    try:
        found = _Writer(part, trail, log, unsealed=unsealed, told=told).write(about, keys)
        with _disk(out):
            if out.exists():
                out.rmdir()
            part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


@contextmanager
def _disk(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError("error.disk", path=error.filename or file, detail=error.strerror) from None


class _Writer:
    def __init__(
        self, folder: Path, trail: Trail, log: Sealed | None, *, unsealed: bool, told: Callable[[Link], None]
    ) -> None:
        self._folder, self._trail, self._log, self._told = folder, trail, log, told
        self._unsealed = unsealed or log is None
        self._found = Exported()
        self._policies: set[str] = set()
        self._reference: set[str] = set()

    def write(self, about: Mapping[str, Any], keys: Path) -> Exported:
        numbers = self._trail.partitions()
        for number in numbers:
            self._partition(number)
        self._hashed("policies", "toml", self._policies, self._trail.policy)
        self._hashed("reference", "json", self._reference, self._trail.reference)
        for name, model in (("audit", AuditRecord), ("manifest", Manifest)):
            self._put(f"schemas/{name}.json", orjson.dumps(model.model_json_schema(), option=orjson.OPT_INDENT_2))
        for file in sorted(keys.glob("*.pub")):
            self._put(f"keys/{file.name}", file.read_bytes())
        if self._log is not None:
            self._tiles(self._log)
        self._put("verify.py", Path(verify.__file__).read_bytes())
        self._put("export.json", canonical({"v": 1, "partitions": len(numbers), **about}))
        return self._found

    def _partition(self, number: int) -> None:
        with _Lines(self._folder, "manifests", number) as manifests, _Lines(self._folder, "records", number) as records:
            tail = 0
            for link in self._trail.links(number):
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
            if tail:
                self._found.left += tail
                self._found.manifests -= tail
                manifests.cut()
                self._found.records -= records.cut()

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
        left, there = set(digests), set()
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


def _versions(value: bytes) -> set[str]:
    """Returns the hashes that a map of versions names, nothing for another value."""
    said = orjson.loads(value)
    return set(said.values()) if "v" not in said else set()


class _Lines:
    """A gzip file that is written line by line; what was added since `mark` can be cut off again."""

    def __init__(self, folder: Path, kind: str, number: int) -> None:
        self._path = folder / kind / f"{number}.ndjson.gz"
        self._marked: tuple[int, int] | None = None
        self._count = 0

    def __enter__(self) -> Self:
        with _disk(self._path):
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("wb")
            self._member()
        return self

    def __exit__(self, *_: object) -> None:
        with _disk(self._path):
            self._lines.close()
            self._file.close()

    def add(self, line: bytes) -> None:
        with _disk(self._path):
            self._lines.write(line + b"\n")
        self._count += 1

    def mark(self) -> None:
        with _disk(self._path):
            self._lines.close()
            self._marked = self._file.tell(), self._count
            self._member()

    def cut(self) -> int:
        """Cuts off what was added since the mark; returns how many lines."""
        assert self._marked is not None
        with _disk(self._path):
            self._lines.close()
            self._file.truncate(self._marked[0])
        return self._count - self._marked[1]

    def _member(self) -> None:
        self._lines = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=LEVEL, mtime=0)
