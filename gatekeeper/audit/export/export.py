"""Writes an export: the folder that `export_reader` reads and `gatekeeper.audit.verify` checks."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, Trail
from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.export_in_progress import Begun, Files, Lines, Standing, cleared, disk, placed
from gatekeeper.audit.log.sealed import Sealed, checked
from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, tile_path
from gatekeeper.errors import IncompleteError, IntegrityError, UsageError
from schemas.audit import AuditRecord, Manifest
from schemas.codec import canonical

KEY_BYTES = 4096
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class Exported:
    """What was written; `left` manifests were not sealed yet, `absent` are hashes that no bytes were at hand for."""

    manifests: int = 0
    records: int = 0
    left: int = 0
    size: int | None = None
    witnessed: bool = False
    absent: list[str] = field(default_factory=list)


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
    cleared(part, keep=begun is not None)
    writer = _Writer(part, trail, log, unsealed=unsealed, told=told, due=due, save=save, sync=sync)
    try:
        writer.read(begun)
    except (IntegrityError, IncompleteError):
        shutil.rmtree(part, ignore_errors=True)
        raise
    found = writer.rest(about, keys)
    placed(part, out)
    return found


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
            with disk(file, "error.disk_unread"):
                if not (file.is_file() or file.is_dir()) or file.stat().st_size > KEY_BYTES:  # a pipe may never end
                    raise UsageError("error.key_unreadable", path=file)
                key = file.read_bytes()
            self._put(f"keys/{file.name}", key)
        if self._log is not None:
            self._tiles(self._log)
        self._put("verify.py", bundle().encode())
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

    def _lines(self, number: int, there: Files | None, *, ended: bool = False) -> tuple[Lines, Lines]:
        """Returns a partition's files of manifests and of records, which must hold what was written before."""
        manifests, records = (Lines(self._folder, kind, number, self._sync) for kind in ("manifests", "records"))
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

    def _link(self, link: Link, index: int | None, manifests: Lines, records: Lines) -> None:
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
            self._put(f"log/{tile_path('entries', start // TILE, len(framed))}", b"".join(framed))
        level = 0
        while hashes := size >> 8 * level:
            for number in range(-(-hashes // TILE)):
                width = min(TILE, hashes - number * TILE)
                self._put(f"log/{tile_path(level, number, width)}", b"".join(tree.hashes(level, number)))
            level += 1
        self._put(f"log/{CHECKPOINT}", log.note.encode())

    def _put(self, name: str, content: bytes) -> None:
        file = self._folder / name
        with disk(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _hash(link: Link) -> str:
    return sha256(link.value).hexdigest()


def _digests(named: Iterable[str]) -> list[str]:
    """Returns in order what of all that records name has the shape of a hash: a forger may have put anything there."""
    return sorted(one for one in named if isinstance(one, str) and _DIGEST.fullmatch(one))


def _versions(value: bytes) -> set[str]:
    """Returns the hashes that a map of versions names, nothing for another value: a forger may have named any."""
    with suppress(*FOREIGN):
        said = orjson.loads(value)
        return set(_digests(said.values())) if "v" not in said else set()
    return set()
