"""Checks an export of the audit log, or one decision's proof: offline, and without any of the gatekeeper's own code.

    python verify.py DIR [--witness KEY] [--min-size N] [--json]
    python verify.py --proof FILE [--witness KEY] [--min-size N] [--json]

It needs Python 3.11 or later and the package `cryptography`, and no other file. Exit codes: 0 all is as it was signed
and sealed, 1 something was changed, 2 the call is wrong, 3 the output cannot be written, 4 it cannot be verified,
5 part of it is missing, 130 interrupted. It is the same where nobody reads the output to its end.

Tree hashes are those of RFC 6962, the log's files those of C2SP tlog-tiles, and the checkpoint a C2SP signed note.
"""

from __future__ import annotations

import argparse
import base64
import errno
import json
import os
import re
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256
ED25519, COSIGNATURE = 1, 4
PIECE = 1 << 14
"""So many compressed bytes are read at once; they commonly come to ten times as many, and to LONGEST at the most."""
LONGEST = 1 << 22
"""No line is longer: a record has 256 KiB at the most."""
KEPT = 1_000
"""So many findings are kept, however many there are."""
PARTITIONS = 100_000
"""No export has more."""
LARGEST = (1 << 53) - 1
"""No integer of canonical JSON is larger: one reader would take it for another number than the next."""
LATEST = 253_402_300_799
"""The last second of the year 9999; no witness signs later."""
AHEAD = 64
"""So many manifests ahead are looked at for where their records begin, after some that do not fit."""

Progress = Callable[[int, int], None]

# -- trees ------------------------------------------------------------------------------------------------------


LEAF = sha256(b"\x00")


def leaf_hash(leaf: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256 of 0x00 and its bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of a node: SHA-256 of 0x01 and those of its two halves."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over leaf hashes in order; SHA-256 of nothing for none."""
    level = list(hashes)
    while len(level) > 1:
        level = next_level(level)
    return level[0] if level else sha256().digest()


def next_level(level: list[bytes]) -> list[bytes]:
    """Returns the nodes over a level's; a last one without partner goes up as it is, which is the RFC's split."""
    nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    return nodes + level[-1:] if len(level) % 2 else nodes


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
                len(one) == 72
                and _time(one) <= LATEST
                and key.verifies(one[8:], f"cosignature/v1\ntime {_time(one)}\n{self.body}".encode())
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
    """The files of the log of `size` leaves below an export's `log/`; raises Trouble for one missing or cut short."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.names: set[str] = set()
        """The files that were read."""
        self.longer: list[str] = []
        """Those that hold more than their name says."""

    def leaves(self) -> Iterator[bytes]:
        """Yields the data of all leaves in order."""
        for number in range(-(-self.size // TILE)):
            wanted = min(TILE, self.size - number * TILE)
            data, name = self._tile("entries", number, wanted)
            place = 0
            for _ in range(wanted):
                end = place + 2 + int.from_bytes(data[place : place + 2], "big")
                if end > len(data) or place + 2 > len(data):
                    raise Trouble("cut", file=name)
                yield data[place + 2 : end]
                place = end
            self._ends(name, wanted, longer=len(data) > place)

    def differing(self, leaves: list[bytes]) -> Iterator[str]:
        """Yields the names of the tiles of hashes that are not what these leaf hashes come to."""
        level, hashes = 0, leaves
        while hashes:
            for number in range(-(-len(hashes) // TILE)):
                right = b"".join(hashes[number * TILE : (number + 1) * TILE])
                data, name = self._tile(str(level), number, len(right) // 32)
                if len(data) < len(right):
                    raise Trouble("cut", file=name)
                if not data.startswith(right):
                    yield name
                self._ends(name, len(right) // 32, longer=len(data) > len(right))
            whole = range(0, len(hashes) - TILE + 1, TILE)
            level, hashes = level + 1, [root_of(hashes[at : at + TILE]) for at in whole]

    def _tile(self, level: str, number: int, wanted: int) -> tuple[bytes, str]:
        whole = f"log/tile/{level}/{tile_name(number)}"
        part = f"{whole}.p/{wanted}"
        # a log that has grown since its checkpoint may hold the whole tile and no part of it
        name = part if wanted < TILE and _there(self.folder, part) else whole
        self.names.add(name)
        return _read(self.folder, name), name

    def _ends(self, name: str, wanted: int, *, longer: bool) -> None:
        if longer and (wanted == TILE or name.endswith(f".p/{wanted}")):
            self.longer.append(name)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # reading it tells what is wrong


def _there(folder: Path, name: str) -> bool:
    """Tells whether there is something of that name, if only a link; raises Trouble where that cannot be told."""
    try:
        (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Trouble("file", file=name, detail=error.strerror) from None
    return True


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Opens a file to be read; raises Trouble where it is missing, is none that comes to an end, or cannot be read."""
    try:
        if not S_ISREG((folder / name).stat().st_mode):
            raise Trouble("no_file", file=name)
        with (folder / name).open("rb") as file:
            yield file
    except FileNotFoundError:
        raise Trouble("missing", file=name) from None
    except OSError as error:
        raise Trouble("file", file=name, detail=error.strerror) from None


def _read(folder: Path, name: str) -> bytes:
    with _opened(folder, name) as file:
        return file.read()


# -- what is found ----------------------------------------------------------------------------------------------


class Trouble(Exception):
    """It cannot be verified: a key of SAYS, and what fills its sentence."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code, self.values = code, values


@dataclass(frozen=True)
class Finding:
    """One thing that is not right: a key of SAYS, where it is, and what fills the sentence.

    `offset`: of the manifest on `manifests`. `exit`: the exit code that it asks for.
    """

    code: str
    exit: int
    partition: int | None
    offset: int | None
    values: dict[str, Any]

    def text(self, lang: str) -> str:
        """Returns its sentence."""
        place = "" if self.partition is None else say("at", lang, partition=self.partition, offset=self.offset)
        return place + say(self.code, lang, **self.values)


_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_NAME = r"[A-Za-z0-9._-]{1,200}"
_NAMED = {
    "kid": re.compile(rf"{_NAME}(/[a-z]+)?\+[0-9a-f]{{8}}"),
    "origin": re.compile(rf"{_NAME}\.gatekeeper"),
    "group": re.compile(rf"{_NAME}\.gatekeeper"),
    "topic": re.compile(rf"{_NAME}\.v[0-9]{{1,3}}"),
    "did": re.compile(r"[A-Z2-7]{26}"),
    "at": _INSTANT,
    "first": _INSTANT,
    "to": _INSTANT,
}
_OWN = ("file", "detail", "why")
"""Values that are not from what was written to be checked: file names, the system's words, and keys of SAYS."""


def named(values: dict[str, Any]) -> dict[str, Any]:
    """Returns what may be told of values: numbers, and ids of the right shape. All else may be a forger's, or personal."""
    return {
        name: _printable(value)
        if name in _OWN
        else value
        if value is None
        or (type(value) is int and abs(value) <= LARGEST)
        or (name in _NAMED and isinstance(value, str) and _NAMED[name].fullmatch(value))
        else "?"
        for name, value in values.items()
    }


@dataclass
class Report:
    """What was checked, what was found, and what could and could not be excluded (keys of SAYS, with their values)."""

    exit_code: int = 0
    """0, or what the gravest finding asks for: changed before not verifiable before incomplete."""
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    manifests: int = 0
    records: int = 0
    unsealed: int = 0
    leaves: int = 0
    says: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, code: str, place: tuple[int, int] | None = None, /, **values: Any) -> None:
        """Takes a finding in; `place`: partition and offset on `manifests`."""
        asks = CHANGED if code in SAYS_CHANGED else INCOMPLETE if code in SAYS_INCOMPLETE else UNVERIFIABLE
        self.exit_code = min(self.exit_code or asks, asks)
        self.found += 1
        if len(self.findings) < KEPT:
            partition, offset = place or (None, None)
            self.findings.append(Finding(code, asks, partition, offset, named(values)))

    def say(self, code: str, **values: Any) -> None:
        """Takes in what is said besides the findings."""
        self.says.append((code, named(values)))

    def lines(self, lang: str) -> list[str]:
        """Returns all that people are told, one sentence a line."""
        found = [finding.text(lang) for finding in self.findings]
        if self.found > len(self.findings):
            found.append(say("more", lang, count=self.found - len(self.findings)))
        return found + [say(code, lang, **values) for code, values in self.says]

    def plain(self) -> dict[str, Any]:
        """Returns it for programs."""
        where = ("code", "exit", "partition", "offset")
        findings = [{**{name: getattr(one, name) for name in where}, **one.values} for one in self.findings]
        says = [{"code": code, **values} for code, values in self.says]
        counts = {name: getattr(self, name) for name in ("found", "manifests", "records", "unsealed", "leaves")}
        return {"exit": self.exit_code, **counts, "findings": findings, "says": says}


# -- values -----------------------------------------------------------------------------------------------------

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_FLOAT = re.compile(rb"[0-9][ \t\r]*[.eE]|NaN|Infinity")
_HASH = re.compile(r"[0-9a-f]{64}")


def holds_float(values: bytes) -> bool:
    """Tells whether JSON values (one or many) hold a number that is no integer."""
    return _FLOAT.search(_STRING.sub(b'""', values)) is not None


def _no_float(_: str) -> NoReturn:
    raise Trouble("float")


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(found := int(digits)) > LARGEST:
        raise ValueError("not below 2^53")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")  # one reader takes the first, another the last
    return found


_READ = json.JSONDecoder(parse_int=_integer, parse_float=_no_float, parse_constant=_no_float).decode
_READ_ONCE = json.JSONDecoder(parse_int=_integer, object_pairs_hook=_once).decode
_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def is_place(value: Any) -> bool:
    """Tells whether a value can be an offset, or a number that counts from 0."""
    return type(value) is int and 0 <= value <= LARGEST


def read_canonical(value: bytes, file: str = "") -> dict[str, Any]:
    """Reads an object of canonical JSON without floats; raises Trouble where it is none. `file`: what holds it."""
    try:
        found = _READ(value.decode())
        same = isinstance(found, dict) and _WRITE(found).encode("utf-8", "replace") == value
    except Trouble as trouble:
        raise Trouble(trouble.code, file=file) from None
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Trouble("not_canonical", file=file)
    return found  # type: ignore[no-any-return]


def inflated(folder: Path, name: str, told: Callable[[int], None]) -> Iterator[bytes]:
    """Yields what a gzip file holds; `told` hears how many compressed bytes were read."""
    try:
        with _opened(folder, name) as file:
            inflate = zlib.decompressobj(31)
            while piece := file.read(PIECE):
                told(len(piece))
                while piece:
                    if inflate.eof:  # another member
                        inflate = zlib.decompressobj(31)
                    yield inflate.decompress(piece, LONGEST)
                    piece = inflate.unused_data or inflate.unconsumed_tail
            if not inflate.eof:
                raise Trouble("cut", file=name)
    except zlib.error:
        raise Trouble("damaged", file=name) from None


class _Lines:
    """The lines of a gzip file, in bounded memory: `data` from `at` on is what is inflated and not taken."""

    def __init__(self, folder: Path, name: str, told: Callable[[int], None]) -> None:
        self.data, self.at = b"", 0
        self._name, self._pieces = name, inflated(folder, name, told)

    def more(self) -> bool:
        """Inflates some more where no whole line is left; tells whether there was any."""
        rest = self.data[self.at :]
        if len(rest) > LONGEST:
            raise Trouble("file", file=self._name, detail=f"> {LONGEST}")
        piece = next(self._pieces, b"\n" if rest else None)
        if piece is None:
            return False
        self.data, self.at = rest + piece, 0
        return True

    def line(self) -> bytes | None:
        """Takes the next line; None at the end."""
        while (end := self.data.find(b"\n", self.at)) < 0:
            if not self.more():
                return None
        line, self.at = self.data[self.at : end], end + 1
        return line

    def back(self, lines: Iterable[bytes]) -> None:
        """Gives lines back, to be taken next."""
        self.data, self.at = b"".join(line + b"\n" for line in lines) + self.data[self.at :], 0


# -- a checkpoint -----------------------------------------------------------------------------------------------


def _trusted(
    checkpoint: Checkpoint, logs: Iterable[Vkey], report: Report, witness: Vkey | None, min_size: int | None
) -> tuple[str, dict[str, Any]]:
    """Checks who signed a checkpoint, and its size; returns what is to be said of a cut-off end and a history made anew."""
    note, size = checkpoint.note, checkpoint.size
    signed = [note.signed(key) for key in logs if key.name == checkpoint.origin]
    if all(one is None for one in signed):
        raise Trouble("unknown_log", origin=checkpoint.origin)
    if True not in signed:
        report.add("checkpoint_signature")
    report.leaves = size
    if min_size is not None and size < min_size:
        report.add("too_small", size=size, wanted=min_size)
    if witness is not None:
        if cosigned := note.signed(witness):
            at = datetime.fromtimestamp(note.cosigned_at(witness), UTC).isoformat(timespec="seconds")
            return "witnessed", {"kid": witness.kid, "size": size, "at": at.replace("+00:00", "Z")}
        report.add("not_cosigned" if cosigned is None else "cosignature", kid=witness.kid)
    if min_size is not None and size >= min_size:
        return "long_enough", {"size": size, "wanted": min_size}
    return "not_excluded", {"size": size}


def _excluded(report: Report, said: tuple[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Returns what may be said to be excluded: that only where all that is sealed is right, and nothing where it was changed."""
    if report.exit_code == CHANGED:
        return []
    right = all(one.code in ("unsealed", "no_policy", "lacking") for one in report.findings)
    return [said if right else ("not_excluded", {"size": report.leaves})]


# -- an export --------------------------------------------------------------------------------------------------


@dataclass
class _Manifest:
    """A line of `manifests/P.ndjson.gz`, read; `place`: partition and offset."""

    place: tuple[int, int]
    index: int | None
    value: bytes
    sig: bytes
    said: dict[str, Any]


@dataclass
class _Sealed:
    """What the sealed log holds of one partition within the export's range: leaf numbers and leaf hashes, in order.

    `last`: SHA-256 of the newest manifest so far, and whether it is `within` the range. `joins`: leaf hashes of those
    in the range that follow one outside of it, at its beginning and after a clock went back.
    """

    indexes: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    last: str | None = None
    within: bool = True
    joins: set[bytes] = field(default_factory=set)


def verify(
    folder: Path, *, witness: Vkey | None = None, min_size: int | None = None, progress: Progress | None = None
) -> Report:
    """Checks an export; returns all that was found, and what could and could not be excluded.

    `witness`: the key of a witness that you trust, from elsewhere than this folder. `min_size`: the log had so many
    leaves already. `progress` hears how many bytes of how many are read.
    """
    export = _Export(folder, progress or (lambda done, total: None))
    report = export.report
    try:
        export.check(witness, min_size)
    except Trouble as trouble:
        report.add(trouble.code, **trouble.values)
        report.says = [("not_right", {"count": report.found})]
    return report


_FOLDERS = ("records", "manifests", "log", "keys", "policies", "reference", "schemas")
_FILE = re.compile(
    r"export\.json|verify\.py|(records|manifests)/[^/]+\.ndjson\.gz|log/checkpoint|keys/(worker|log|witness)-[^/]+\.pub"
    r"|policies/[0-9a-f]{64}\.toml|reference/[0-9a-f]{64}\.json|schemas/(audit|manifest)\.json"
)
"""The files of an export, but for the tiles of its log."""
_REFERENCE = re.compile(rb'"refs":\{[^}]*:"[0-9a-f]{64}"')
"""How a record names reference data."""


class _Export:
    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder, self.report = folder, Report()
        self._progress = progress
        self._done, self._total = 0, 1
        self._seen: set[bytes] = set()
        self._sealed: dict[int, _Sealed] = {}
        self._policies: set[str] = set()
        self._tiles: set[str] = set()
        self._coverage: tuple[int, dict[str, Any]] = 0, {}
        """How many reports of coverage are sealed, and the last one."""
        self._uncovered: tuple[int, int, dict[str, Any]] = 0, 0, {}
        """How many of them found something, and the last one that did: its leaf, and what it says."""

    def check(self, witness: Vkey | None, min_size: int | None) -> None:
        report, about = self.report, read_canonical(_read(self.folder, "export.json"), "export.json")
        range_, partitions = [about.get(name, "") for name in ("from", "to")], about.get("partitions")
        if (
            about.get("v") != 1
            or about["v"] is True
            or type(partitions) is not int
            or not 0 < partitions <= PARTITIONS
            or not all(one is None or (isinstance(one, str) and _INSTANT.fullmatch(one)) for one in range_)
        ):
            raise Trouble("about")
        first, to = range_
        self._listed()
        self._named()
        self._total = sum(map(_size, self.folder.glob("*/*.ndjson.gz")))
        self._workers = self._keys("worker")
        checkpoint, excluded = self._checkpoint(about), None
        if checkpoint is not None:
            excluded = _trusted(checkpoint, self._keys("log").values(), report, witness, min_size)
            self._read_log(checkpoint, first, to)
        elif witness or min_size:
            raise Trouble("missing", file="log/checkpoint")
        else:
            report.add("no_log")
        for number in range(about["partitions"]):
            self._partition(number, whole=first is None, log=checkpoint is not None)
        for number, sealed in sorted(self._sealed.items()):
            if number not in range(about["partitions"]):
                _Membership(sealed, report).end(number)
        self._others(partitions)
        counts = {"manifests": report.manifests, "records": report.records, "leaves": report.leaves}
        report.say("counted", **counts)
        if report.found:
            report.say("not_right", count=report.found)
        if first or to:
            report.say("only", first=first, to=to)
        if count := self._coverage[0]:
            at, found = (self._coverage[1].get(name) for name in ("at", "found"))
            report.say("coverage", count=count, at=at, found=found)
        count, leaf, last = self._uncovered
        if count:
            report.say("uncovered", count=count, leaf=leaf, at=last.get("at"), found=last.get("found"))
        report.says += _excluded(report, excluded) if excluded else []
        report.say("elsewhere")
        report.say("not_looked_at")
        self._strangers()

    def _listed(self) -> None:
        """Raises Trouble for a folder of the export that cannot be read: what is in it would be told as missing."""
        for name in _FOLDERS:
            if _there(self.folder, name):
                try:
                    os.listdir(self.folder / name)
                except OSError as error:
                    raise Trouble("file", file=f"{name}/", detail=error.strerror) from None

    def _named(self) -> None:
        """Checks that what records name by hash is what it is called."""
        for kind in ("policies", "reference"):
            for file in sorted((self.folder / kind).glob("*")):
                name = f"{kind}/{file.name}"
                if _HASH.fullmatch(file.stem) and sha256(_read(self.folder, name)).hexdigest() != file.stem:
                    self.report.add("content", file=name)

    def _others(self, partitions: int) -> None:
        """Tells of files of partitions that the export does not have, and of what it should have and lacks."""
        stated = set(map(str, range(partitions)))
        for file in sorted(self.folder.glob("*/*.ndjson.gz")):
            number = file.name.removesuffix(".ndjson.gz")
            if file.parent.name in ("records", "manifests") and number not in stated:
                name = file.name if re.fullmatch(r"[0-9]{1,9}", number) else "?"
                self.report.add("outside", file=f"{file.parent.name}/{name}")
        for name in sorted({f"policies/{one if _HASH.fullmatch(one) else '?'}.toml" for one in self._policies}):
            if not _there(self.folder, name):
                self.report.add("no_policy", file=name)
        for name in ("schemas/audit.json", "schemas/manifest.json"):
            if not _there(self.folder, name):
                self.report.add("lacking", file=name)
        if not any((self.folder / "reference").glob("*.json")):
            begins = (next(inflated(self.folder, f"records/{n}.ndjson.gz", lambda _: None), b"") for n in stated)
            if any(_REFERENCE.search(records) for records in begins):
                self.report.add("lacking", file="reference/")

    def _strangers(self) -> None:
        """Says how many files are none of an export, and in which of its folders."""
        found = ((Path(top).relative_to(self.folder), names) for top, _, names in os.walk(self.folder))
        files = ((top / name).as_posix() for top, names in found for name in names)
        others = [name for name in files if name not in self._tiles and not _FILE.fullmatch(name)]
        if others:
            where = {f"{top}/" if (top := name.partition("/")[0]) in _FOLDERS else "." for name in others}
            self.report.say("strangers", count=len(others), file=", ".join(sorted(where)))

    def _keys(self, role: str) -> dict[str, Vkey]:
        """Returns the public keys of a role by NAME+HASH."""
        found = {}
        for file in sorted((self.folder / "keys").glob(f"{role}-*.pub")):
            name = f"keys/{file.name}"
            try:
                key = parse_vkey(_read(self.folder, name).decode("ascii"))
            except ValueError:
                raise Trouble("key", file=name) from None
            found[key.kid] = key
        return found

    # -- the sealed log

    def _checkpoint(self, about: dict[str, Any]) -> Checkpoint | None:
        # a link that leads nowhere is a missing file
        if not (_there(self.folder, "log/checkpoint") or (self.folder / "log").is_symlink()):
            return None
        try:
            found = open_checkpoint(_read(self.folder, "log/checkpoint").decode())
        except ValueError:
            raise Trouble("checkpoint", file="log/checkpoint") from None
        if found.origin != about.get("group"):
            raise Trouble("other_log", origin=found.origin, group=about.get("group"))
        return found

    def _read_log(self, checkpoint: Checkpoint, first: str | None, to: str | None) -> None:
        tiles, hashes = Tiles(self.folder, checkpoint.size), []
        for index, leaf in enumerate(tiles.leaves()):
            hashes.append(leaf_hash(leaf))
            try:
                said = read_canonical(leaf)
            except Trouble as trouble:
                self.report.add("leaf", leaf=index, why=trouble.code)
                continue
            if said.get("kind") == "coverage":
                self._coverage = self._coverage[0] + 1, said
                if said.get("found") != 0:
                    self._uncovered = self._uncovered[0] + 1, index, said
                continue
            if type(said.get("partition")) is not int or not isinstance(said.get("t1"), str) or "prev" not in said:
                self.report.add("leaf_unknown", leaf=index)
                continue
            sealed = self._sealed.setdefault(said["partition"], _Sealed())
            if sealed.last is not None and said["prev"] != sealed.last:
                self.report.add("log_chain", leaf=index, partition=said["partition"])
            sealed.last = sha256(leaf).hexdigest()
            within = (first is None or said["t1"] >= first) and (to is None or said["t1"] < to)
            if within:
                sealed.indexes.append(index)
                sealed.hashes.append(hashes[-1])
                if not sealed.within:
                    sealed.joins.add(hashes[-1])
            sealed.within = within
        if root_of(hashes) != checkpoint.root:
            self.report.add("log_root")
        for name in tiles.differing(hashes):
            self.report.add("tile", file=name)
        for name in tiles.longer:
            self.report.add("longer", file=name)
        self._tiles = tiles.names

    # -- one partition

    def _partition(self, number: int, *, whole: bool, log: bool) -> None:
        sealed = self._sealed.get(number, _Sealed())
        follows = _Chain(known=whole, joins=sealed.joins)
        records = _Records(_Lines(self.folder, f"records/{number}.ndjson.gz", self._tell), self.report, self._seen)
        member = _Membership(sealed, self.report) if log else None
        ahead: deque[_Manifest] = deque()
        coming = self._manifests(number)
        offset = -1
        while one := next(coming, None) if not ahead else ahead.popleft():
            ahead.extend(islice(coming, AHEAD - len(ahead)))
            self.report.manifests += 1
            if one.place[1] <= offset:
                self.report.add("order", one.place)
            offset = one.place[1]
            self._signature(one)
            try:
                if one.said["partition"] != number:
                    self.report.add("other_partition", one.place, partition_said=one.said["partition"])
                for code, values in follows.wrong(one.value, one.said):
                    self.report.add(code, one.place, **values)
                if member is not None:
                    member.take(one)
                records.take(one, ahead)
                self._policies.add(str(one.said["policy"]["sha256"]))
            except (LookupError, TypeError, ValueError, AttributeError):
                raise Trouble("manifest", partition=number, offset=offset) from None
        if member is not None:
            member.end(number)
        records.end(number)

    def _manifests(self, number: int) -> Iterator[_Manifest]:
        name = f"manifests/{number}.ndjson.gz"
        for count, line in enumerate(iter(_Lines(self.folder, name, self._tell).line, None), start=1):
            try:
                found = _shaped(_READ_ONCE(line.decode()), "index", "offset", "sig", "value")
                value, offset = found["value"].encode(), found["offset"]
                index, sig = found["index"], base64.b64decode(found["sig"], validate=True)
                if not (is_place(offset) and (index is None or is_place(index))):
                    raise ValueError("a place is a number")
                yield _Manifest((number, offset), index, value, sig, read_canonical(value))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                raise Trouble("line", file=name, line=count) from None
            except Trouble as trouble:
                raise Trouble("line_value", file=name, line=count, why=trouble.code) from None

    def _signature(self, one: _Manifest) -> None:
        kid = str(one.said.get("kid"))
        if kid not in self._workers:
            self.report.add("unknown_key", one.place, kid=kid)
        elif not self._workers[kid].verifies(one.sig, one.value):
            self.report.add("signature", one.place, kid=kid)

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


class _Chain:
    """Where a partition stands: the manifest before, and the next offset of each input."""

    def __init__(self, *, known: bool, joins: set[bytes]) -> None:
        """`known`: nothing comes before the first one. `joins`: those whose predecessor only the sealed log has."""
        self._prev: str | None = None
        self._known, self._joins = known, joins
        self._next: dict[str, int] = {}

    def wrong(self, value: bytes, said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Takes the next manifest in; yields what does not fit, as a key of SAYS with its values."""
        if leaf_hash(value) in self._joins:
            self._known, self._next = False, {}
        if self._known and said["prev"] != self._prev:
            yield "chain", {}
        self._prev, self._known = sha256(value).hexdigest(), True
        for taken in said["in"]:
            topic, first, to = taken["topic"], taken["from"], taken["to"]
            if (expected := self._next.get(topic, first)) != first:
                yield "skipped", {"topic": topic, "first": first, "expected": expected}
            self._next[topic] = to
            if not adds_up(first, to, taken["n"], [(gap["first"], gap["n"]) for gap in taken["gaps"]]):
                yield "range", {"topic": topic, "first": first, "to": to}
        if said["audit"]["n"] < (inputs := sum(taken["n"] for taken in said["in"])):
            yield "too_few", {"count": said["audit"]["n"], "inputs": inputs}


class _Membership:
    """Follows a partition's exported manifests through what was sealed of it."""

    def __init__(self, sealed: _Sealed, report: Report) -> None:
        self._sealed, self._report = sealed, report
        self._at = 0
        self._unsealed: list[tuple[int, int]] = []
        self._places: dict[bytes, int] = {}

    def take(self, one: _Manifest) -> None:
        """Takes the next manifest in."""
        hashes, indexes = self._sealed.hashes, self._sealed.indexes
        self._places = self._places or {found: place for place, found in enumerate(hashes)}
        place = self._places.get(leaf_hash(one.value))
        if place is None:
            if self._at == len(hashes) and (one.index is None or one.index >= self._report.leaves):
                self._unsealed.append(one.place)
                return
            self._report.add("not_sealed", one.place, leaf=one.index)
            if self._at < len(hashes) and one.index == indexes[self._at]:
                self._at += 1
        elif place < self._at:
            self._report.add("again", one.place, leaf=indexes[place])
        else:
            for missing in indexes[self._at : place]:
                self._report.add("missing_before", one.place, leaf=missing)
            if one.index != indexes[place]:
                self._report.add("index", one.place, leaf=indexes[place], said=one.index)
            self._at = place + 1

    def end(self, number: int) -> None:
        """Tells what is left: sealed and not there, or there and not sealed."""
        for index in self._sealed.indexes[self._at :]:
            self._report.add("missing_manifest", partition=number, leaf=index)
        if self._unsealed:
            self._report.unsealed += len(self._unsealed)
            size = self._report.leaves
            self._report.add("unsealed", self._unsealed[0], size=size, count=len(self._unsealed))


_Input = tuple[str, int]
"""Topic and offset."""
_Placed = tuple[int, re.Match[bytes] | None, re.Match[bytes] | None]
"""Which one of its manifest a record is, and what is found of its decision id and of its end; None where there is none."""
_Span = tuple[bytes, int, int]
"""Lines as they were inflated: what they stand in, where they begin, and where they end."""
_DID = re.compile(rb'"did":"([A-Z2-7]{26})"')
_TAIL = re.compile(
    rb'"src":\{"offset":([0-9]{1,19}),"partition":([0-9]{1,9}),"timestamp":[0-9]+,"topic":"([^"\\]*)"\},"stage":"([a-z]+)",'
    rb'(?:"subj":(?:null|"[\w-]*"),)?"v":1,"verdict":(?:null|"[a-z]+")\}'
)
"""How an audit record ends: its keys are sorted, and none of those behind `src` holds another object."""


class _Records:
    """Holds a partition's records against its manifests. `seen`: ids of the decisions that no send led to."""

    def __init__(self, lines: _Lines, report: Report, seen: set[bytes]) -> None:
        self._lines, self._report, self._seen = lines, report, seen

    def take(self, one: _Manifest, ahead: Iterable[_Manifest]) -> None:
        """Takes the records of the next manifest, and tells what is wrong with them."""
        count, said = max(0, one.said["audit"]["n"]), one.said
        spans, leaves, odd, whole = self._walk(count, said)
        records = [] if whole else _cut(spans)
        if not _fits(leaves, said):
            records, whole = self._found(one, _cut(spans), ahead), False
            for place, record in enumerate(records):
                if holds_float(record):
                    self._report.add("float_at", one.place, record=place)
        elif count and f'"did":"{said["audit"]["from_id"]}"'.encode() not in _first(*spans[0]):
            self._report.add("from_id", one.place)
        self._report.records += len(records) or (count if whole else 0)
        if not whole:
            odd = [
                (place, _DID.search(record), _TAIL.fullmatch(record, max(0, record.rfind(b"{") - 6)))
                for place, record in enumerate(records)
            ]
        self._inputs(one, odd, max(len(leaves), len(records)), whole=whole)

    def _walk(self, count: int, said: dict[str, Any]) -> tuple[list[_Span], list[bytes], list[_Placed], bool]:
        """Takes so many records; returns them as spans, their leaf hashes, the odd ones, and whether each send has its own.

        Here is all that a right record costs: its hash, and a look at `src`, the last object in it, which is to be that
        of the next send. All others are odd: an act's, say, or one that is wrong.
        """
        topic, offsets = (said["in"][0]["topic"], _offsets(said["in"][0])) if said["in"] else ("", iter(()))
        heads = _formatted(b'"src":{"offset":%%d,"partition":%d,"timestamp":' % said["partition"], offsets)
        behind = b',"topic":"%s"},"stage":"intake",' % topic.encode()
        none = b"\n"  # no record holds one
        head, lines = next(heads, none), self._lines
        spans: list[_Span] = []
        leaves: list[bytes] = []
        odd: list[_Placed] = []
        while len(leaves) < count:
            data, at = lines.data, lines.at
            find, last, starts, view = data.find, data.rfind, data.startswith, memoryview(data)
            for _ in range(count - len(leaves)):
                if (end := find(b"\n", at)) < 0:
                    break
                leaf = LEAF.copy()
                leaf.update(view[at:end])
                leaves.append(leaf.digest())
                src = last(b"{", at, end) - 6
                # a time in milliseconds has 13 digits from 2001 to 2286; another one takes the longer way
                if starts(head, src) and starts(behind, src + len(head) + 13):
                    head = next(heads, none)
                else:
                    odd.append((len(leaves) - 1, _DID.search(data, at, end), _TAIL.fullmatch(data, src, end)))
                at = end + 1
            if at > lines.at:
                spans.append((data, lines.at, at))
            lines.at = at
            if len(leaves) < count and not lines.more():
                break
        return spans, leaves, odd, head is none

    def end(self, number: int) -> None:
        """Tells what is left over."""
        if count := sum(1 for _ in iter(self._lines.line, None)):
            self._report.add("left_over", partition=number, count=count)

    def _found(self, one: _Manifest, taken: list[bytes], ahead: Iterable[_Manifest]) -> list[bytes]:
        """Returns the records of a manifest that `taken` does not fit, and gives those that follow back.

        They are whole behind some strays, or end where the records of a manifest ahead begin.
        """
        own, count = str(one.said["audit"]["from_id"]), one.said["audit"]["n"]
        starts = {str(audit["from_id"]): audit["n"] for audit in (found.said["audit"] for found in ahead) if audit["n"]}
        begin, end = None, None
        for place in range(2 * count + sum(starts.values())):
            if place == len(taken):
                if (line := self._lines.line()) is None:
                    break
                taken.append(line)
            did = match[1].decode() if (match := _DID.search(taken[place])) else ""
            if did in starts:
                end = place
                break
            if did == own and begin is None:
                begin = place
        if begin and _fits([leaf_hash(record) for record in taken[begin : begin + count]], one.said):
            self._report.add("strays", one.place, count=begin)
            return self._own(taken[begin:], count)
        short = end is None and len(taken) < count
        if end is None:  # what comes behind it is damaged too, or nothing does
            end = count if starts else len(taken)
        records = self._own(taken, end)
        if len(records) == count:
            self._report.add("root", one.place, count=count)
        else:
            self._report.add("records_end" if short else "record_count", one.place, count=len(records), wanted=count)
        return records

    def _own(self, taken: list[bytes], count: int) -> list[bytes]:
        """Returns the first of some records, and gives the rest back for the next manifest."""
        self._lines.back(taken[count:])
        return taken[:count]

    def _inputs(self, one: _Manifest, odd: list[_Placed], count: int, *, whole: bool) -> None:
        """Checks that each input of the manifest has its record, once, and no other partition's is among them.

        `odd`: the records to look at; all of them unless `whole`, which is to say that each send has its own already.
        `count`: how many records there are, whatever the manifest says.
        """
        inputs = one.said["in"]
        if whole and not odd and len(inputs) < 2:
            return
        most = max(10_000, 2 * count)
        wanted = [[(taken["topic"], offset) for offset in islice(_offsets(taken), most + 1)] for taken in inputs]
        if sum(map(len, wanted)) > most:
            return  # told already; they are too many to be named
        sends, others = set(wanted[0] if wanted else ()), [place for places in wanted[1:] for place in places]
        taken = set(sends) if whole else set()
        walked = self._odd(one, odd, sends, taken)
        for topic, offset in [place for place in chain(*wanted[:1]) if place not in taken] + [
            place for place in others if place not in walked
        ]:
            self._report.add("no_record", one.place, topic=topic, input=offset)

    def _odd(self, one: _Manifest, records: list[_Placed], sends: set[_Input], taken: set[_Input]) -> set[_Input]:
        """Looks at records one by one, and adds the sends that have theirs to `taken`; returns the other inputs."""
        walked: set[_Input] = set()
        partition, latest = one.said["partition"], -1
        topics: dict[bytes, str] = {}
        for place, did, found in records:
            if found is None or did is None:
                self._report.add("record", one.place, record=place)
                continue
            first, of, name, stage = found.groups()
            topic = topics.get(name) or topics.setdefault(name, name.decode())
            input_, wrong = (topic, int(first)), None
            if int(of) != partition:
                wrong = "of_partition"
            elif stage != b"intake":
                walked.add(input_)
                wrong = "twice" if did[1] in self._seen else None
                self._seen.add(did[1])
            elif input_ not in sends:
                wrong = "not_taken"
            elif input_ in taken:
                wrong = "twice"
            else:
                taken.add(input_)
                wrong = "out_of_order" if input_[1] < latest else None
                latest = max(latest, input_[1])
            if wrong:
                self._report.add(wrong, one.place, topic=topic, input=input_[1], record=place, of=int(of))
        return walked


def adds_up(first: int, to: int, n: int, gaps: Iterable[tuple[int, int]]) -> bool:
    """Tells whether so many records and the gaps, each a first offset and a length, are all of a range, each once."""
    at, missing = first, 0
    for begin, length in gaps:
        if begin < at or length < 1:
            return False
        at, missing = begin + length, missing + length
    return at <= to and n + missing == to - first


def _fits(leaves: list[bytes], said: dict[str, Any]) -> bool:
    return len(leaves) == said["audit"]["n"] and root_of(leaves).hex() == str(said["root"])


def _first(data: bytes, start: int, end: int) -> bytes:
    return data[start : data.find(b"\n", start, end)]


def _cut(spans: Iterable[_Span]) -> list[bytes]:
    return b"".join(data[start:end] for data, start, end in spans).split(b"\n")[:-1]


def _formatted(form: bytes, numbers: Iterator[int]) -> Iterator[bytes]:
    """Yields the form with each number in it; a thousand are made at once, in a third of the time."""
    lines = form + b"\n"
    while some := tuple(islice(numbers, 1_000)):
        yield from (lines * len(some) % some).splitlines()


def _offsets(taken: dict[str, Any]) -> Iterator[int]:
    """Yields the offsets of an input that hold a record, by what the manifest says of the gaps."""
    gaps = taken["gaps"]
    begins = [taken["from"], *(gap["first"] + gap["n"] for gap in gaps)]
    ends = [*(gap["first"] for gap in gaps), taken["to"]]
    return chain.from_iterable(map(range, begins, ends))


# -- one decision's proof ---------------------------------------------------------------------------------------


def check_proof(file: Path, *, witness: Vkey | None = None, min_size: int | None = None) -> Report:
    """Checks the proof of one decision: its record, manifest and checkpoint, and what leads from each to the next.

    `witness`, `min_size`: as `verify` takes them.
    """
    return _proof_checked(lambda: _read(file.parent, file.name), file.name, witness, min_size)


def check_content(content: bytes, name: str) -> Report:
    """Checks what a proof's file holds, as `check_proof` does; `name`: what the file is called."""
    return _proof_checked(lambda: content, name, None, None)


def _proof_checked(content: Callable[[], bytes], name: str, witness: Vkey | None, min_size: int | None) -> Report:
    report = Report()
    try:
        _check_one(_READ_ONCE(content().decode()), report, witness, min_size)
    except Trouble as trouble:
        report.add(trouble.code, **trouble.values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        report.add("proof", file=name)
    if report.found:
        report.say("not_right", count=report.found)
    return report


def _check_one(proof: dict[str, Any], report: Report, witness: Vkey | None, min_size: int | None) -> None:
    """Adds to a report what is wrong with a proof; raises Trouble, or ValueError and its like for no proof."""
    if type(proof["v"]) is not int:
        raise ValueError("a version is a number")
    if proof["v"] != 1:
        raise Trouble("version", v=proof["v"])
    proof = _shaped(proof, "did", "keys", "log", "manifest", "path", "record", "v")
    keys = {key.kid: key for key in map(parse_vkey, proof["keys"])}
    record = proof["record"].encode()
    log = proof["log"] if proof["log"] is None else _shaped(proof["log"], "checkpoint", "hashes", "index")
    manifest, path = _shaped(proof["manifest"], "offset", "sig", "value"), _shaped(proof["path"], "hashes", "index")
    value = manifest["value"].encode()
    said = read_canonical(value, "manifest")
    place, kid = (said["partition"], manifest["offset"]), said["kid"]
    if not all(map(is_place, (*place, path["index"], 0 if log is None else log["index"]))):
        raise ValueError("a place is a number")
    if read_canonical(record, "record")["did"] != proof["did"]:
        report.add("other_record", place)
    root = root_from_inclusion(leaf_hash(record), path["index"], said["audit"]["n"], _hashes(path))
    if root is None or root.hex() != said["root"]:
        report.add("not_in_manifest", place)
    if kid not in keys:
        report.add("unknown_key", place, kid=kid)
    elif not keys[kid].verifies(base64.b64decode(manifest["sig"], validate=True), value):
        report.add("signature", place, kid=kid)
    report.manifests = report.records = 1
    if log is None:
        report.unsealed = 1
        report.add("unsealed_one", place)
        return
    checkpoint = open_checkpoint(log["checkpoint"])
    excluded = _trusted(checkpoint, keys.values(), report, witness, min_size)
    if root_from_inclusion(leaf_hash(value), log["index"], checkpoint.size, _hashes(log)) != checkpoint.root:
        report.add("not_in_log", place, leaf=log["index"])
    if not report.found:
        report.say("proven", did=proof["did"], leaf=log["index"], size=checkpoint.size)
    report.says += _excluded(report, excluded)


def _shaped(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """Returns an object that has these keys and no other; raises ValueError for another one."""
    if set(found) != set(names):
        raise ValueError("other keys")
    return found


def _hashes(path: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in path["hashes"]]


# -- what is said -----------------------------------------------------------------------------------------------

CHANGED, UNVERIFIABLE, INCOMPLETE = 1, 4, 5

SAYS_UNVERIFIABLE = {
    "missing": ("{file} がありません。書き出し直してください。", "{file} is missing. Export again."),
    "file": ("{file} を読めません ({detail})。書き出し直してください。", "{file} cannot be read ({detail}). Export again."),
    "no_file": ("{file} は通常のファイルではありません。書き出し直してください。", "{file} is no regular file. Export again."),
    "about": ("export.json の内容が正しくありません (v、partitions、from、to)。書き出し直してください。", "What export.json says is not right (v, partitions, from, to). Export again."),
    "damaged": ("{file} は壊れています。書き出し直してください。", "{file} is damaged. Export again."),
    "cut": ("{file} は途中で切れています。書き出し直してください。", "{file} is cut short. Export again."),
    "key": ("{file} は公開鍵として読めません。", "{file} cannot be read as a public key."),
    "checkpoint": ("{file} はチェックポイントとして読めません。", "{file} cannot be read as a checkpoint."),
    "proof": ("{file} は証明として読めません。`gatekeeper audit prove` で作り直してください。", "{file} cannot be read as a proof. Make it again with `gatekeeper audit prove`."),
    "version": ("版 {v} の証明は、この版の検証では確かめられません。新しい版で確かめてください。", "This is a proof of version {v}, which this check does not know. Use a newer one."),
    "line": ("{file} の {line} 行目を読めません。書き出し直してください。", "Line {line} of {file} cannot be read. Export again."),
    "not_canonical": ("{file} は正準 JSON ではありません。`gatekeeper audit export` か `gatekeeper audit prove` で作り直してください。", "{file} is not canonical JSON. Make it again with `gatekeeper audit export` or `gatekeeper audit prove`."),
    "float": ("{file} に小数が含まれています。正準な監査記録に小数はありません。`gatekeeper audit export` か `gatekeeper audit prove` で作り直してください。", "{file} holds a number that is no integer, as nothing canonical does. Make it again with `gatekeeper audit export` or `gatekeeper audit prove`."),
    "line_value": ("{file} の {line} 行目のマニフェストは正準 JSON ではありません ({why})。", "The manifest on line {line} of {file} is not canonical JSON ({why})."),
    "leaf": ("封印ログの葉 {leaf} は正準 JSON ではありません ({why})。", "Leaf {leaf} of the sealed log is not canonical JSON ({why})."),
    "leaf_unknown": ("封印ログの葉 {leaf} はマニフェストでも網羅性の報告でもありません。", "Leaf {leaf} of the sealed log is neither a manifest nor a report of coverage."),
    "manifest": ("パーティション {partition}、manifests のオフセット {offset}: マニフェストの形が違います。", "Partition {partition}, offset {offset} of manifests: this is not shaped like a manifest."),
    "record": ("{record} 番目の記録 (0 から) は監査記録の形ではありません。", "Record {record} of it (from 0) is not shaped like an audit record."),
    "float_at": ("{record} 番目の記録 (0 から) に小数があります。正準な監査記録に小数はありません。", "Record {record} of it (from 0) holds a number that is no integer; no canonical audit record does."),
    "other_log": ("チェックポイントは別のログ {origin} のものです。書き出し元は {group} です。", "The checkpoint is another log's: {origin}, and the export is of {group}."),
    "unknown_log": ("ログ {origin} の公開鍵がありません。", "No public key of the log {origin} is at hand."),
    "unknown_key": ("署名した鍵 {kid} の公開鍵がありません。", "The key that signed it, {kid}, is not among the public keys."),
    "not_cosigned": ("チェックポイントに証人 {kid} の連署がありません。", "The checkpoint bears no cosignature of the witness {kid}."),
    "witness_key": ("--witness は証人の公開鍵 (NAME+HASH+BASE64) か、それを収めたファイルです。", "--witness takes a witness's public key (NAME+HASH+BASE64), or a file with it."),
}  # fmt: skip
SAYS_INCOMPLETE = {
    "no_log": ("封印ログがありません。署名と鎖だけを確かめました。`gatekeeper audit seal` で封印してから書き出してください。", "There is no sealed log: only signatures and chains were checked. Seal with `gatekeeper audit seal`, then export."),
    "unsealed": ("封印ログは葉 {size} 枚で終わり、ここから {count} 件のマニフェストはまだ封印されていません。封印してから書き出し直してください。", "The sealed log ends with {size} leaves, and from here on {count} manifests are not sealed yet. Seal them, and export again."),
    "unsealed_one": ("このマニフェストはまだ封印されていません。封印してから証明を作り直してください。", "This manifest is not sealed yet. Seal it, and prove again."),
    "no_policy": ("マニフェストが示す規則 {file} がありません。規則のファイルがある機械で書き出し直してください。", "{file}, which manifests name, is missing. Export again where the text of that policy is."),
    "lacking": ("書き出しに含まれるはずの {file} がありません。書き出し直してください。", "{file}, which is part of an export, is missing. Export again."),
    "records_end": ("記録がここで終わっています。{wanted} 件のうち {count} 件しかありません。", "The records end here: {count} of {wanted} are there."),
}  # fmt: skip
SAYS_CHANGED = {
    "checkpoint_signature": ("チェックポイントの署名が正しくありません。", "The signature of the checkpoint is wrong."),
    "cosignature": ("証人 {kid} の連署が正しくありません。", "The cosignature of the witness {kid} is wrong."),
    "too_small": ("封印ログの葉は {size} 枚で、求められた {wanted} 枚より少なく、末尾が切り取られています。", "The sealed log has {size} leaves, and {wanted} were asked for: its end is cut off."),
    "log_root": ("封印ログの葉から計算した根がチェックポイントと一致しません。", "The leaves of the sealed log do not come to the root of its checkpoint."),
    "log_chain": ("封印ログの葉 {leaf} (パーティション {partition}) は、前のマニフェストに続いていません。", "Leaf {leaf} of the sealed log (partition {partition}) does not follow that partition's manifest before."),
    "outside": ("{file} は export.json が示すパーティションのものではありません。", "{file} is of no partition that export.json states."),
    "content": ("{file} は名前のハッシュと一致しません。", "{file} is not what its name, a hash, says."),
    "tile": ("{file} が葉と一致しません。", "{file} is not what the leaves come to."),
    "longer": ("{file} に余分なものが付いています。", "{file} holds more than its name says."),
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
}  # fmt: skip
SAYS = {
    **SAYS_UNVERIFIABLE,
    **SAYS_INCOMPLETE,
    **SAYS_CHANGED,
    "at": ("パーティション {partition}、manifests のオフセット {offset}: ", "Partition {partition}, offset {offset} of manifests: "),
    "more": ("ほかに {count} 件あります。", "There are {count} more."),
    "counted": ("マニフェスト {manifests:,} 件、監査記録 {records:,} 件、封印ログの葉 {leaves:,} 枚を確かめました。", "Checked {manifests:,} manifests, {records:,} audit records and {leaves:,} leaves of the sealed log."),
    "not_right": ("正しくない点が {count} 件あります。", "Things that are not right: {count}."),
    "only": ("対象は {first} から {to} の前までに判定されたものだけです。", "This covers only what was decided from {first} until before {to}."),
    "proven": ("決定 {did} は封印ログの葉 {leaf} (全 {size} 枚) のマニフェストに含まれています。", "Decision {did} is in the manifest that is leaf {leaf} of {size} of the sealed log."),
    "witnessed": ("証人 {kid} は {at} に {size} 枚のログを見ています。それまでに封印されたものの変更・削除・差し替えは除外できます。その後に封印されたものが切り取られたかどうかは除外できません。", "The witness {kid} saw this log of {size} leaves at {at}. Excluded: that anything sealed by then was changed, removed or replaced. Not excluded: that what was sealed later was cut off."),
    "long_enough": ("ログは求められた {wanted} 枚以上 ({size} 枚) です。そこまでの切り取りは除外できます。別の鍵で全体を作り直したものであることは除外できません。鍵はこのフォルダーのものだからです (--witness)。", "The log has {size} leaves, at least the {wanted} asked for: that its end was cut off before is excluded. Not excluded: that somebody made the whole anew with other keys, for the keys are this folder's own (--witness)."),
    "not_excluded": ("末尾が切り取られたこと、別の鍵で全体を作り直したものであることは除外できません (ログは {size} 枚)。鍵はこのフォルダーのものだからです。両方には --witness、切り取りだけなら --min-size を指定してください。", "Not excluded: that the end was cut off, or that somebody made the whole anew with other keys, for the keys are this folder's own (the log has {size} leaves). Pass --witness for both, or --min-size for the first."),
    "coverage": ("封印された網羅性の報告は {count} 件あり、最新の報告 ({at}) の誤りは {found} 件です。", "Reports of coverage that are sealed: {count}. The last one ({at}) found {found} things that are wrong."),
    "min_size": ("--min-size は 1 以上の整数です。", "--min-size takes a whole number from 1 on."),
    "output": ("出力を書き出せません ({detail})。", "The output cannot be written ({detail})."),
    "uncovered": ("そのうち {count} 件は誤りを見つけています。その最新は葉 {leaf} の報告 ({at}、{found} 件) です。このフォルダーが書き換えられた証拠ではありませんが、運用者に原因と対処を確かめてください。", "Of these, {count} found something wrong; the newest of those is leaf {leaf} ({at}, {found} things). It does not show that this folder was changed, but it must be looked into: ask whoever runs the system for the cause, and for what was done."),
    "elsewhere": ("判定が事実と規則から導かれるか、記録が正準 JSON かは `gatekeeper audit replay`、欠番が本当に空かは `gatekeeper audit coverage` が確かめます。", "Whether the verdicts follow from facts and rules, and the records are canonical JSON, is for `gatekeeper audit replay`, and whether gaps are empty for `gatekeeper audit coverage`."),
    "not_looked_at": ("確かめていないもの: reference/ がすべて揃っているか (`gatekeeper audit replay` が確かめます)、schemas/ と verify.py の中身、keys/ の証人の鍵、マニフェストのオフセット、書き出した日時。", "Not looked at: whether reference/ is complete (`gatekeeper audit replay` does that), what is in schemas/ and verify.py, the keys of witnesses in keys/, the offsets of manifests, and when the export was made."),
    "strangers": ("書き出しのものではないファイルが {count} 個あり、確かめていません ({file})。", "Files that are not of the export, and were not checked: {count} (in {file})."),
}  # fmt: skip
"""Every sentence, in Japanese and English; it stands here because this file stands alone."""


def language() -> str:
    """Returns the reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def say(code: str, lang: str, **values: Any) -> str:
    """Returns a sentence of SAYS, filled in."""
    return SAYS[code][lang != "ja"].format(**{name: _printable(value) for name, value in values.items()})


def _printable(value: Any) -> Any:
    """Returns a value so that it cannot drive a terminal: what stands in a forged file may be anything."""
    if isinstance(value, int):
        return value
    if value is None:
        return "-"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))


def read_witness(text: str) -> Vkey:
    """Reads the key of a witness as the option names it: the key itself, or a file that holds it; raises Trouble."""
    try:
        try:
            key = parse_vkey(text)
        except ValueError:
            key = parse_vkey(Path(text).read_text("ascii"))
    except (OSError, ValueError):
        raise Trouble("witness_key") from None
    if key.kind != COSIGNATURE:
        raise Trouble("witness_key")
    return key


def tell(report: Report, *, as_json: bool) -> None:
    """Prints a report on stdout, as far as it is read; raises OSError where it cannot be written."""
    told = json.dumps(report.plain()) if as_json else "\n".join(report.lines(language()))
    if (out := sys.stdout) is None:
        return
    encoding = out.encoding or "utf-8"
    try:
        out.write(told.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        out.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again at its end, and its code is 120
        if error.errno != errno.EPIPE:
            raise


def _complain(sentence: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(sentence + "\n")


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
        if given.min_size is not None and given.min_size < 1:
            raise Trouble("min_size")
        witness = None if given.witness is None else read_witness(given.witness)
    except Trouble as trouble:
        _complain(say(trouble.code, lang))
        return 2
    check = check_proof if given.proof else verify
    try:
        report = check(given.proof or given.folder, witness=witness, min_size=given.min_size)
        try:
            tell(report, as_json=given.json)
        except OSError as error:
            _complain(say("output", lang, detail=error.strerror))
            return 3
    except KeyboardInterrupt:
        return 130
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
