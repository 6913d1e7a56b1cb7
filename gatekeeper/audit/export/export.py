"""Writes an export: the folder that `export_reader` reads and `gatekeeper.audit.verify` checks."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, Trail
from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.export_in_progress import ABOUT, DayFiles, cleared, disk, placed
from gatekeeper.audit.export.export_reader import DAY, PEOPLE, Finished
from gatekeeper.audit.log.sealed import Sealed, checked
from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, tile_path
from gatekeeper.ground.atomic_store import sync
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.policy.pack_texts import amended
from schemas.audit import AuditRecord
from schemas.codec import canonical
from schemas.manifests import Manifest

KEY_ROLES = ("worker", "log", "witness")
"""Roles whose signatures a check looks at."""
KEY_BYTES = 4096
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class Exported:
    """Result of a call. `left`: number of unsealed manifests left out. `absent`: hashes whose bytes were not found."""

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
    finished: Mapping[int, Finished],
    unsealed: bool = False,
    told: Callable[[Link], None] = lambda link: None,
) -> Exported:
    """Writes an export of a trail by UTC day, from the end of each partition's finished days on.

    A day is finished when a later day has begun, it is sealed whole, and no earlier manifest is missing. `out` stays
    unchanged until everything was read.

    `part`: the result of `part_of`; nobody else may write to it. `about`: group, made, from and to. `log`: the sealed
    log; each partition's newest manifests outside it are left out, unless `unsealed`. `keys`: the key folder; its
    public keys are copied. `finished`: the end of the finished days in `out` and `part`, by partition. `told` is called
    for each link read.
    Raises IntegrityError (4) if the log's leaves do not match its checkpoint, or the finished days are another
    log's. Raises UnavailableError (3) if the disk refuses, and the errors of the trail.
    """
    if log is not None:
        checked(log)  # else sealed manifests would be left out as unsealed ones
    for last in finished.values():
        if log is None or log.indexes.get(leaf_hash(last.value)) != last.leaf:
            raise IntegrityError("error.export_log", folder=out)
    cleared(part)
    writer = _Writer(part, trail, log, finished, about, unsealed=unsealed, told=told)
    for number in trail.partitions():
        writer.partition(number)
    exported = writer.rest(keys)
    placed(part, out)
    return exported


class _Writer:
    def __init__(
        self,
        folder: Path,
        trail: Trail,
        log: Sealed | None,
        finished: Mapping[int, Finished],
        about: Mapping[str, Any],
        *,
        unsealed: bool,
        told: Callable[[Link], None],
    ) -> None:
        self._folder, self._trail, self._log, self._finished, self._told = folder, trail, log, finished, told
        self._unsealed, self._ranged = unsealed or log is None, about["from"] is not None
        self._newest = {} if log is None else _newest(log, about["from"] or "", about["to"] or "~")
        self._found = Exported()
        self._policies: set[str] = set()
        self._reference: set[str] = set()
        self._looked_up: set[str] = set()
        self._put(ABOUT, canonical({"v": 2, "partitions": len(trail.partitions()), **about}))

    def partition(self, number: int) -> None:
        """Writes a partition's manifests and records after its finished days."""
        past, newest = self._finished.get(number), self._newest.get(number)
        day, prev = (past.day, sha256(past.value).hexdigest()) if past else ("", None)
        tail = newest in (None, past and leaf_hash(past.value))
        files, whole, count = DayFiles(self._folder, number), True, 0
        for link in self._trail.links(number):
            self._told(link)
            if past and link.offset <= past.offset:
                continue
            if tail and not self._unsealed:
                self._found.left += 1
                continue
            manifest, hash_ = link.manifest, leaf_hash(link.value)
            index, begun = self._log.indexes.get(hash_) if self._log else None, manifest["t1"][: len("2026-11-24")]
            # else an earlier manifest is missing, perhaps of the day that would be finished now
            whole = whole and (manifest["prev"] == prev or (self._ranged and prev is None))
            if begun > day:
                if whole and count:
                    self._named()
                    files.finish(day)
                    files, count = DayFiles(self._folder, number), 0
                day = begun
            whole = whole and index is not None and bool(DAY.fullmatch(begun))
            whole = whole and not (past and day == past.day)
            prev, tail, count = sha256(link.value).hexdigest(), tail or hash_ == newest, count + 1
            self._add(files, link, index)
        files.close()
        self._named()

    def rest(self, keys: Path) -> Exported:
        """Writes everything else that a check needs; the result tells what was written."""
        for name, schema in _schemas().items():
            self._put(f"schemas/{name}.json", schema)
        for file in sorted(file for role in KEY_ROLES for file in keys.glob(f"{role}-*.pub")):
            with disk(file, "error.disk_unread"):
                if not (file.is_file() or file.is_dir()) or file.stat().st_size > KEY_BYTES:  # a pipe may never end
                    raise UsageError("error.key_unreadable", path=file)
                key = file.read_bytes()
            self._put(f"keys/{file.name}", key)
        if people := self._trail.people():
            lines = [canonical(person.plain) for person in people]
            self._put(PEOPLE, b"".join(line + b"\n" for line in lines))
        if self._log is not None:
            self._tiles(self._log)
        self._put("verify.py", bundle().encode())
        return self._found

    def _add(self, files: DayFiles, link: Link, index: int | None) -> None:
        sig = base64.b64encode(link.signature).decode()
        line = {"index": index, "offset": link.offset, "sig": sig, "value": link.value.decode()}
        files.add(orjson.dumps(line), link.records)
        for record in link.records:
            with suppress(*FOREIGN):  # a changed record, which a check reports
                content = orjson.loads(record)
                self._policies.add(content["policy"]["sha256"])
                if content["facts"]:
                    self._reference.update(digest for digest in content["facts"]["refs"].values() if digest)
        self._policies.add(link.manifest["policy"]["sha256"])
        self._found.manifests += 1
        self._found.records += len(link.records)

    def _named(self) -> None:
        """Writes the policies and reference data named by hash since the last call."""
        policies, reference = self._policies, self._reference
        self._policies, self._reference = set(), set()
        self._hashed("policies", "toml", policies, self._trail.policy)
        self._hashed("reference", "json", reference, self._trail.reference)

    def _hashed(self, folder: str, ending: str, digests: set[str], get: Callable[[str], bytes | None]) -> None:
        pending = set(_digests(digests))
        while pending:
            digest = pending.pop()
            if digest in self._looked_up:
                continue
            self._looked_up.add(digest)
            value = get(digest)
            if value is None:
                self._found.absent.append(digest)
                continue
            sync(self._put(f"{folder}/{digest}.{ending}", value))  # a finished day depends on it
            pending |= _versions(value) if ending == "json" else _amended(value)

    def _tiles(self, log: Sealed) -> None:
        """Copies the log as of that checkpoint, even if it has grown since."""
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

    def _put(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        with disk(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return file


@cache
def _schemas() -> dict[str, bytes]:
    """The JSON schemas of records and manifests by name, one and the same for a release."""
    models = (("audit", AuditRecord), ("manifest", Manifest))
    return {name: orjson.dumps(model.model_json_schema(), option=orjson.OPT_INDENT_2) for name, model in models}


def _newest(log: Sealed, first: str, to: str) -> dict[int, bytes]:
    """The leaf hash of each partition's newest sealed manifest within this period, on the branch that counts."""
    hashes: dict[int, bytes] = {}

    def take(leaf: bytes, manifest: Mapping[str, Any]) -> None:
        if first <= manifest["t1"] < to:
            hashes[manifest["partition"]] = leaf_hash(leaf)

    for start in range(0, log.checkpoint.size, TILE):
        for leaf in log.tree.leaves(start):
            content = orjson.loads(leaf)
            if "kind" not in content:
                take(leaf, content)
            elif content["kind"] == "branch":
                hashes.pop(content["partition"], None)
                if content["after"] is not None:
                    last = log.tree.leaves(content["leaf"])[0]
                    take(last, orjson.loads(last))
    return hashes


def _digests(named: Iterable[str]) -> list[str]:
    """The well-formed hashes in order; a forger may have written anything in their place."""
    return sorted(digest for digest in named if isinstance(digest, str) and _DIGEST.fullmatch(digest))


def _versions(value: bytes) -> set[str]:
    """The hashes in a map or list of versions, empty for another value; a forger may have named any value."""
    with suppress(*FOREIGN):
        versions = orjson.loads(value)
        digests = versions.values() if isinstance(versions, dict) else (version[1] for version in versions)
        return set(_digests(digests)) if "v" not in versions else set()
    return set()


def _amended(value: bytes) -> set[str]:
    """The hash of the policy that a text amends, empty for a whole one or another value."""
    with suppress(ValueError):
        before = amended(value)
        return {sha256(before).hexdigest()} if before is not None else set()
    return set()
