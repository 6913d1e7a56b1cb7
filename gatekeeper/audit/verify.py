"""Checks an export of the audit log, or one decision's proof: offline, and without any of the gatekeeper's own code.

    python verify.py DIR [--witness KEY] [--min-size N] [--json]
    python verify.py --proof FILE [--witness KEY] [--min-size N] [--json]

It needs Python 3.11 or later and the package `cryptography`, and no other file. Exit codes: 0 all is as it was signed
and sealed, 1 something was changed, 2 the call is wrong, 4 it cannot be verified, 5 part of it is missing.

Tree hashes are those of RFC 6962, the log's files those of C2SP tlog-tiles, and the checkpoint a C2SP signed note.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256
ED25519, COSIGNATURE = 1, 4
CHUNK = 1 << 20
KEPT = 1_000
"""So many findings are kept, however many there are."""
AHEAD = 64
"""So many manifests ahead are looked at for where their records begin, after some that do not fit."""

Progress = Callable[[int, int], None]

# -- trees ------------------------------------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256 of 0x00 and its bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of a node: SHA-256 of 0x01 and those of its two halves."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over leaf hashes in order; SHA-256 of nothing for none.

    A last node without partner goes up as it is, which is the RFC's split at the largest power of two.
    """
    level = list(hashes)
    if not level:
        return sha256().digest()
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Returns what leads from the leaf at `index` to the root over all `hashes` (RFC 6962, 2.1.1): leaf's end first."""
    found, level = [], list(hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            found.append(level[index ^ 1])
        odd = level[-1:] if len(level) % 2 else []
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)] + odd
        index >>= 1
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Returns the root that a proof leads to from a leaf's hash; None where no tree of that size has such a proof."""
    if not 0 <= index < size:
        return None
    found, last, left = leaf, size - 1, list(proof)
    while last:
        if index & 1 or index < last:
            if not left:
                return None
            other = left.pop(0)
            found = node_hash(other, found) if index & 1 else node_hash(found, other)
        index, last = index >> 1, last >> 1
    return None if left else found


def check_consistency(size: int, root: bytes, later: int, later_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tells whether a proof shows that the tree of `later` leaves begins with that of `size` leaves (RFC 9162)."""
    if not 0 <= size <= later:
        return False
    if size in (0, later):
        return not proof and (size == 0 or root == later_root)
    left = list(proof)
    node, last = size - 1, later - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if node and not left:
        return False
    old = new = left.pop(0) if node else root
    while last:
        if node & 1 or node < last:
            if not left:
                return False
            other = left.pop(0)
            if node & 1:
                old, new = node_hash(other, old), node_hash(other, new)
            else:
                new = node_hash(new, other)
        node, last = node >> 1, last >> 1
    return not left and old == root and new == later_root


# -- keys and notes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vkey:
    """A public key as C2SP notes write it: `NAME+HASH+BASE64`. `kind`: 1 of a log or a worker, 4 of a witness."""

    name: str
    hash: bytes
    kind: int
    public: bytes

    @property
    def kid(self) -> str:
        """`NAME+HASH`, which a manifest names its key by."""
        return f"{self.name}+{self.hash.hex()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tells whether the 64 bytes are this key's signature of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def parse_vkey(text: str) -> Vkey:
    """Reads `NAME+HASH+BASE64`; raises ValueError where it is none, or its hash is another key's."""
    name, hash_, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if not name or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise ValueError("not a key of a kind that is known")
    expected = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if hash_ != expected.hex():
        raise ValueError("the hash is another key's")
    return Vkey(name, expected, raw[0], raw[1:])


@dataclass(frozen=True)
class Note:
    """A signed note: its text, and each signature's key name, key hash and bytes."""

    body: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed(self, key: Vkey) -> bool | None:
        """Tells whether the key signed it; None where no signature calls itself that key's."""
        found = [signature for name, hash_, signature in self.signatures if (name, hash_) == (key.name, key.hash)]
        if not found:
            return None
        if key.kind == COSIGNATURE:
            return any(
                len(one) == 72 and key.verifies(one[8:], f"cosignature/v1\ntime {_time(one)}\n{self.body}".encode())
                for one in found
            )
        return any(key.verifies(one, self.body.encode()) for one in found)

    def cosigned_at(self, key: Vkey) -> int:
        """Returns when that witness saw it, in seconds since the epoch, of the latest good cosignature."""
        ours = [one for one in self.signatures if (one[0], one[1]) == (key.name, key.hash)]
        return max(_time(one[2]) for one in ours if Note(self.body, (one,)).signed(key))


def open_note(text: str) -> Note:
    """Reads a signed note; raises ValueError where it is none. Whether it is signed well is for `Note.signed`."""
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise ValueError("not a signed note")
    found = []
    for line in lines[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "—" or not name or len(raw) < 5:
            raise ValueError("not a signature of a note")
        found.append((name, raw[:4], raw[4:]))
    return Note(body + "\n", tuple(found))


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: its name, how many leaves it has, and the root over them."""

    origin: str
    size: int
    root: bytes
    note: Note


def open_checkpoint(text: str) -> Checkpoint:
    """Reads a checkpoint; raises ValueError where it is none."""
    note = open_note(text)
    origin, size, root, *_ = note.body.split("\n")
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size):
        raise ValueError("not a checkpoint")
    raw = base64.b64decode(root, validate=True)
    if len(raw) != 32:
        raise ValueError("not a root")
    return Checkpoint(origin, int(size), raw, note)


def _time(cosignature: bytes) -> int:
    return int.from_bytes(cosignature[:8], "big")


# -- tiles ------------------------------------------------------------------------------------------------------


def tile_name(number: int) -> str:
    """Returns a tile's number as its path: 1234067 is `x001/x234/067`."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *high, low = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "".join(f"x{part}/" for part in high) + low


class Tiles:
    """The files of a log of `size` leaves; raises Trouble where one is missing or cut short."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size

    def leaves(self) -> Iterator[bytes]:
        """Yields the data of all leaves in order."""
        for number in range(-(-self.size // TILE)):
            wanted = min(TILE, self.size - number * TILE)
            data, name = self._tile("entries", number, wanted)
            place = 0
            for _ in range(wanted):
                end = place + 2 + int.from_bytes(data[place : place + 2], "big")
                if end > len(data) or place + 2 > len(data):
                    raise Trouble("tile_short", file=name)
                yield data[place + 2 : end]
                place = end

    def hashes(self, level: int, number: int, wanted: int) -> bytes:
        """Returns the first `wanted` hashes of one tile, one behind the other."""
        data, name = self._tile(str(level), number, wanted)
        if len(data) < 32 * wanted:
            raise Trouble("tile_short", file=name)
        return data[: 32 * wanted]

    def _tile(self, level: str, number: int, wanted: int) -> tuple[bytes, str]:
        whole = f"tile/{level}/{tile_name(number)}"
        # a log that has grown since its checkpoint may hold the whole tile and no part of it
        for name in (f"{whole}.p/{wanted}", whole) if wanted < TILE else (whole,):
            try:
                return (self.folder / name).read_bytes(), f"log/{name}"
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Trouble("file", file=f"log/{name}", detail=error.strerror) from None
        raise Trouble("missing", file=f"log/{whole}")


class _Tree:
    """The tree that grows leaf by leaf, and the tiles of hashes held against what the leaves come to."""

    def __init__(self, tiles: Tiles) -> None:
        self.differ: list[str] = []
        self._tiles = tiles
        self._levels: list[tuple[int, list[bytes]]] = []

    def append(self, leaf: bytes, level: int = 0) -> None:
        if level == len(self._levels):
            self._levels.append((0, []))
        number, hashes = self._levels[level]
        hashes.append(leaf)
        if len(hashes) == TILE:
            self._compare(level)
            self._levels[level] = number + 1, []
            self.append(root_of(hashes), level + 1)

    def end(self) -> list[str]:
        """Returns the tiles that differ, once all leaves are in."""
        for level, (_, hashes) in enumerate(self._levels):
            if hashes:
                self._compare(level)
        return self.differ

    def root(self) -> bytes:
        """Returns the root over all leaves so far."""
        below: list[bytes] = []
        for _, edge in self._levels:
            hashes = edge + below
            below = [root_of(hashes)] if hashes else []
        return root_of(below)

    def _compare(self, level: int) -> None:
        number, hashes = self._levels[level]
        if self._tiles.hashes(level, number, len(hashes)) != b"".join(hashes):
            self.differ.append(f"log/tile/{level}/{tile_name(number)}")


# -- what is found ----------------------------------------------------------------------------------------------

CHANGED, UNVERIFIABLE, INCOMPLETE = 1, 4, 5


class Trouble(Exception):
    """It cannot be verified: a key of SAYS, and what fills its sentence."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code, self.values = code, values


@dataclass(frozen=True)
class Finding:
    """One thing that is not right: a key of SAYS, the exit code that it asks for, and where it is.

    `offset`: of the manifest on `manifests`. `values` fill the sentence.
    """

    code: str
    exit_code: int
    partition: int | None = None
    offset: int | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def text(self, lang: str) -> str:
        """Returns its sentence."""
        place = "" if self.partition is None else say("at", lang, partition=self.partition, offset=self.offset)
        return place + say(self.code, lang, **self.values)


@dataclass
class Report:
    """What was checked, what was found, and what could and could not be excluded (keys of SAYS, with their values)."""

    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    manifests: int = 0
    records: int = 0
    unsealed: int = 0
    leaves: int = 0
    says: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, code: str, exit_code: int, place: tuple[int, int] | None = None, **values: Any) -> None:
        """Takes a finding in; `place`: partition and offset on `manifests`."""
        self.found += 1
        if len(self.findings) < KEPT:
            partition, offset = place or (None, None)
            self.findings.append(Finding(code, exit_code, partition, offset, values))

    @property
    def exit_code(self) -> int:
        """0, or what the gravest finding asks for: changed before not verifiable before incomplete."""
        codes = {finding.exit_code for finding in self.findings}
        return next((code for code in (CHANGED, UNVERIFIABLE, INCOMPLETE) if code in codes), 0)

    def lines(self, lang: str) -> list[str]:
        """Returns all that people are told, one sentence a line."""
        found = [finding.text(lang) for finding in self.findings]
        if self.found > len(self.findings):
            found.append(say("more", lang, count=self.found - len(self.findings)))
        return found + [say(code, lang, **values) for code, values in self.says]

    def plain(self) -> dict[str, Any]:
        """Returns it for programs."""
        return {
            "exit": self.exit_code,
            "found": self.found,
            "findings": [
                {
                    "code": one.code,
                    "exit": one.exit_code,
                    "partition": one.partition,
                    "offset": one.offset,
                    **one.values,
                }
                for one in self.findings
            ],
            "manifests": self.manifests,
            "records": self.records,
            "unsealed": self.unsealed,
            "leaves": self.leaves,
            "says": [{"code": code, **values} for code, values in self.says],
        }


# -- values -----------------------------------------------------------------------------------------------------

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_FLOAT = re.compile(rb"[0-9][ \t\r]*[.eE]|NaN|Infinity")
# Digits, signs, white space and most letters go, and what may stand before a number or make it a float is made alike:
# then a float, wherever it is, leaves one of two marks (`u` and `f` stay, as of `true` and `false` only `e` would).
# Those marks in a string lead to a closer look, no more.
_MARKS = bytes(ord({"[": ",", "e": ".", "E": ".", "N": ".", "I": "."}.get(chr(byte), chr(byte))) for byte in range(256))
_GONE = bytes(byte for byte in range(256) if chr(byte) not in '":,[.eEufNI')
_TAIL = re.compile(
    rb'"src":\{"offset":([0-9]+),"partition":([0-9]+),"timestamp":[0-9]+,"topic":"([^"\\]*)"\},"stage":"([a-z]+)",'
    rb'(?:"subj":(?:null|"[\w-]*"),)?"v":1,"verdict":(?:null|"[a-z]+")\}'
)
"""How an audit record ends: its keys are sorted, and none of those behind `src` holds another object."""
_DID = re.compile(rb'"did":"([A-Z2-7]{26})"')


def holds_float(values: bytes) -> bool:
    """Tells whether JSON values (one or many) hold a number that is no integer."""
    left = values.translate(_MARKS, _GONE)
    if b'":.' not in left and b",." not in left:
        return False
    return _FLOAT.search(_STRING.sub(b'""', values)) is not None


def _no_float(_: str) -> NoReturn:
    raise Trouble("float")


def read_canonical(value: bytes) -> dict[str, Any]:
    """Reads an object of canonical JSON without floats; raises Trouble where it is none."""
    try:
        found = json.loads(value, parse_float=_no_float, parse_constant=_no_float)
    except ValueError:
        raise Trouble("not_json") from None
    if not isinstance(found, dict) or _canonical(found) != value:
        raise Trouble("not_canonical")
    return found


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


class _Lines:
    """The lines of a gzip file, in bounded memory; `floats`: whether one so far holds a number that is no integer."""

    def __init__(self, folder: Path, name: str, told: Callable[[int], None], *, look: bool = False) -> None:
        self.floats = False
        self._folder, self._name, self._told, self._look = folder, name, told, look

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for data in self._data():
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield from self._split(whole)
        if rest:
            yield from self._split(rest)

    def _split(self, whole: bytes) -> list[bytes]:
        self.floats = self.floats or (self._look and holds_float(whole))
        return whole.split(b"\n")

    def _data(self) -> Iterator[bytes]:
        try:
            with (self._folder / self._name).open("rb") as file:
                left, inflate = b"", zlib.decompressobj(31)
                while data := left or file.read(CHUNK >> 3):
                    if not left:
                        self._told(len(data))
                    if inflate.eof:  # another member
                        inflate = zlib.decompressobj(31)
                    yield inflate.decompress(data, CHUNK)
                    left = inflate.unconsumed_tail or inflate.unused_data
                if not inflate.eof:
                    raise Trouble("cut", file=self._name)
        except FileNotFoundError:
            raise Trouble("missing", file=self._name) from None
        except (OSError, zlib.error) as error:
            raise Trouble("file", file=self._name, detail=str(error)) from None


# -- an export --------------------------------------------------------------------------------------------------


@dataclass
class _Sealed:
    """What the sealed log holds of one partition within the export's range: leaf numbers and leaf hashes, in order."""

    indexes: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    last: str | None = None
    """SHA-256 of the newest manifest so far."""
    before: str | None = None
    """SHA-256 of the one before the range."""


class _Chain:
    """Where a partition stands: the manifest before, and the next offset of each input."""

    def __init__(self, prev: str | None, known: bool) -> None:
        self._prev, self._known = prev, known
        self._next: dict[str, int] = {}

    def wrong(self, value: bytes, said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Takes the next manifest in; yields what does not fit, as a key of SAYS with its values."""
        if self._known and said["prev"] != self._prev:
            yield "chain", {}
        self._prev, self._known = sha256(value).hexdigest(), True
        for taken in said["in"]:
            topic, first, to = taken["topic"], taken["from"], taken["to"]
            if (expected := self._next.get(topic, first)) != first:
                yield "skipped", {"topic": topic, "first": first, "expected": expected}
            self._next[topic] = to
            if taken["n"] + sum(gap["n"] for gap in taken["gaps"]) != to - first:
                yield "range", {"topic": topic, "first": first, "to": to}
        if said["audit"]["n"] < sum(taken["n"] for taken in said["in"]):
            yield "too_few", {"count": said["audit"]["n"], "inputs": sum(taken["n"] for taken in said["in"])}


@dataclass
class _Manifest:
    """A line of `manifests/P.ndjson.gz`, read."""

    place: tuple[int, int]
    index: int | None
    value: bytes
    sig: bytes
    said: dict[str, Any]


class _Export:
    def __init__(self, folder: Path, progress: Progress | None) -> None:
        self.folder, self.report = folder, Report()
        self._progress = progress or (lambda done, total: None)
        self._done, self._total = 0, 1
        self._seen: set[bytes] = set()
        self._sealed: dict[int, _Sealed] = {}
        self._log = False

    def check(self, witness: Vkey | None, min_size: int | None) -> Report:
        about = self._about()
        partitions = range(about["partitions"])
        files = [
            self.folder / kind / f"{number}.ndjson.gz" for kind in ("manifests", "records") for number in partitions
        ]
        self._total = sum(file.stat().st_size for file in files if file.exists())
        self._keys = self._read_keys()
        checkpoint = self._checkpoint(about, witness, min_size)
        for number in partitions:
            self._partition(number, whole=about["from"] is None)
        for number in sorted(self._sealed.keys() - set(partitions)):
            for index in self._sealed[number].indexes:
                self.report.add("missing_manifest", CHANGED, None, partition=number, leaf=index)
        self._conclude(about, checkpoint, witness, min_size)
        return self.report

    # -- what the folder says of itself

    def _about(self) -> dict[str, Any]:
        about = read_canonical(self._read("export.json"))
        if about.get("v") != 1 or not isinstance(about.get("partitions"), int) or not {"from", "to"} <= about.keys():
            raise Trouble("file", file="export.json", detail="v")
        return about

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise Trouble("missing", file=name) from None
        except OSError as error:
            raise Trouble("file", file=name, detail=error.strerror) from None

    def _read_keys(self) -> dict[str, dict[str, Vkey]]:
        """Returns the public keys by role and NAME+HASH."""
        found: dict[str, dict[str, Vkey]] = {"worker": {}, "log": {}, "witness": {}}
        for file in sorted((self.folder / "keys").glob("*.pub")):
            role = file.name.partition("-")[0]
            try:
                key = parse_vkey(file.read_text("ascii"))
            except (OSError, ValueError):
                raise Trouble("key", file=f"keys/{file.name}") from None
            if role in found:
                found[role][key.kid] = key
        return found

    # -- the sealed log

    def _checkpoint(self, about: dict[str, Any], witness: Vkey | None, min_size: int | None) -> Checkpoint | None:
        if not (self.folder / "log" / "checkpoint").exists():
            if witness or min_size:
                raise Trouble("missing", file="log/checkpoint")
            self.report.add("no_log", INCOMPLETE)
            return None
        try:
            found = open_checkpoint(self._read("log/checkpoint").decode())
        except ValueError:
            raise Trouble("checkpoint", file="log/checkpoint") from None
        if found.origin != about.get("group"):
            raise Trouble("other_log", origin=found.origin, group=about.get("group"))
        signed = [found.note.signed(key) for key in self._keys["log"].values() if key.name == found.origin]
        if all(one is None for one in signed):
            raise Trouble("unknown_log", origin=found.origin)
        if True not in signed:
            self.report.add("checkpoint_signature", CHANGED)
        if witness is not None:
            cosigned = found.note.signed(witness)
            if cosigned is None:
                self.report.add("not_cosigned", UNVERIFIABLE, kid=witness.kid)
            elif not cosigned:
                self.report.add("cosignature", CHANGED, kid=witness.kid)
        if min_size is not None and found.size < min_size:
            self.report.add("too_small", CHANGED, size=found.size, wanted=min_size)
        self._read_log(about, found)
        return found

    def _read_log(self, about: dict[str, Any], checkpoint: Checkpoint) -> None:
        tiles = Tiles(self.folder / "log", checkpoint.size)
        tree = _Tree(tiles)
        first, to = about["from"], about["to"]
        for index, leaf in enumerate(tiles.leaves()):
            hash_ = leaf_hash(leaf)
            tree.append(hash_)
            try:
                said = read_canonical(leaf)
            except Trouble as trouble:
                self.report.add("leaf", UNVERIFIABLE, leaf=index, why=trouble.code)
                continue
            if not isinstance(said.get("partition"), int) or "prev" not in said:
                continue  # no manifest: a report of coverage
            sealed = self._sealed.setdefault(said["partition"], _Sealed())
            if sealed.last is not None and said["prev"] != sealed.last:
                self.report.add("log_chain", CHANGED, leaf=index, partition=said["partition"])
            sealed.last = sha256(leaf).hexdigest()
            if (first is None or said["t1"] >= first) and (to is None or said["t1"] < to):
                sealed.indexes.append(index)
                sealed.hashes.append(hash_)
            elif not sealed.indexes:
                sealed.before = sealed.last
        self._log, self.report.leaves = True, checkpoint.size
        if tree.root() != checkpoint.root:
            self.report.add("log_root", CHANGED)
        for name in tree.end():
            self.report.add("tile", CHANGED, file=name)

    # -- one partition

    def _partition(self, number: int, *, whole: bool) -> None:
        sealed = self._sealed.get(number, _Sealed())
        chain = _Chain(sealed.before, whole or sealed.before is not None)
        lines = _Lines(self.folder, f"records/{number}.ndjson.gz", self._tell, look=True)
        records = _Records(lines, self.report, self._seen)
        member = _Membership(sealed, self.report) if self._log else None
        ahead: deque[_Manifest] = deque()
        coming = self._manifests(number)
        offset = -1
        while True:
            ahead.extend(islice(coming, AHEAD + 1 - len(ahead)))
            if not ahead:
                break
            one = ahead.popleft()
            self.report.manifests += 1
            if one.place[1] <= offset:
                self.report.add("order", CHANGED, one.place)
            offset = one.place[1]
            self._signature(one)
            try:
                if one.said["partition"] != number:
                    self.report.add("other_partition", CHANGED, one.place, partition_said=one.said["partition"])
                for code, values in chain.wrong(one.value, one.said):
                    self.report.add(code, CHANGED, one.place, **values)
                if member is not None:
                    member.take(one)
                records.take(one, ahead)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Trouble("manifest", partition=number, offset=offset) from None
        if member is not None:
            member.end(number)
        records.end(number)

    def _manifests(self, number: int) -> Iterator[_Manifest]:
        name = f"manifests/{number}.ndjson.gz"
        for count, line in enumerate(_Lines(self.folder, name, self._tell), start=1):
            try:
                found = json.loads(line)
                value = found["value"].encode()
                said = read_canonical(value)
                place = number, int(found["offset"])
                yield _Manifest(place, found["index"], value, base64.b64decode(found["sig"], validate=True), said)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise Trouble("line", file=name, line=count) from None
            except Trouble as trouble:
                raise Trouble("line_value", file=name, line=count, why=trouble.code) from None

    def _signature(self, one: _Manifest) -> None:
        key = self._keys["worker"].get(str(one.said.get("kid")))
        if key is None:
            self.report.add("unknown_key", UNVERIFIABLE, one.place, kid=one.said.get("kid"))
        elif not key.verifies(one.sig, one.value):
            self.report.add("signature", CHANGED, one.place, kid=key.kid)

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)

    # -- the end

    def _conclude(
        self, about: dict[str, Any], checkpoint: Checkpoint | None, witness: Vkey | None, min_size: int | None
    ) -> None:
        report = self.report
        counts = {"manifests": report.manifests, "records": report.records, "leaves": report.leaves}
        report.says.append(("counted", counts))
        if report.exit_code:
            report.says.append(("not_right", {"count": report.found}))
        if about["from"] or about["to"]:
            report.says.append(("only", {"first": about["from"] or "-", "to": about["to"] or "-"}))
        if checkpoint is not None:
            report.says += _excluded(checkpoint.note, checkpoint.size, witness, min_size)
        report.says.append(("elsewhere", {}))


def _excluded(note: Note, size: int, witness: Vkey | None, min_size: int | None) -> list[tuple[str, dict[str, Any]]]:
    """Returns what can be said of a cut-off end and of a history rewritten whole."""
    found: list[tuple[str, dict[str, Any]]] = []
    if witness is not None and note.signed(witness):
        found.append(("witnessed", {"kid": witness.kid, "size": size, "at": _instant(note.cosigned_at(witness))}))
    elif min_size is not None and size >= min_size:
        found.append(("long_enough", {"size": size, "wanted": min_size}))
    else:
        found.append(("not_excluded", {"size": size}))
    return found


class _Membership:
    """Follows a partition's exported manifests through what was sealed of it."""

    def __init__(self, sealed: _Sealed, report: Report) -> None:
        self._sealed, self._report = sealed, report
        self._at = 0
        self._unsealed: tuple[int, int] | None = None
        self._count = 0
        self._places: dict[bytes, int] = {}

    def take(self, one: _Manifest) -> None:
        """Takes the next manifest in."""
        hash_, sealed = leaf_hash(one.value), self._sealed
        if self._at < len(sealed.hashes) and sealed.hashes[self._at] == hash_:
            self._right(one)
            return
        self._places = self._places or {found: place for place, found in enumerate(sealed.hashes)}
        place = self._places.get(hash_)
        if place is not None and place > self._at:
            for missing in range(self._at, place):
                self._report.add("missing_before", CHANGED, one.place, leaf=sealed.indexes[missing])
            self._at = place
            self._right(one)
        elif place is not None:
            self._report.add("again", CHANGED, one.place, leaf=sealed.indexes[place])
        elif one.index is not None or self._at < len(sealed.hashes):
            self._report.add("not_sealed", CHANGED, one.place, leaf=one.index)
            if self._at < len(sealed.hashes) and one.index == sealed.indexes[self._at]:
                self._at += 1
        else:
            self._unsealed = self._unsealed or one.place
            self._count += 1

    def _right(self, one: _Manifest) -> None:
        if one.index != self._sealed.indexes[self._at]:
            self._report.add("index", CHANGED, one.place, leaf=self._sealed.indexes[self._at], said=one.index)
        self._at += 1

    def end(self, number: int) -> None:
        """Tells what is left: sealed and not there, or there and not sealed."""
        for index in self._sealed.indexes[self._at :]:
            self._report.add("missing_manifest", CHANGED, None, partition=number, leaf=index)
        if self._unsealed is not None:
            self._report.unsealed += self._count
            self._report.add("unsealed", INCOMPLETE, self._unsealed, count=self._count)


class _Records:
    """Holds a partition's records against its manifests."""

    def __init__(self, lines: _Lines, report: Report, seen: set[bytes]) -> None:
        self._lines, self._report, self._seen = lines, report, seen
        self._coming = iter(lines)
        self._back: deque[bytes] = deque()

    def take(self, one: _Manifest, ahead: Iterable[_Manifest]) -> None:
        """Takes the records of the next manifest, and tells what is wrong with them."""
        audit = one.said["audit"]
        taken = self._next(audit["n"])
        if _fits(taken, one.said):
            if taken and not _is(taken[0], str(audit["from_id"])):
                self._report.add("from_id", CHANGED, one.place)
        else:
            taken = self._strays(one, taken, ahead)
            if not _fits(taken, one.said):
                taken = self._damaged(one, taken, ahead)
        self._report.records += len(taken)
        if self._lines.floats:
            for place, record in enumerate(taken):
                if holds_float(record):
                    self._report.add("float_at", UNVERIFIABLE, one.place, record=place)
        self._sources(one, taken)

    def end(self, number: int) -> None:
        """Tells what is left over."""
        if count := len(self._back) + sum(1 for _ in self._coming):
            self._report.add("left_over", CHANGED, None, partition=number, count=count)

    def _next(self, count: int) -> list[bytes]:
        count = max(0, count)
        if not self._back:
            return list(islice(self._coming, count))
        found = [self._back.popleft() for _ in range(min(count, len(self._back)))]
        return found + list(islice(self._coming, count - len(found)))

    def _strays(self, one: _Manifest, taken: list[bytes], ahead: Iterable[_Manifest]) -> list[bytes]:
        """Passes over records that stand before those of the manifest, if those are whole; returns its records."""
        audit = one.said["audit"]
        place = self._seek({str(audit["from_id"])}, taken, 2 * audit["n"], _starts(ahead))
        if place:
            taken += self._next(place + audit["n"] - len(taken))
            if _fits(taken[place : place + audit["n"]], one.said):
                self._report.add("strays", CHANGED, one.place, count=place)
                return self._first(taken[place:], audit["n"])
        return self._first(taken, audit["n"])

    def _damaged(self, one: _Manifest, taken: list[bytes], ahead: Iterable[_Manifest]) -> list[bytes]:
        """Finds out where the next manifest's records begin; returns the records that stand before them."""
        starts, count = _starts(ahead), one.said["audit"]["n"]
        most = 2 * count + sum(found.said["audit"]["n"] for found in ahead)
        end = self._seek(starts, taken, most)
        if end is None and not starts and len(taken) > count:
            end = len(taken)  # nothing comes behind it
        short = end is None and len(taken) < count
        found = self._first(taken, count if end is None else end)
        if short:
            self._report.add("records_end", INCOMPLETE, one.place, count=len(found), wanted=count)
        elif len(found) != count:
            self._report.add("record_count", CHANGED, one.place, count=len(found), wanted=count)
        else:
            self._report.add("root", CHANGED, one.place, count=count)
        return found

    def _first(self, taken: list[bytes], count: int) -> list[bytes]:
        """Returns the first of some records, and keeps the rest for the next manifest."""
        self._back.extendleft(reversed(taken[count:]))
        return taken[:count]

    def _seek(self, dids: set[str], taken: list[bytes], most: int, stop: Collection[str] = ()) -> int | None:
        """Returns where the first record with one of these decision ids is, adding to `taken` as it goes.

        None where there is none among so many, or before one of those at which to stop.
        """
        for place in range(most):
            if place == len(taken):
                if not (more := self._next(1)):
                    return None
                taken += more
            if did := _DID.search(taken[place]):
                if (found := did[1].decode()) in dids:
                    return place
                if found in stop:
                    return None
        return None

    def _sources(self, one: _Manifest, records: Sequence[bytes]) -> None:
        """Checks that each input of the manifest has its record, once, and no other partition's is among them."""
        sends, *others = one.said["in"]
        if sum(taken["to"] - taken["from"] - sum(gap["n"] for gap in taken["gaps"]) for taken in one.said["in"]) > max(
            10_000, 2 * len(records)
        ):
            return  # told already; they are too many to be named
        expected = _offsets(sends)
        partition, topic = one.said["partition"], sends["topic"]
        middle = b',"partition":%d,"timestamp":' % partition
        behind = b',"topic":"%s"},"stage":"intake",' % topic.encode()
        wanted, seen = next(expected, None), set()
        waiting: set[int] = set()
        for place, record in enumerate(records):
            at = record.rfind(b'"src":{')
            if wanted is not None:
                expected_now = b'"src":{"offset":%d%b' % (wanted, middle)
                # a time in milliseconds has 13 digits from 2001 to 2286; another one takes the longer way
                if record.startswith(expected_now, at) and record.startswith(behind, at + len(expected_now) + 13):
                    wanted = next(expected, None)
                    continue
            found = _TAIL.fullmatch(record, at) if at >= 0 else None
            did = _DID.search(record)
            if found is None or did is None:
                self._report.add("record", UNVERIFIABLE, one.place, record=place)
                continue
            offset = int(found[1])
            input_ = {"topic": found[3].decode(), "input": offset, "record": place}
            if int(found[2]) != partition:
                self._report.add("of_partition", CHANGED, one.place, of=int(found[2]), **input_)
            elif found[4] != b"intake":
                seen.add((found[3], offset))
                if did[1] in self._seen:
                    self._report.add("twice", CHANGED, one.place, **input_)
                self._seen.add(did[1])
            elif offset in waiting:  # passed over before: it is not missing, only out of order
                waiting.discard(offset)
                self._report.add("out_of_order", CHANGED, one.place, **input_)
            else:
                while wanted is not None and wanted < offset:
                    waiting.add(wanted)
                    wanted = next(expected, None)
                if wanted == offset:
                    wanted = next(expected, None)
                elif sends["from"] <= offset < sends["to"] and found[3].decode() == topic:
                    self._report.add("twice", CHANGED, one.place, **input_)
                else:
                    self._report.add("not_taken", CHANGED, one.place, **input_)
        missing = sorted(waiting) + ([] if wanted is None else [wanted, *expected])
        lacking = [(topic, offset) for offset in missing]
        lacking += [
            (taken["topic"], offset)
            for taken in others
            for offset in _offsets(taken)
            if (taken["topic"].encode(), offset) not in seen
        ]
        for name, offset in lacking:
            self._report.add("no_record", CHANGED, one.place, topic=name, input=offset)


def _fits(records: Sequence[bytes], said: dict[str, Any]) -> bool:
    if len(records) != said["audit"]["n"]:
        return False
    return root_of([sha256(b"\x00" + record).digest() for record in records]).hex() == str(said["root"])


def _is(record: bytes, did: str) -> bool:
    return f'"did":"{did}"'.encode() in record


def _starts(ahead: Iterable[_Manifest]) -> set[str]:
    return {str(one.said["audit"]["from_id"]) for one in ahead if one.said["audit"]["n"]}


def _offsets(taken: dict[str, Any]) -> Iterator[int]:
    """Yields the offsets of an input that hold a record, by what the manifest says of the gaps."""
    at = taken["from"]
    for gap in taken["gaps"]:
        yield from range(at, gap["first"])
        at = gap["first"] + gap["n"]
    yield from range(at, taken["to"])


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def verify(
    folder: Path, *, witness: Vkey | None = None, min_size: int | None = None, progress: Progress | None = None
) -> Report:
    """Checks an export; returns all that was found, and what could and could not be excluded.

    `witness`: the key of a witness that you trust, from elsewhere than this folder. `min_size`: the log had so many
    leaves already. `progress` hears how many bytes of how many are read.
    """
    export = _Export(folder, progress)
    try:
        return export.check(witness, min_size)
    except Trouble as trouble:
        export.report.add(trouble.code, UNVERIFIABLE, None, **trouble.values)
        export.report.says.append(("not_right", {"count": export.report.found}))
        return export.report


# -- one decision's proof ---------------------------------------------------------------------------------------


def check_proof(file: Path, *, witness: Vkey | None = None, min_size: int | None = None) -> Report:
    """Checks the proof of one decision: its record, manifest and checkpoint, and what leads from each to the next.

    `witness`, `min_size`: as `verify` takes them.
    """
    try:
        value = file.read_bytes()
    except OSError as error:
        report = Report()
        report.add("file", UNVERIFIABLE, None, file=file.name, detail=error.strerror)
        report.says.append(("not_right", {"count": report.found}))
        return report
    return checked(value, name=file.name, witness=witness, min_size=min_size)


def checked(proof: bytes, *, name: str = "", witness: Vkey | None = None, min_size: int | None = None) -> Report:
    """Checks a proof as `check_proof` does, given as bytes; `name`: of the file that they come from."""
    report = Report()
    try:
        try:
            _check_proof(json.loads(proof), report, witness, min_size)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Trouble("proof", file=name) from None
    except Trouble as trouble:
        report.add(trouble.code, UNVERIFIABLE, None, **trouble.values)
    if report.exit_code:
        report.says.append(("not_right", {"count": report.found}))
    return report


def _check_proof(proof: dict[str, Any], report: Report, witness: Vkey | None, min_size: int | None) -> None:
    keys = {key.kid: key for key in map(parse_vkey, proof["keys"])}
    record, manifest = proof["record"].encode(), proof["manifest"]
    value = manifest["value"].encode()
    said = read_canonical(value)
    place = said["partition"], manifest["offset"]
    if read_canonical(record)["did"] != proof["did"]:
        report.add("other_record", CHANGED, place)
    path = proof["path"]
    root = root_from_inclusion(leaf_hash(record), path["index"], said["audit"]["n"], _hashes(path))
    if root is None or root.hex() != said["root"]:
        report.add("not_in_manifest", CHANGED, place)
    worker = keys.get(said["kid"])
    if worker is None:
        report.add("unknown_key", UNVERIFIABLE, place, kid=said["kid"])
    elif not worker.verifies(base64.b64decode(manifest["sig"], validate=True), value):
        report.add("signature", CHANGED, place, kid=said["kid"])
    report.manifests = report.records = 1
    if (log := proof["log"]) is None:
        report.unsealed = 1
        report.add("unsealed", INCOMPLETE, place, count=1)
        return
    checkpoint = open_checkpoint(log["checkpoint"])
    signed = [checkpoint.note.signed(key) for key in keys.values() if key.name == checkpoint.origin]
    if all(one is None for one in signed):
        raise Trouble("unknown_log", origin=checkpoint.origin)
    if True not in signed:
        report.add("checkpoint_signature", CHANGED)
    if root_from_inclusion(leaf_hash(value), log["index"], checkpoint.size, _hashes(log)) != checkpoint.root:
        report.add("not_in_log", CHANGED, place, leaf=log["index"])
    if witness is not None and not (cosigned := checkpoint.note.signed(witness)):
        code, asks = ("not_cosigned", UNVERIFIABLE) if cosigned is None else ("cosignature", CHANGED)
        report.add(code, asks, kid=witness.kid)
    if min_size is not None and checkpoint.size < min_size:
        report.add("too_small", CHANGED, size=checkpoint.size, wanted=min_size)
    report.leaves = checkpoint.size
    report.says.append(("proven", {"did": proof["did"], "leaf": log["index"], "size": checkpoint.size}))
    report.says += _excluded(checkpoint.note, checkpoint.size, witness, min_size)


def _hashes(path: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in path["hashes"]]


# -- what is said -----------------------------------------------------------------------------------------------

SAYS = {
    "at": ("パーティション {partition}、manifests のオフセット {offset}: ", "Partition {partition}, offset {offset} of manifests: "),
    "more": ("ほかに {count} 件あります。", "There are {count} more."),
    # it cannot be verified
    "missing": ("{file} がありません。書き出し直してください。", "{file} is missing. Export again."),
    "file": ("{file} を読めません ({detail})。書き出し直してください。", "{file} cannot be read ({detail}). Export again."),
    "cut": ("{file} は途中で切れています。書き出し直してください。", "{file} is cut short. Export again."),
    "key": ("{file} は公開鍵として読めません。", "{file} cannot be read as a public key."),
    "not_json": ("正準 JSON ではありません。", "A value is no JSON object."),
    "not_canonical": ("正準 JSON ではありません。", "A value is not canonical JSON."),
    "float": ("小数が含まれています。正準な監査記録に小数はありません。", "A value holds a number that is no integer; no canonical audit record does."),
    "line": ("{file} の {line} 行目を読めません。", "Line {line} of {file} cannot be read."),
    "line_value": ("{file} の {line} 行目のマニフェストは正準 JSON ではありません ({why})。", "The manifest on line {line} of {file} is not canonical JSON ({why})."),
    "manifest": ("パーティション {partition}、manifests のオフセット {offset}: マニフェストの形が違います。", "Partition {partition}, offset {offset} of manifests: this is not shaped like a manifest."),
    "checkpoint": ("{file} はチェックポイントとして読めません。", "{file} cannot be read as a checkpoint."),
    "other_log": ("チェックポイントは別のログ {origin} のものです。書き出し元は {group} です。", "The checkpoint is another log's: {origin}, and the export is of {group}."),
    "unknown_log": ("ログ {origin} の公開鍵がありません。", "No public key of the log {origin} is at hand."),
    "tile_short": ("{file} は途中で切れています。ログをコピーし直してください。", "{file} is cut short. Copy the log again."),
    "leaf": ("封印ログの葉 {leaf} は正準 JSON ではありません ({why})。", "Leaf {leaf} of the sealed log is not canonical JSON ({why})."),
    "unknown_key": ("署名した鍵 {kid} の公開鍵がありません。", "The key that signed it, {kid}, is not among the public keys."),
    "not_cosigned": ("チェックポイントに証人 {kid} の連署がありません。", "The checkpoint bears no cosignature of the witness {kid}."),
    "record": ("{record} 番目の記録 (0 から) は監査記録の形ではありません。", "Record {record} of it (from 0) is not shaped like an audit record."),
    "float_at": ("{record} 番目の記録 (0 から) に小数があります。正準な監査記録に小数はありません。", "Record {record} of it (from 0) holds a number that is no integer; no canonical audit record does."),
    "proof": ("{file} は証明として読めません。", "{file} cannot be read as a proof."),
    "witness_key": ("--witness は証人の公開鍵 (NAME+HASH+BASE64) か、それを収めたファイルです。", "--witness takes a witness's public key (NAME+HASH+BASE64), or a file with it."),
    # part of it is missing
    "no_log": ("封印ログがありません。署名と鎖だけを確かめました。`gatekeeper audit seal` で封印してから書き出してください。", "There is no sealed log: only signatures and chains were checked. Seal with `gatekeeper audit seal`, then export."),
    "unsealed": ("ここから {count} 件のマニフェストはまだ封印されていません。封印してから書き出し直してください。", "From here on {count} manifests are not sealed yet. Seal them, and export again."),
    "records_end": ("記録がここで終わっています。{wanted} 件のうち {count} 件しかありません。", "The records end here: {count} of {wanted} are there."),
    # something was changed
    "checkpoint_signature": ("チェックポイントの署名が正しくありません。", "The signature of the checkpoint is wrong."),
    "cosignature": ("証人 {kid} の連署が正しくありません。", "The cosignature of the witness {kid} is wrong."),
    "too_small": ("封印ログの葉は {size} 枚で、求められた {wanted} 枚より少なく、末尾が切り取られています。", "The sealed log has {size} leaves, and {wanted} were asked for: its end is cut off."),
    "log_root": ("封印ログの葉から計算した根がチェックポイントと一致しません。", "The leaves of the sealed log do not come to the root of its checkpoint."),
    "log_chain": ("封印ログの葉 {leaf} (パーティション {partition}) は、前のマニフェストに続いていません。", "Leaf {leaf} of the sealed log (partition {partition}) does not follow that partition's manifest before."),
    "tile": ("{file} が葉と一致しません。", "{file} is not what the leaves come to."),
    "missing_manifest": ("パーティション {partition}: 封印ログの葉 {leaf} のマニフェストがありません。", "Partition {partition}: the manifest that is leaf {leaf} of the sealed log is missing."),
    "missing_before": ("この前にあるはずの、封印ログの葉 {leaf} のマニフェストがありません。", "The manifest that is leaf {leaf} of the sealed log is missing before it."),
    "again": ("封印ログの葉 {leaf} のマニフェストが二度、または順序を変えて現れます。", "The manifest that is leaf {leaf} of the sealed log is here again, or out of order."),
    "not_sealed": ("このマニフェストは封印されたものと違います。", "This manifest is not the one that was sealed."),
    "index": ("封印ログの葉 {leaf} ですが、{said} と書かれています。", "It is leaf {leaf} of the sealed log, and called leaf {said}."),
    "order": ("オフセットが前より大きくありません。", "Its offset is not after the one before."),
    "signature": ("鍵 {kid} の署名が正しくありません。", "The signature by the key {kid} is wrong."),
    "other_partition": ("パーティション {partition_said} のマニフェストです。", "It is a manifest of partition {partition_said}."),
    "chain": ("前のマニフェストに続いていません。抜けたか、入れ替わったか、書き換えられています。", "It does not follow the manifest before: one was dropped, moved or changed."),
    "skipped": ("{topic} のオフセット {expected} から始まるはずが {first} から始まっています。", "It begins at offset {first} of {topic}, and {expected} comes next."),
    "range": ("{topic} のオフセット {first} から {to} の件数と欠番が合いません。", "Records and gaps do not add up from offset {first} to {to} of {topic}."),
    "too_few": ("入力 {inputs} 件に対して監査記録は {count} 件です。", "There are {count} audit records for {inputs} inputs."),
    "strays": ("この前に、どのマニフェストにも属さない記録が {count} 件あります。", "Before it stand {count} records that belong to no manifest."),
    "root": ("{count} 件の記録のどれかが、署名されたものと違います。", "One or more of its {count} records are not those that were signed."),
    "record_count": ("記録が {wanted} 件のはずが {count} 件あります。", "It has {count} records, and {wanted} were signed."),
    "from_id": ("最初の記録の決定 ID が違います。", "Its first record has another decision id than it says."),
    "of_partition": ("{record} 番目の記録 (0 から) は別のパーティション {of} のものです ({topic} のオフセット {input})。", "Record {record} of it (from 0) is of another partition, {of} (offset {input} of {topic})."),
    "twice": ("{record} 番目の記録 (0 から): {topic} のオフセット {input} の記録は二つ目です。", "Record {record} of it (from 0): offset {input} of {topic} has a record already."),
    "out_of_order": ("{record} 番目の記録 (0 から): {topic} のオフセット {input} の順序が違います。", "Record {record} of it (from 0): offset {input} of {topic} is out of order."),
    "not_taken": ("{record} 番目の記録 (0 から): {topic} のオフセット {input} はこの取引の入力ではありません。", "Record {record} of it (from 0): offset {input} of {topic} is no input of this transaction."),
    "no_record": ("{topic} のオフセット {input} に監査記録がありません。", "Offset {input} of {topic} has no audit record."),
    "left_over": ("パーティション {partition}: どのマニフェストにも属さない記録が {count} 件あります。", "Partition {partition}: {count} records belong to no manifest."),
    "other_record": ("記録の決定 ID が証明のものと違います。", "The record has another decision id than the proof."),
    "not_in_manifest": ("記録はこのマニフェストに含まれていません。", "The record is not in this manifest."),
    "not_in_log": ("マニフェストは封印ログの葉 {leaf} ではありません。", "The manifest is not leaf {leaf} of the sealed log."),
    # what it comes to
    "counted": ("マニフェスト {manifests:,} 件、監査記録 {records:,} 件、封印ログの葉 {leaves:,} 枚を確かめました。", "Checked {manifests:,} manifests, {records:,} audit records and {leaves:,} leaves of the sealed log."),
    "not_right": ("正しくない点が {count} 件あります。", "Things that are not right: {count}."),
    "only": ("対象は {first} から {to} の前までに判定されたものだけです。", "This covers only what was decided from {first} until before {to}."),
    "proven": ("決定 {did} は封印ログの葉 {leaf} (全 {size} 枚) のマニフェストに含まれています。", "Decision {did} is in the manifest that is leaf {leaf} of {size} of the sealed log."),
    "witnessed": ("証人 {kid} は {at} に {size} 枚のログを見ています。それまでに封印されたものの変更・削除・差し替えは除外できます。その後に封印されたものが切り取られたかどうかは除外できません。", "The witness {kid} saw this log of {size} leaves at {at}. Excluded: that anything sealed by then was changed, removed or replaced. Not excluded: that what was sealed later was cut off."),
    "long_enough": ("ログは求められた {wanted} 枚以上 ({size} 枚) です。そこまでの切り取りは除外できます。すべての鍵を持つ者が履歴全体を作り直したことは除外できません (--witness)。", "The log has {size} leaves, at least the {wanted} asked for: that its end was cut off before is excluded. Not excluded: that somebody with all keys made the whole anew (--witness)."),
    "not_excluded": ("末尾が切り取られたこと、すべての鍵を持つ者が全体を作り直したことは除外できません (ログは {size} 枚)。--witness か --min-size を指定してください。", "Not excluded: that the end was cut off, or that somebody with the keys made the whole anew (the log has {size} leaves). Pass --witness, or --min-size."),
    "elsewhere": ("判定が事実と規則から導かれるかは `gatekeeper audit replay`、欠番が本当に空かは `gatekeeper audit coverage` が確かめます。", "Whether the verdicts follow from facts and rules is for `gatekeeper audit replay`, and whether gaps are empty for `gatekeeper audit coverage`."),
}  # fmt: skip
"""Every sentence, in Japanese and English; it stands here because this file stands alone."""


def language() -> str:
    """Returns the reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def say(code: str, lang: str, **values: Any) -> str:
    """Returns a sentence of SAYS, filled in."""
    return SAYS[code][lang != "ja"].format(**values)


def read_witness(text: str) -> Vkey:
    """Reads the key of a witness as the option names it: the key itself, or a file that holds it; raises Trouble."""
    try:
        key = parse_vkey(text if text.count("+") > 1 else Path(text).read_text("ascii"))
    except (OSError, ValueError):
        raise Trouble("witness_key") from None
    if key.kind != COSIGNATURE:
        raise Trouble("witness_key")
    return key


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check as a command, and returns its exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    what.add_argument("--proof", type=Path, metavar="FILE")
    parser.add_argument("--witness", metavar="KEY")
    parser.add_argument("--min-size", type=int, metavar="N")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    lang = language()
    try:
        witness = read_witness(given.witness) if given.witness else None
    except Trouble as trouble:
        sys.stderr.write(say(trouble.code, lang) + "\n")
        return 2
    check = check_proof if given.proof else verify
    report = check(given.proof or given.folder, witness=witness, min_size=given.min_size)
    told = json.dumps(report.plain(), ensure_ascii=False) if given.json else "\n".join(report.lines(lang))
    sys.stdout.write(told + "\n")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
