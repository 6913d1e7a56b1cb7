"""Checks an export of the audit log, or one decision's proof: offline, and without any of the gatekeeper's own code.

    python verify.py DIR [--witness KEY] [--min-size N] [--json]
    python verify.py --proof FILE [--witness KEY] [--min-size N] [--json]

It needs Python 3.11 or later and the package `cryptography`, and no other file. Exit codes: 0 all is as it was signed
and sealed, 1 something was changed, 2 the call is wrong, 3 the output cannot be written, 4 it cannot be verified,
5 part of it is missing, 130 interrupted. The code is the same where nobody reads the output to its end.

Tree hashes are those of RFC 6962, the log's files those of C2SP tlog-tiles, and the checkpoint a C2SP signed note.

To be read from here on: trees, keys and notes, files, an export (`_Export`: the folder and its log; `_Partition`: its
manifests and records), a proof (`_check_one`), the report, the sentences that are said, and the command.
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
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CHANGED, UNVERIFIABLE, INCOMPLETE = 1, 4, 5
TILE = 256
ED25519, COSIGNATURE = 1, 4
PIECE = 1 << 14
"""So many compressed bytes are read at once; they commonly come to ten times as many, and to LONGEST at the most."""
LONGEST = 1 << 22
"""No line is longer: a record has 256 KiB at the most."""
KEPT = 1_000
"""More findings are counted, not kept."""
PARTITIONS = 100_000
"""No export has more."""
LARGEST = (1 << 53) - 1
"""No integer of canonical JSON is larger: one reader would take it for another number than the next."""
LATEST = 253_402_300_799
"""The last second of the year 9999; no witness signs later."""
AHEAD = 64
"""So many manifests ahead are looked at for where their records begin, after some that do not fit."""
MOST = 100_000
"""No transaction has more records."""
MANIFEST = 1 << 17
"""No line with a manifest is longer: a leaf of the log has 65,535 bytes at the most."""
FILE = 1 << 25
"""No file that is read at once is larger: a tile of leaves has half of that at the most."""
POOL = 1 << 24
"""So much memory is asked for and given back first, untouched: from then on the C library keeps what comes free."""

Progress = Callable[[int, int], None]


class Trouble(Exception):
    """It cannot be verified: a key of SAYS, and what fills its sentence."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code, self.values = code, values


LEAF, NODE = sha256(b"\x00"), sha256(b"\x01")
"""What each hash of a tree begins with; a copy of a begun hash is made in less time than a new one."""

# -- trees ------------------------------------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256 of 0x00 and its bytes."""
    found = LEAF.copy()
    found.update(leaf)
    return found.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of a node: SHA-256 of 0x01 and those of its two halves."""
    found = NODE.copy()
    found.update(left + right)
    return found.digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over leaf hashes in order; SHA-256 of nothing for none."""
    level = list(hashes)
    while len(level) > 1:
        level = next_level(level)
    return level[0] if level else sha256().digest()


def next_level(level: list[bytes]) -> list[bytes]:
    """Returns the nodes over a level's; a last one without partner goes up as it is, which is the RFC's split."""
    begun, nodes = NODE.copy, list[bytes]()
    for left, right in zip(level[::2], level[1::2], strict=False):
        node = begun()
        node.update(left + right)
        nodes.append(node.digest())
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


def read_witness(text: str) -> Vkey:
    """Reads the key of a witness as the option names it: the key itself, or a file that holds it; raises Trouble."""
    try:
        try:
            key = parse_vkey(text)
        except ValueError:
            path = Path(text)
            key = parse_vkey(_read(path.parent, path.name).decode("ascii"))
    except (Trouble, ValueError):
        raise Trouble("witness_key") from None
    if key.kind != COSIGNATURE:
        raise Trouble("witness_key")
    return key


@dataclass(frozen=True)
class Note:
    """A signed note: its text, and each signature's key name, key hash and bytes."""

    body: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed(self, key: Vkey) -> bool | None:
        """Tells whether the key signed it; None where no signature calls itself that key's."""
        found = self._of(key)
        return any(self._good(key, one) for one in found) if found else None

    def cosigned_at(self, key: Vkey) -> int:
        """Returns when that witness saw it, in seconds since the epoch, of the latest good cosignature."""
        return max(_time(one) for one in self._of(key) if self._good(key, one))

    def _of(self, key: Vkey) -> list[bytes]:
        return [signature for name, hash_, signature in self.signatures if (name, hash_) == (key.name, key.hash)]

    def _good(self, key: Vkey, signature: bytes) -> bool:
        if key.kind != COSIGNATURE:
            return key.verifies(signature, self.body.encode())
        time = _time(signature)
        message = f"cosignature/v1\ntime {time}\n{self.body}".encode()
        return len(signature) == 72 and time <= LATEST and key.verifies(signature[8:], message)


def _time(cosignature: bytes) -> int:
    return int.from_bytes(cosignature[:8], "big")


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


# -- files ------------------------------------------------------------------------------------------------------


def tile_path(level: int | str, number: int, width: int = TILE) -> str:
    """Returns the name of a tile in a log: `tile/0/x001/234.p/5` for the five first of number 1,234."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *high, low = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return f"tile/{level}/" + "".join(f"x{part}/" for part in high) + low + (f".p/{width}" if width < TILE else "")


def _open(folder: Path, name: str) -> BinaryIO:
    """Opens a file to be read; raises Trouble where it is missing, is none that comes to an end, or cannot be read."""
    try:
        if not S_ISREG((folder / name).stat().st_mode):
            raise Trouble("no_file", file=name)
        return (folder / name).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise Trouble("missing", file=name) from None
    except OSError as error:
        raise Trouble("file", file=name, detail=error.strerror) from None


def _read(folder: Path, name: str) -> bytes:
    """Returns what a file holds; raises Trouble as `_open` does, or where it is too large."""
    with _open(folder, name) as file:
        try:
            if os.fstat(file.fileno()).st_size <= FILE:
                return file.read()
        except OSError as error:
            raise Trouble("file", file=name, detail=error.strerror) from None
    raise Trouble("large", file=name, most=FILE)


def _integer(number: str) -> int:
    """Returns an integer below 2^53; raises ValueError for any other number, `int` for 1.0, 1e3 and Infinity."""
    if len(number) > 17 or abs(found := int(number)) > LARGEST:
        raise ValueError("not below 2^53")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")  # one reader takes the first, another the last
    return found


_NUMBERS = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _integer)
_READ = json.JSONDecoder(**_NUMBERS).decode  # type: ignore[arg-type]
_READ_ONCE = json.JSONDecoder(**_NUMBERS, object_pairs_hook=_once).decode  # type: ignore[arg-type]
_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_NOT_SO = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What is raised where a value is read that is not shaped as it should be."""


def read_canonical(value: bytes, file: str = "") -> dict[str, Any]:
    """Reads an object of canonical JSON; raises Trouble where it is none. `file`: what holds it."""
    try:
        found = _READ(value.decode())
        if isinstance(found, dict) and _WRITE(found).encode("utf-8", "replace") == value:
            return found
    except _NOT_SO:
        pass
    raise Trouble("not_canonical", file=file)


def _shaped(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """Returns an object that has these keys and no other; raises ValueError for another one."""
    if set(found) != set(names):
        raise ValueError("other keys")
    return found


def is_place(value: Any) -> bool:
    """Tells whether a value can be an offset, or a number that counts from 0."""
    return type(value) is int and 0 <= value <= LARGEST


class Lines:
    """The lines of a gzip file, in bounded memory: `data` from `at` on is what is inflated and not taken."""

    def __init__(self, file: BinaryIO, name: str, told: Callable[[int], None]) -> None:
        """`told` hears how many compressed bytes were read."""
        self.data, self.at = b"", 0
        self._file, self._name, self._told = file, name, told
        self._inflate, self._packed = zlib.decompressobj(31), b""

    def more(self) -> bool:
        """Inflates some more, behind what is not taken yet; tells whether there was any."""
        rest, piece = self.data[self.at :], b""
        if len(rest) > LONGEST:
            raise Trouble("large", file=self._name, most=LONGEST)
        try:
            while not piece and (packed := self._packed or self._file.read(PIECE)):
                if self._inflate.eof:  # another member
                    self._inflate = zlib.decompressobj(31)
                piece = self._inflate.decompress(packed, LONGEST)
                self._packed = self._inflate.unused_data or self._inflate.unconsumed_tail
                self._told(len(packed) - len(self._packed))
        except zlib.error:
            raise Trouble("cut", file=self._name) from None
        except OSError as error:
            raise Trouble("file", file=self._name, detail=error.strerror) from None
        if not piece and not self._inflate.eof:
            raise Trouble("cut", file=self._name)
        self.data, self.at = rest + (piece or (rest and b"\n")), 0
        return bool(piece or rest)

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


# -- an export --------------------------------------------------------------------------------------------------


def verify(
    folder: Path, *, witness: Vkey | None = None, min_size: int | None = None, progress: Progress | None = None
) -> Report:
    """Checks an export; returns all that was found, and what could and could not be excluded.

    `witness`: the key of a witness that you trust, from elsewhere than this folder. `min_size`: the log had so many
    leaves already. `progress` hears how many bytes of how many are read.
    """
    bytes(POOL)
    export = _Export(folder, progress or (lambda done, total: None))
    try:
        if not folder.is_dir():
            raise Trouble("no_folder", file=str(folder))
        export.check(witness, min_size)
    except Trouble as trouble:
        export.report.give_up(trouble)
    except (MemoryError, RecursionError) as error:
        export.report.give_up(Trouble("too_much", detail=type(error).__name__))
    return export.report


_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
"""An instant that can be held against another as it is written: one without milliseconds comes behind all its second."""
_HASHED = re.compile(r"(policies|reference)/([0-9a-f]{64})\.(toml|json)")
"""What records and manifests name by its hash."""
_REFERENCE = re.compile(rb'"refs":\{(?:"[^"}]*":null,)*+"[^"}]*":"[0-9a-f]{64}"')
"""How a record names what is in `reference/`; looked for in a time that grows as what is read does, whatever that is."""
_FOLDER = re.compile(
    r"(records|manifests|keys|policies|reference|schemas)/|log/(tile/((entries|[0-9]{1,2})/(x[0-9]{3}/){0,6}([0-9]{3}\.p/)?)?)?"
)
"""The folders of an export, and those in them."""
_OF_PARTITION = re.compile(r"(records|manifests)/[0-9]{1,9}\.ndjson\.gz")
_SCHEMAS = ("schemas/audit.json", "schemas/manifest.json")
_UNREAD = re.compile(r"verify\.py|schemas/(audit|manifest)\.json|keys/(log|witness)-[1-9][0-9]{0,5}\.pub")
"""The files of an export that are not looked at, or not always."""


class _Export:
    """The folder, and the log that is in it."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.report = Report()
        self.sealed: dict[int, dict[bytes, int]] = {}
        """What is sealed within the export's range, by partition: leaf hashes in order, each with its leaf's number."""
        self.workers: dict[str, Vkey] = {}
        self.seen: set[bytes] = set()
        """Ids of the decisions that no send led to."""
        self.needed = set(_SCHEMAS)
        """Files that are to be there, though this check does not need them."""
        self.whole, self.logged = True, False
        """Whether it is of all time, and whether it holds a log."""
        self._folder, self._progress, self._done, self._total = folder, progress, 0, 1
        self._names: set[str] = set()
        self._opened: set[str] = set()
        self.beyond: set[str] = set()
        """SHA-256 of each sealed manifest that is not within the range."""
        self._newest: dict[int, str] = {}
        """SHA-256 of the newest sealed manifest, by partition."""
        self._coverage: dict[str, tuple[int, dict[str, Any]]] = {}
        """How many reports of coverage are in the log, and the last one; as `uncovered`, of those that found something."""

    def check(self, witness: Vkey | None, min_size: int | None) -> None:
        """Takes all that is wrong into the report; raises Trouble where nothing more can be said."""
        report, about = self.report, read_canonical(self._read("export.json"), "export.json")
        version, partitions, first, to = (about.get(name, "") for name in ("v", "partitions", "from", "to"))
        known = type(version) is type(partitions) is int and version == 1 and 0 < partitions <= PARTITIONS
        if not known or not all(one is None or _MOMENT.fullmatch(str(one)) for one in (first, to)):
            raise Trouble("about")
        self.whole = first is None
        self._list()
        self.workers = self._keys("worker")
        excluded = self._log(about, witness, min_size)
        for number in range(partitions):
            with self._lines("records", number) as records, self._lines("manifests", number) as manifests:
                _Partition(self, number, records).check(manifests)
        for number, sealed in sorted(self.sealed.items()):
            for leaf in sealed.values():
                report.add("missing_manifest", (number, 0), leaf=leaf)
        filled = {f"{match[1]}/" for match in map(_HASHED.fullmatch, self._names) if match}
        for name in sorted(self.needed - self._names - filled):
            report.add("lacking", file=name)
        strangers = [one for one in self._names - self._opened if not _UNREAD.fullmatch(one)]
        for name in filter(_OF_PARTITION.fullmatch, sorted(strangers)):
            report.add("outside", file=name)
        self._say(first, to)
        report.exclude(excluded)
        report.say("elsewhere")
        report.say("not_looked_at")
        if strangers:
            where = {top if _FOLDER.fullmatch(top := f"{one.partition('/')[0]}/") else "." for one in strangers}
            report.say("strangers", count=len(strangers), file=", ".join(sorted(where)))

    @contextmanager
    def _lines(self, kind: str, number: int) -> Iterator[Lines]:
        """Yields the lines of a partition's file of records or of manifests."""
        self._opened.add(name := f"{kind}/{number}.ndjson.gz")
        with _open(self._folder, name) as file:
            yield Lines(file, name, self._tell)

    def _read(self, name: str) -> bytes:
        self._opened.add(name)
        return _read(self._folder, name)

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)

    def _list(self) -> None:
        """Finds out which files there are, and checks those that are called by their hash."""
        left = [""]
        while left:
            folder = left.pop()
            try:
                with os.scandir(self._folder / folder) as entries:
                    for entry in entries:
                        name = f"{folder}{entry.name}"
                        if _FOLDER.fullmatch(f"{name}/") and entry.is_dir():
                            left.append(f"{name}/")
                            continue
                        self._names.add(name)
                        if _OF_PARTITION.fullmatch(name) and entry.is_file():
                            self._total += entry.stat().st_size
            except OSError as error:  # or what is in there would be told as missing
                raise Trouble("file", file=folder or ".", detail=error.strerror) from None
        for name in sorted(self._names):
            if (match := _HASHED.fullmatch(name)) and sha256(self._read(name)).hexdigest() != match[2]:
                self.report.add("content", file=name)

    def _keys(self, role: str) -> dict[str, Vkey]:
        """Returns the public keys of a role by NAME+HASH."""
        found = {}
        for name in sorted(one for one in self._names if re.fullmatch(rf"keys/{role}-[1-9][0-9]{{0,5}}\.pub", one)):
            try:
                key = parse_vkey(self._read(name).decode("ascii"))
            except ValueError:
                raise Trouble("key", file=name) from None
            found[key.kid] = key
        return found

    def _log(self, about: dict[str, Any], witness: Vkey | None, min_size: int | None) -> _Said:
        """Checks the log; returns what is to be said of a cut-off end and a history made anew."""
        if not any(name.partition("/")[0] == "log" for name in self._names):
            if witness or min_size:
                raise Trouble("missing", file="log/checkpoint")
            self.report.add("no_log")
            return "not_excluded", {"size": 0}
        try:
            found = open_checkpoint(self._read("log/checkpoint").decode())
        except ValueError:
            raise Trouble("checkpoint", file="log/checkpoint") from None
        if found.origin != about.get("group"):
            raise Trouble("other_log", origin=found.origin, group=about.get("group"))
        said = _trusted(found, self._keys("log").values(), self.report, witness, min_size)
        self.logged, hashes = True, list[bytes]()
        for index, leaf in enumerate(self._leaves(found.size)):
            hashes.append(leaf_hash(leaf))
            try:
                self._leaf(index, leaf, hashes[-1], about["from"] or "", about["to"] or "~")
            except (Trouble, *_NOT_SO):
                self.report.add("leaf", leaf=index)
        if root_of(hashes) != found.root:
            self.report.add("log_root")
        self._tiles(hashes)
        return said

    def _leaf(self, index: int, leaf: bytes, hash_: bytes, first: str, to: str) -> None:
        """Takes a leaf in: a manifest, or a report of coverage; raises Trouble, or ValueError and its like, for another."""
        said = read_canonical(leaf)
        if said.get("kind") == "coverage" and "prev" not in said:
            told = {"leaf": index, "at": said.get("at"), "found": said.get("found")}
            for code in ("coverage", "uncovered") if told["found"] != 0 else ("coverage",):
                self._coverage[code] = self._coverage.get(code, (0, {}))[0] + 1, told
            return
        partition, prev, at = said["partition"], said["prev"], said["t1"]
        if type(partition) is not int or not _MOMENT.fullmatch(at):
            raise ValueError("no manifest")
        if self._newest.get(partition, prev) != prev:
            self.report.add("log_chain", leaf=index, partition=partition)
        self._newest[partition] = sha256(leaf).hexdigest()
        if first <= at < to:
            self.sealed.setdefault(partition, {}).setdefault(hash_, index)
        else:
            self.beyond.add(self._newest[partition])

    def _leaves(self, size: int) -> Iterator[bytes]:
        """Yields the data of all leaves in order."""
        for number, width in enumerate(_widths(size)):
            name = f"log/{tile_path('entries', number, width)}"
            data, place = self._read(name), 0
            for _ in range(width):
                begin = place + 2
                place = begin + int.from_bytes(data[place:begin], "big")
                if max(begin, place) > len(data):
                    raise Trouble("cut", file=name)
                yield data[begin:place]
            if len(data) > place:
                self.report.add("tile", file=name)

    def _tiles(self, hashes: list[bytes]) -> None:
        """Checks that the tiles of hashes are what these leaf hashes come to."""
        level = 0
        while hashes:
            for number, width in enumerate(_widths(len(hashes))):
                right = b"".join(hashes[number * TILE : (number + 1) * TILE])
                data = self._read(name := f"log/{tile_path(level, number, width)}")
                if len(data) < len(right):
                    raise Trouble("cut", file=name)
                if data != right:
                    self.report.add("tile", file=name)
            whole = range(0, len(hashes) - TILE + 1, TILE)
            level, hashes = level + 1, [root_of(hashes[at : at + TILE]) for at in whole]

    def _say(self, first: str | None, to: str | None) -> None:
        """Says what was checked, and what the reports of coverage say."""
        report = self.report
        report.say("counted", manifests=report.manifests, records=report.records, leaves=report.leaves)
        if report.found:
            report.say("not_right", count=report.found)
        for skip in report.skips[:KEPT]:
            report.say("skipped_by" if skip["first"] < skip["to"] else "gone_back_by", **skip)
        if first or to:
            report.say("only", first=first, to=to)
        for code, (count, told) in self._coverage.items():
            report.say(code, count=count, **told)


def _widths(size: int) -> Iterator[int]:
    """Yields how many of so many hashes or leaves each tile holds."""
    return (min(TILE, size - begin) for begin in range(0, size, TILE))


# -- one partition of an export ---------------------------------------------------------------------------------


@dataclass
class _Manifest:
    """A line of `manifests/P.ndjson.gz`, read; `place`: partition and offset."""

    place: tuple[int, int]
    index: int | None
    value: bytes
    sig: bytes
    said: dict[str, Any]


@dataclass
class _Skip:
    """Offsets that a person let go undecided: the manifest that says so, what it says, and what is told of it."""

    place: tuple[int, int]
    said: dict[str, Any]
    told: dict[str, Any]


_Placed = tuple[int, re.Match[bytes] | None, re.Match[bytes] | None]
"""Which one of its manifest a record is, and what is found of its decision id and of its end; None where there is none."""
_Span = tuple[bytes, int, int]
"""Lines as they were inflated: what they stand in, where they begin, and where they end."""
_DID = re.compile(rb'"did":"([A-Z2-7]{26})"')
_TAIL = re.compile(
    rb'"src":\{"offset":([0-9]{1,19}),"partition":([0-9]{1,9}),"timestamp":[0-9]+,"topic":"([^"\\]*)"\},"stage":"([a-z]+)",'
)
"""What stands from the last `{` of an audit record on: its keys are sorted, and none behind `src` holds an object."""


class _Partition:
    """Holds a partition's manifests against each other and against what is sealed, and its records against them."""

    def __init__(self, export: _Export, number: int, lines: Lines) -> None:
        self._export, self._report, self._number, self._lines = export, export.report, number, lines
        self._sealed = export.sealed.pop(number, {})
        self._coming = deque(self._sealed.values())
        """The leaf numbers that are still to come."""
        self._unsealed: list[tuple[int, int]] = []
        self._unknown: set[str] = set()
        """The keys that are not known, of which the first manifest was told."""
        self._place = number, -1
        self._prev: str | None = None
        self._next: dict[str, int] = {}
        self._asked: dict[int, list[_Skip]] = {}
        """Returns what was skipped by acts that have no record yet, by the place of each act."""

    def check(self, manifests: Lines) -> None:
        """Takes all that is wrong into the report; raises Trouble for what is no manifest."""
        if self._lines.more() and _REFERENCE.search(self._lines.data):
            self._export.needed.add("reference/")
        coming, ahead = self._read(manifests), deque[_Manifest]()
        while one := ahead.popleft() if ahead else next(coming, None):
            ahead.extend(islice(coming, AHEAD - len(ahead)))
            self._report.manifests += 1
            if one.place <= self._place:
                self._report.add("order", one.place)
            self._place = one.place
            try:
                self._signed(one)
                self._follows(one)
                self._take(one, ahead)
            except _NOT_SO:
                raise Trouble("manifest", partition=self._number, offset=one.place[1]) from None
        behind = self._number, self._place[1] + 1
        for leaf in self._coming:
            self._report.add("missing_manifest", behind, leaf=leaf)
        for skip in chain.from_iterable(self._asked.values()):
            self._report.add("skip_unrecorded", skip.place, **skip.told)
        if self._unsealed:
            self._report.unsealed += len(self._unsealed)
            self._report.add("unsealed", self._unsealed[0], size=self._report.leaves, count=len(self._unsealed))
        if count := sum(1 for _ in iter(self._lines.line, None)):
            self._report.add("strays", behind, count=count)

    def _read(self, manifests: Lines) -> Iterator[_Manifest]:
        for count, line in enumerate(iter(manifests.line, None), start=1):
            try:
                if len(line) > MANIFEST:
                    raise ValueError("too long")
                found = _shaped(_READ_ONCE(line.decode()), "index", "offset", "sig", "value")
                value, offset, index = found["value"].encode(), found["offset"], found["index"]
                sig, said = base64.b64decode(found["sig"], validate=True), read_canonical(value)
                if not (is_place(offset) and (index is None or is_place(index)) and 0 <= said["audit"]["n"] <= MOST):
                    raise ValueError("no such place or number")
                yield _Manifest((self._number, offset), index, value, sig, said)
            except (Trouble, *_NOT_SO):
                raise Trouble("line", file=f"manifests/{self._number}.ndjson.gz", line=count) from None

    def _signed(self, one: _Manifest) -> None:
        """Checks who signed a manifest, and where in the log it is."""
        kid, index = str(one.said.get("kid")), self._sealed.get(leaf_hash(one.value))
        if kid not in self._export.workers:
            if kid not in self._unknown:
                self._unknown.add(kid)
                self._report.add("unknown_key", one.place, kid=kid)
        elif not self._export.workers[kid].verifies(one.sig, one.value):
            self._report.add("signature", one.place, kid=kid)
        if not self._export.logged:
            return
        if index is None and not self._coming and (one.index is None or one.index >= self._report.leaves):
            self._unsealed.append(one.place)
        elif index is None:
            self._report.add("not_sealed", one.place, leaf=one.index)
            if self._coming and self._coming[0] == one.index:
                self._coming.popleft()
        elif not self._coming or index < self._coming[0]:
            self._report.add("again", one.place, leaf=index)
        else:
            while (leaf := self._coming.popleft()) != index:
                self._report.add("missing_manifest", one.place, leaf=leaf)
            if one.index != index:
                self._report.add("index", one.place, leaf=index, said=one.index)

    def _follows(self, one: _Manifest) -> None:
        """Checks that a manifest goes on where the one before ended, and adds up."""
        said = one.said
        if said["partition"] != self._number:
            self._report.add("other_partition", one.place, partition_said=said["partition"])
        if said["prev"] != self._prev:
            self._next = {}
            # what is sealed follows in the log; and what follows one beyond the range has no predecessor here
            sealed, beyond = leaf_hash(one.value) in self._sealed, said["prev"] in self._export.beyond
            if not (beyond or (sealed if self._prev else not self._export.whole)):
                self._report.add("chain", one.place)
            elif sealed and not (beyond or self._prev):  # nobody can tell of what time its predecessor is
                self._report.add("begins_late", one.place)
        self._prev = sha256(one.value).hexdigest()
        for taken in said["in"]:
            topic, first, to = taken["topic"], taken["from"], taken["to"]
            if (expected := self._next.get(topic, first)) != first:
                self._report.add("skipped", one.place, topic=topic, first=first, expected=expected)
            self._next[topic] = to
            if not adds_up(first, to, taken["n"], [(gap["first"], gap["n"]) for gap in taken["gaps"]]):
                self._report.add("range", one.place, topic=topic, first=first, to=to)
        for skipped in said.get("skipped", ()):
            self._skip(one.place, skipped)
        policy = f"policies/{said['policy']['sha256']}.toml"
        self._export.needed.add(policy if _HASHED.fullmatch(policy) else "policies/?.toml")

    def _skip(self, place: tuple[int, int], skipped: dict[str, Any]) -> None:
        """Takes in what a person let go undecided behind a manifest; the record of the act that says so comes later."""
        _shaped(skipped, "act", "by", "from", "offset", "refused", "to", "topic")
        topic, first, to, act = (skipped[name] for name in ("topic", "from", "to", "offset"))
        if not all(map(is_place, (first, to, act))):
            raise ValueError("no such place")
        if (expected := self._next.get(topic, first)) != first:
            self._report.add("skipped", place, topic=topic, first=first, expected=expected)
        self._next[topic] = to
        told = {"topic": topic, "first": first, "to": to, "by": skipped["by"], "act": skipped["act"], "input": act}
        self._asked.setdefault(act, []).append(_Skip(place, skipped, told))

    def _said(self, offset: int, tail: re.Match[bytes]) -> None:
        """Holds an act's record against what was skipped by that act."""
        data = tail.string
        end = data.find(b"\n", tail.end())
        record = data[data.rfind(b"\n", 0, tail.start()) + 1 : len(data) if end < 0 else end]
        try:
            act = _READ(record.decode())["act"]
            said = act["kind"], act["act_id"], act["by"], act["resumed"]["refused"]
            to = {_name(name): act["resumed"][name] for name in ("sends", "acts")}
        except _NOT_SO:
            said, to = ("", "", "", ""), {}
        for skip in self._asked.pop(offset):
            wanted = "resume_partition", skip.said["act"], skip.said["by"], skip.said["refused"]
            if said == wanted and to.get(_name(skip.said["topic"])) == skip.said["to"]:
                self._report.skips.append({"partition": self._number, **skip.told})
            else:
                self._report.add("skip_unsaid", skip.place, **skip.told)

    def _take(self, one: _Manifest, ahead: Iterable[_Manifest]) -> None:
        """Takes the records of a manifest, and tells what is wrong with them."""
        count, said = one.said["audit"]["n"], one.said
        spans, leaves, odd, whole = self._walk(count, said)
        fits = _fits(leaves, said)
        if fits and count and f'"did":"{said["audit"]["from_id"]}"'.encode() not in _first(*spans[0]):
            self._report.add("from_id", one.place)
        if not (fits and whole):
            records, whole = _cut(spans) if fits else self._own(one, _cut(spans), ahead), False
            count = len(records)
            odd = [
                (place, _DID.search(record), _TAIL.match(record, max(0, record.rfind(b"{") - 6)))
                for place, record in enumerate(records)
            ]
        self._report.records += count
        self._inputs(one, odd, count, whole=whole)

    def _walk(self, count: int, said: dict[str, Any]) -> tuple[list[_Span], list[bytes], list[_Placed], bool]:
        """Takes so many records; returns them as spans, their leaf hashes, the odd ones, and whether each send has its own.

        Here is all that a right record costs: its hash, and a look at `src`, the last object in it, which is to be that
        of the next send. All others are odd: an act's, say, or one that is wrong.
        """
        topic, offsets = (said["in"][0]["topic"], _offsets(said["in"][0])) if said["in"] else ("", iter(()))
        heads = _formatted(b'"src":{"offset":%%d,"partition":%d,"timestamp":' % said["partition"], offsets)
        behind = b',"topic":"%s"},"stage":"intake",' % topic.encode()
        none = b"\n"  # no record holds one
        head, lines, begun = next(heads, none), self._lines, LEAF.copy
        spans: list[_Span] = []
        leaves: list[bytes] = []
        odd: list[_Placed] = []
        tail: re.Match[bytes] | None = None
        while len(leaves) < count:
            data, at = lines.data, lines.at
            find, last, starts, view = data.find, data.rfind, data.startswith, memoryview(data)
            for _ in range(count - len(leaves)):
                if (end := find(b"\n", at)) < 0:
                    break
                leaf = begun()
                leaf.update(view[at:end])
                leaves.append(leaf.digest())
                src = last(b"{", at, end) - 6
                # a time in milliseconds has 13 digits from 2001 to 2286; another one takes the longer way
                time = src + len(head)
                if starts(head, src) and starts(behind, time + 13) and data[time : time + 13].isdigit():
                    head = next(heads, none)
                else:
                    if not (tail and starts(tail[0], src)):  # an act of many pieces has as many records
                        tail = _TAIL.match(data, src, end)
                    odd.append((len(leaves) - 1, _DID.search(data, at, end), tail))
                at = end + 1
            if at > lines.at:
                spans.append((data, lines.at, at))
            lines.at = at
            if len(leaves) < count and not lines.more():
                break
        return spans, leaves, odd, head is none

    def _own(self, one: _Manifest, taken: list[bytes], ahead: Iterable[_Manifest]) -> list[bytes]:
        """Returns the records of a manifest that `taken` does not fit, and gives those that follow back.

        They are whole behind some strays, or end where the records of a manifest ahead begin.
        """
        own, count, begin, end = one.said["audit"]["from_id"], one.said["audit"]["n"], None, None
        starts = {audit["from_id"]: audit["n"] for audit in (later.said["audit"] for later in ahead) if audit["n"]}
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
            end = begin + count
        else:
            if end is None:  # what comes behind it is damaged too, or nothing does
                end = count if starts else len(taken)
            begin, there = 0, len(taken[:end])
            self._report.add("root" if there == count else "record_count", one.place, count=there, wanted=count)
        self._lines.back(taken[end:])
        return taken[begin:end]

    def _inputs(self, one: _Manifest, odd: list[_Placed], count: int, *, whole: bool) -> None:
        """Checks that each input of a manifest has its record, once, and that no other input's is among them.

        `odd`: the records to look at; all of them unless `whole`, which is to say that each send has its own already.
        `count`: how many records there are, whatever the manifest says.
        """
        if whole and not odd and len(one.said["in"]) < 2:
            return
        # of more inputs than can have a record, as many are named as are told
        most = count + KEPT
        inputs = ((taken["topic"], at) for taken in one.said["in"][:1] for at in islice(_offsets(taken), most))
        more = ((taken["topic"], at) for taken in one.said["in"][1:] for at in islice(_offsets(taken), most))
        sends, others = dict.fromkeys(inputs), dict.fromkeys(islice(more, most))
        left, latest, known = {} if whole else dict(sends), -1, None
        for place, did, tail in odd:
            if did is None or tail is None:
                self._report.add("record", one.place, record=place)
                continue
            if tail is not known:
                known, offset, of, topic, stage = tail, int(tail[1]), int(tail[2]), tail[3].decode(), tail[4]
                input_ = topic, offset
            wrong = None
            if of != one.said["partition"]:
                wrong = "of_partition"
            elif stage != b"intake":
                others.pop(input_, None)
                if offset in self._asked and _name(topic) == "acts":
                    self._said(offset, tail)
                wrong = "twice" if did[1] in self._export.seen else None
                self._export.seen.add(did[1])
            elif input_ not in left:
                wrong = "twice" if input_ in sends else "not_taken"
            else:
                del left[input_]
                wrong = "out_of_order" if offset < latest else None
                latest = offset
            if wrong:
                self._report.add(wrong, one.place, topic=topic, input=offset, record=place, of=of)
        for topic, offset in chain(left, others):
            self._report.add("no_record", one.place, topic=topic, input=offset)


def _name(topic: str) -> str:
    """Returns what a topic is called without prefix and version."""
    return topic.rpartition(".v")[0].rpartition(".")[2] or topic


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
    """Yields the form with each number in it; a thousand are made at once, in less time."""
    lines = form + b"\n"
    some = iter(lambda: tuple(islice(numbers, 1_000)), ())
    return chain.from_iterable((lines * len(few) % few).splitlines() for few in some)


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
    try:
        content = _read(file.parent, file.name)
    except Trouble:
        content = b""
    return check_content(content, file.name, witness=witness, min_size=min_size)


def check_content(content: bytes, name: str, *, witness: Vkey | None = None, min_size: int | None = None) -> Report:
    """Checks what a proof's file holds, as `check_proof` does; `name`: what the file is called."""
    report = Report()
    try:
        _check_one(_READ_ONCE(content.decode()), report, witness, min_size)
    except Trouble as trouble:
        report.give_up(trouble)
    except _NOT_SO:
        report.give_up(Trouble("proof", file=name))
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
        report.say("not_right", count=report.found)
        report.exclude(("not_excluded", {"size": 0}))
        return
    checkpoint = open_checkpoint(log["checkpoint"])
    excluded = _trusted(checkpoint, keys.values(), report, witness, min_size)
    if root_from_inclusion(leaf_hash(value), log["index"], checkpoint.size, _hashes(log)) != checkpoint.root:
        report.add("not_in_log", place, leaf=log["index"])
    if report.found:
        report.say("not_right", count=report.found)
    else:
        report.say("proven", did=proof["did"], leaf=log["index"], size=checkpoint.size)
    report.exclude(excluded)


def _hashes(path: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in path["hashes"]]


_Said = tuple[str, dict[str, Any]]
"""A key of SAYS, and what fills its sentence."""


def _trusted(
    checkpoint: Checkpoint, logs: Iterable[Vkey], report: Report, witness: Vkey | None, min_size: int | None
) -> _Said:
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


# -- what is found, and what is said ----------------------------------------------------------------------------


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
    skips: list[dict[str, Any]] = field(default_factory=list)
    """Names the offsets that a person skipped, and the recorded act that says so."""
    says: list[_Said] = field(default_factory=list)

    def add(self, code: str, place: tuple[int, int] | None = None, /, **values: Any) -> None:
        """Takes a finding in; `place`: partition and offset on `manifests`."""
        asks = SAYS[code][0]
        self.exit_code = min(self.exit_code or asks, asks)
        self.found += 1
        if len(self.findings) < KEPT:
            partition, offset = place or (None, None)
            self.findings.append(Finding(code, asks, partition, offset, _tellable(values)))

    def give_up(self, trouble: Trouble) -> None:
        """Takes in why no more can be told."""
        self.add(trouble.code, **trouble.values)
        self.says = [("not_right", {"count": self.found})]

    def say(self, code: str, **values: Any) -> None:
        """Takes in what is said besides the findings."""
        self.says.append((code, _tellable(values)))

    def exclude(self, said: _Said) -> None:
        """Says what is excluded: that only where all that is sealed is right, and nothing where it was changed."""
        if self.exit_code != CHANGED:
            self.says.append(said if self.exit_code in (0, INCOMPLETE) else ("mend", {}))

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


_NAME = r"[A-Za-z0-9._-]{1,200}"
_SHAPES = {
    "kid": re.compile(rf"{_NAME}(/[a-z]+)?\+[0-9a-f]{{8}}"),
    "topic": re.compile(rf"{_NAME}\.v[0-9]{{1,3}}"),
    "did": re.compile(r"[A-Z2-7]{26}"),
    **dict.fromkeys(("origin", "group"), re.compile(rf"{_NAME}\.gatekeeper")),
    **dict.fromkeys(("at", "first", "to"), _INSTANT),
    **dict.fromkeys(("by", "act"), re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")),
    **dict.fromkeys(("file", "detail"), re.compile(".*", re.DOTALL)),  # not from what was written to be checked
}
"""What may be told, by its name, besides numbers. All else may be a forger's, or personal."""


def _tellable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _told(name, value) for name, value in values.items()}


def _told(name: str, value: Any) -> Any:
    """Returns a value so that it cannot drive a terminal; `?` for one that may not be told."""
    if isinstance(value, str) and name in _SHAPES and _SHAPES[name].fullmatch(value):
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)
    return value if value is None or (type(value) is int and abs(value) <= LARGEST) else "?"


def language() -> str:
    """Returns the reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def say(code: str, lang: str, **values: Any) -> str:
    """Returns a sentence of SAYS, filled in."""
    _, ja, en = SAYS[code]
    return (ja if lang == "ja" else en).format(**{k: "-" if v is None else v for k, v in values.items()})


SAYS: dict[str, tuple[int, str, str]] = {
    "missing": (UNVERIFIABLE, "{file} がありません。書き出し直してください。", "{file} is missing. Export again."),
    "file": (UNVERIFIABLE, "{file} を読めません ({detail})。書き出し直してください。", "{file} cannot be read ({detail}). Export again."),
    "no_folder": (UNVERIFIABLE, "{file} は書き出しのフォルダではありません。`gatekeeper audit export` が作ったフォルダを指定してください。", "{file} is no folder of an export. Name the one that `gatekeeper audit export` wrote."),
    "no_file": (UNVERIFIABLE, "{file} は通常のファイルではありません。書き出し直してください。", "{file} is no regular file. Export again."),
    "large": (UNVERIFIABLE, "{file} には、書き出しにありえない大きさのものがあります ({most} バイトより大)。書き出し直してください。", "{file} holds something larger than anything in an export (more than {most} bytes). Export again."),
    "about": (UNVERIFIABLE, "export.json の内容が正しくありません (v、partitions、from、to)。書き出し直してください。", "What export.json says is not right (v, partitions, from, to). Export again."),
    "cut": (UNVERIFIABLE, "{file} は壊れているか、途中で切れています。書き出し直してください。", "{file} is damaged or cut short. Export again."),
    "key": (UNVERIFIABLE, "{file} は公開鍵として読めません。書き出し直してください。", "{file} cannot be read as a public key. Export again."),
    "checkpoint": (UNVERIFIABLE, "{file} はチェックポイントとして読めません。書き出し直してください。", "{file} cannot be read as a checkpoint. Export again."),
    "proof": (UNVERIFIABLE, "{file} は証明として読めません。`gatekeeper audit prove` が作ったファイルを指定するか、作り直してください。", "{file} cannot be read as a proof. Name the file that `gatekeeper audit prove` wrote, or make it again."),
    "version": (UNVERIFIABLE, "版 {v} の証明は、この版の検証では確かめられません。新しい版で確かめてください。", "This is a proof of version {v}, which this check does not know. Use a newer one."),
    "line": (UNVERIFIABLE, "{file} の {line} 行目は正準 JSON のマニフェストではありません。書き出し直してください。", "Line {line} of {file} is no manifest in canonical JSON. Export again."),
    "not_canonical": (UNVERIFIABLE, "{file} は正準 JSON ではありません (キーは整列、空白なし、数は 2^53 未満の整数)。`gatekeeper audit export` か `gatekeeper audit prove` で作り直してください。", "{file} is not canonical JSON (sorted keys, no space, no number but integers below 2^53). Make it again with `gatekeeper audit export` or `gatekeeper audit prove`."),
    "leaf": (UNVERIFIABLE, "封印ログの葉 {leaf} は、正準 JSON のマニフェストでも網羅性の報告でもありません。", "Leaf {leaf} of the sealed log is neither a manifest nor a report of coverage in canonical JSON."),
    "manifest": (UNVERIFIABLE, "パーティション {partition}、manifests のオフセット {offset}: マニフェストの形が違います。", "Partition {partition}, offset {offset} of manifests: this is not shaped like a manifest."),
    "record": (UNVERIFIABLE, "{record} 番目の記録 (0 から) は監査記録の形ではありません。", "Record {record} of it (from 0) is not shaped like an audit record."),
    "other_log": (UNVERIFIABLE, "チェックポイントは別のログ {origin} のものです。書き出し元は {group} です。", "The checkpoint is another log's: {origin}, and the export is of {group}."),
    "unknown_log": (UNVERIFIABLE, "ログ {origin} のチェックポイントに、手元のログの公開鍵による署名がありません。別のログのものか、公開鍵が足りません。チェックポイントを取り違えていないか確かめ、鍵のある機械で書き出し直してください。", "No public key at hand has signed this checkpoint of the log {origin}: it is another log's, or a key is missing. See which log it is of, and export again where its key is."),
    "unknown_key": (UNVERIFIABLE, "署名した鍵 {kid} の公開鍵がありません。ワーカーの鍵なら、それのある機械で書き出し直してください。", "The key that signed it, {kid}, is not among the public keys. If it is a worker's, export again where it is."),
    "not_cosigned": (UNVERIFIABLE, "チェックポイントに証人 {kid} の連署がありません。その証人の鍵か、証人が連署した後の書き出しかを確かめてください。", "The checkpoint bears no cosignature of the witness {kid}. See that the key is that witness's, and that it saw the log before this was exported."),
    "too_much": (UNVERIFIABLE, "この機械で扱えないほど大きいか、深く入れ子になっています ({detail})。書き出し直すか、メモリの多い機械で確かめてください。", "It is too large or too deep for this machine ({detail}). Export again, or verify where there is more memory."),
    "witness_key": (UNVERIFIABLE, "--witness は証人の公開鍵 (NAME+HASH+BASE64) か、それを収めたファイルです。指定されたものはどちらでもありません。", "--witness takes a witness's public key (NAME+HASH+BASE64), or a file with it; what was given is neither."),
    "no_log": (INCOMPLETE, "封印ログがありません。署名と鎖だけを確かめました。`gatekeeper audit seal` で封印してから書き出してください。", "There is no sealed log: only signatures and chains were checked. Seal with `gatekeeper audit seal`, then export."),
    "unsealed": (INCOMPLETE, "封印ログは葉 {size} 枚で終わり、ここから {count} 件のマニフェストはまだ封印されていません。封印してから書き出し直してください。", "The sealed log ends with {size} leaves, and from here on {count} manifests are not sealed yet. Seal them, and export again."),
    "unsealed_one": (INCOMPLETE, "このマニフェストはまだ封印されていません。封印してから証明を作り直してください。", "This manifest is not sealed yet. Seal it, and prove again."),
    "begins_late": (INCOMPLETE, "封印ログのこのパーティションはこのマニフェストから始まりますが、これは封印されていないマニフェストに続いています。それがこの期間のものかどうかは分かりません。", "The sealed log of this partition begins with this manifest, which follows one that is not in it: whether that one is of this time cannot be told."),
    "lacking": (INCOMPLETE, "書き出しに含まれるはずの {file} がありません。書き出し直してください (ポリシーなら、その本文がある機械で)。", "{file}, which is part of an export, is missing. Export again; for a policy, where its text is."),
    "skip_unrecorded": (INCOMPLETE, "{topic} のオフセット {first} から {to} までの判断を、{by} の操作 {act} で飛ばしたとされていますが、その操作(acts のオフセット {input})の監査記録がまだありません。後でもう一度書き出してください。", "It says that {by} let offsets {first} to {to} of {topic} go undecided by act {act}. The audit record of that act (offset {input} of acts) is not here yet: export again later."),
    "checkpoint_signature": (CHANGED, "チェックポイントの署名が正しくありません。", "The signature of the checkpoint is wrong."),
    "cosignature": (CHANGED, "証人 {kid} の連署が正しくありません。", "The cosignature of the witness {kid} is wrong."),
    "too_small": (CHANGED, "封印ログの葉は {size} 枚で、求められた {wanted} 枚より少なく、末尾が切り取られています。", "The sealed log has {size} leaves, and {wanted} were asked for: its end is cut off."),
    "outside": (CHANGED, "{file} は export.json が示すパーティションのものではありません。", "{file} is of no partition that export.json states."),
    "log_root": (CHANGED, "封印ログの葉から計算した根がチェックポイントと一致しません。", "The leaves of the sealed log do not come to the root of its checkpoint."),
    "log_chain": (CHANGED, "封印ログの葉 {leaf} (パーティション {partition}) は、前のマニフェストに続いていません。", "Leaf {leaf} of the sealed log (partition {partition}) does not follow that partition's manifest before."),
    "content": (CHANGED, "{file} は名前のハッシュと一致しません。", "{file} is not what its name, a hash, says."),
    "tile": (CHANGED, "{file} が葉と一致しません。", "{file} is not what the leaves of the log come to."),
    "missing_manifest": (CHANGED, "ここにあるはずの、封印ログの葉 {leaf} のマニフェストがありません。", "The manifest that is leaf {leaf} of the sealed log is missing here."),
    "again": (CHANGED, "封印ログの葉 {leaf} のマニフェストが二度、または順序を変えて現れます。", "The manifest that is leaf {leaf} of the sealed log is here again, or out of order."),
    "not_sealed": (CHANGED, "このマニフェストは、この期間に封印されたものではありません。", "This manifest is none of those that were sealed in its time."),
    "index": (CHANGED, "封印ログの葉 {leaf} ですが、{said} と書かれています。", "It is leaf {leaf} of the sealed log, and called leaf {said}."),
    "order": (CHANGED, "オフセットが前より大きくありません。", "Its offset is not after the one before."),
    "signature": (CHANGED, "鍵 {kid} の署名が正しくありません。", "The signature by the key {kid} is wrong."),
    "other_partition": (CHANGED, "パーティション {partition_said} のマニフェストです。", "It is a manifest of partition {partition_said}."),
    "chain": (CHANGED, "前のマニフェストに続いていません。抜けたか、入れ替わったか、書き換えられています。", "It does not follow the manifest before: one was dropped, moved or changed."),
    "skipped": (CHANGED, "{topic} のオフセット {expected} から始まるはずが {first} から始まっています。", "It begins at offset {first} of {topic}, and {expected} comes next."),
    "skip_unsaid": (CHANGED, "{topic} のオフセット {first} から {to} までの判断を、{by} の操作 {act} で飛ばしたとされていますが、acts のオフセット {input} の監査記録はその操作のものではありません。", "It says that {by} let offsets {first} to {to} of {topic} go undecided by act {act}, but the audit record of offset {input} of acts says no such thing."),
    "range": (CHANGED, "{topic} のオフセット {first} から {to} の件数と欠番が合いません。", "Records and gaps do not add up from offset {first} to {to} of {topic}."),
    "strays": (CHANGED, "ここに、どのマニフェストにも属さない記録が {count} 件あります。", "Here stand {count} records that belong to no manifest."),
    "root": (CHANGED, "{count} 件の記録のどれかが、署名されたものと違います。", "One or more of its {count} records are not those that were signed."),
    "record_count": (CHANGED, "記録は {wanted} 件のはずですが、{count} 件です。", "It has {count} records, and {wanted} were signed."),
    "from_id": (CHANGED, "最初の記録の判断 ID が違います。", "Its first record has another decision id than it says."),
    "of_partition": (CHANGED, "{record} 番目の記録 (0 から) は別のパーティション {of} のものです ({topic} のオフセット {input})。", "Record {record} of it (from 0) is of another partition, {of} (offset {input} of {topic})."),
    "twice": (CHANGED, "{record} 番目の記録 (0 から): {topic} のオフセット {input} の記録は二つ目です。", "Record {record} of it (from 0): offset {input} of {topic} has a record already."),
    "out_of_order": (CHANGED, "{record} 番目の記録 (0 から): {topic} のオフセット {input} の順序が違います。", "Record {record} of it (from 0): offset {input} of {topic} is out of order."),
    "not_taken": (CHANGED, "{record} 番目の記録 (0 から): {topic} のオフセット {input} はこの取引の入力ではありません。", "Record {record} of it (from 0): offset {input} of {topic} is no input of this transaction."),
    "no_record": (CHANGED, "{topic} のオフセット {input} に監査記録がありません。", "Offset {input} of {topic} has no audit record."),
    "other_record": (CHANGED, "記録の判断 ID が証明のものと違います。", "The record has another decision id than the proof."),
    "not_in_manifest": (CHANGED, "記録はこのマニフェストに含まれていません。", "The record is not in this manifest."),
    "not_in_log": (CHANGED, "マニフェストは封印ログの葉 {leaf} ではありません。", "The manifest is not leaf {leaf} of the sealed log."),
    "at": (0, "パーティション {partition}、manifests のオフセット {offset}: ", "Partition {partition}, offset {offset} of manifests: "),
    "more": (0, "ほかに {count} 件あります。", "There are {count} more."),
    "counted": (0, "マニフェスト {manifests:,} 件、監査記録 {records:,} 件、封印ログの葉 {leaves:,} 枚を確かめました。", "Checked {manifests:,} manifests, {records:,} audit records and {leaves:,} leaves of the sealed log."),
    "not_right": (0, "正しくない点が {count} 件あります。", "Things that are not right: {count}."),
    "skipped_by": (0, "パーティション {partition}: {topic} のオフセット {first} から {to} の前までは、{by} が操作 {act}(acts のオフセット {input})で判断せずに飛ばしました。操作は監査記録にあります。", "Partition {partition}: {by} let offsets {first} up to {to} of {topic} go undecided by act {act} (offset {input} of acts), which is on record."),
    "gone_back_by": (0, "パーティション {partition}: {topic} の位置は、{by} が操作 {act}(acts のオフセット {input})で {first} から {to} に戻しました。操作は監査記録にあります。", "Partition {partition}: {by} let the position in {topic} go back from {first} to {to} by act {act} (offset {input} of acts), which is on record."),
    "only": (0, "対象は {first} から {to} の前までに判定されたものだけです (- は限りなし)。", "This covers only what was decided from {first} until before {to} (-: no bound)."),
    "proven": (0, "判断 {did} は封印ログの葉 {leaf} (0 から、全 {size} 枚) のマニフェストに含まれています。", "Decision {did} is in the manifest that is leaf {leaf} (from 0) of {size} of the sealed log."),
    "witnessed": (0, "証人 {kid} は {at} に {size} 枚のログを見ています。それまでに封印されたものの変更・削除・差し替えは除外できます。その後に封印されたものが切り取られたかどうかは除外できません。", "The witness {kid} saw this log of {size} leaves at {at}. Excluded: that anything sealed by then was changed, removed or replaced. Not excluded: that what was sealed later was cut off."),
    "long_enough": (0, "ログは求められた {wanted} 枚以上 ({size} 枚) です。そこまでの切り取りは除外できます。別の鍵で全体を作り直したものであることは除外できません。鍵は一緒に渡されたものだからです (--witness)。", "The log has {size} leaves, at least the {wanted} asked for: that its end was cut off before is excluded. Not excluded: that somebody made the whole anew with other keys, for the keys came with it (--witness)."),
    "not_excluded": (0, "末尾が切り取られたこと、別の鍵で全体を作り直したものであることは除外できません (ログは {size} 枚)。鍵は一緒に渡されたものだからです。両方には --witness、切り取りだけなら --min-size を指定してください。", "Not excluded: that the end was cut off, or that somebody made the whole anew with other keys, for the keys came with it (the log has {size} leaves). Pass --witness for both, or --min-size for the first."),
    "coverage": (0, "封印された網羅性の報告は {count} 件あり、最新の報告 ({at}) の誤りは {found} 件です。", "Reports of coverage that are sealed: {count}. The last one ({at}) found {found} things that are wrong."),
    "min_size": (0, "--min-size は 1 以上の整数です。", "--min-size takes a whole number from 1 on."),
    "output": (0, "出力を書き出せません ({detail})。", "The output cannot be written ({detail})."),
    "uncovered": (0, "そのうち {count} 件は誤りを見つけています。その最新は葉 {leaf} の報告 ({at}、{found} 件) です。このフォルダが書き換えられた証拠ではありませんが、運用者に原因と対処を確かめてください。", "Of these, {count} found something wrong; the newest of those is leaf {leaf} ({at}, {found} things). It does not show that this folder was changed, but it must be looked into: ask whoever runs the system for the cause, and for what was done."),
    "mend": (0, "何を除外できるかは、これらを直してから確かめてください。", "What can be excluded can be told once that is mended."),
    "elsewhere": (0, "判定が事実と規則から導かれるか、記録が正準 JSON かは `gatekeeper audit replay`、欠番が本当に空かは `gatekeeper audit coverage` が確かめます。", "Whether the verdicts follow from facts and rules, and the records are canonical JSON, is for `gatekeeper audit replay`, and whether gaps are empty for `gatekeeper audit coverage`."),
    "not_looked_at": (0, "確かめていないもの: reference/ と、記録だけが名指す policies/ の本文がすべて揃っているか (`gatekeeper audit replay` が確かめます)、schemas/ と verify.py の中身、keys/ の証人の鍵、マニフェストのオフセット、書き出した日時。", "Not looked at: whether reference/ is complete, and policies/ holds what records alone name (`gatekeeper audit replay` does that), what is in schemas/ and verify.py, the keys of witnesses in keys/, the offsets of manifests, and when the export was made."),
    "strangers": (0, "書き出しのものではないファイルが {count} 個あり、確かめていません ({file})。", "Files that are not of the export, and were not checked: {count} (in {file})."),
}  # fmt: skip
"""Every sentence, in Japanese and English, with the exit code that a finding of it asks for.

They stand here because this file stands alone.
"""


# -- the command ------------------------------------------------------------------------------------------------


def tell(report: Report, *, as_json: bool) -> None:
    """Prints a report on stdout, as far as it is read; raises OSError where it cannot be written."""
    told = json.dumps(report.plain()) if as_json else "\n".join(report.lines(language()))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(told.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again at its end, and its code is 120
        if error.errno != errno.EPIPE:
            raise


def _failed(exit_code: int, trouble: Trouble) -> int:
    sys.stderr.write(say(trouble.code, language(), **trouble.values) + "\n")
    return exit_code


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
    try:
        if given.min_size is not None and given.min_size < 1:
            raise Trouble("min_size")
        witness = None if given.witness is None else read_witness(given.witness)
        check = check_proof if given.proof else verify
        report = check(given.proof or given.folder, witness=witness, min_size=given.min_size)
        tell(report, as_json=given.json)
    except Trouble as trouble:
        return _failed(2, trouble)
    except OSError as error:
        return _failed(3, Trouble("output", detail=error.strerror))
    except KeyboardInterrupt:
        return 130
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
