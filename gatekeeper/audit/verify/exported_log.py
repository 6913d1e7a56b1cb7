"""Checks the sealed log in an export: checkpoint, leaves and tiles must agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, read_canonical
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, root_of, tile_path, tile_widths
from gatekeeper.audit.tlog.notes import open_checkpoint
from gatekeeper.audit.verify.export_folder import ExportFolder
from gatekeeper.audit.verify.findings import Report, Said, Trouble
from gatekeeper.audit.verify.sealed_branches import SealedBranches
from gatekeeper.audit.verify.trust import Demands, trusted

MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
"""An instant that can be compared as text. Without milliseconds it would sort after all others of its second."""


class ExportedLog:
    """The log of an export, with the manifests sealed in it."""

    def __init__(self, files: ExportFolder, report: Report, *, first: str | None, to: str | None) -> None:
        """`first`, `to`: the period of the export, from `first` to before `to`; None = no bound."""
        self._files, self._report, self._first, self._to = files, report, first or "", to or "~"
        self.there = False
        """True if the export holds a log."""
        self.sealed: dict[int, dict[bytes, int]] = {}
        """Sealed manifests of the export's period, by partition: leaf hash to leaf number, in order."""
        self.beyond: set[str] = set()
        """SHA-256 of each sealed manifest outside the period."""
        self.coverage: dict[str, tuple[int, dict[str, Any]]] = {}
        """Number of coverage reports in the log, and the last one. `uncovered`: the same for those with findings."""
        self.branches = SealedBranches(report)
        """Manifests that do not count, and the choices of people."""
        self._size = 0
        self._newest: dict[int, str | None] = {}
        """SHA-256 of the newest sealed manifest, by partition."""

    def check(self, group: Any, demands: Demands) -> Said:
        """Checks the log. The result tells whether a cut-off end and a history made anew are excluded.

        `group`: the expected origin of the log. Raises Trouble if the log cannot be read or is another one.
        """
        if not any(name.partition("/")[0] == "log" for name in self._files.names):
            if demands:
                raise Trouble("missing", file="log/checkpoint")
            self._report.add("no_log")
            return "not_excluded", {"size": 0}
        try:
            checkpoint = open_checkpoint(self._files.read("log/checkpoint").decode())
        except ValueError:
            raise Trouble("checkpoint", file="log/checkpoint") from None
        if checkpoint.origin != group:
            raise Trouble("other_log", origin=checkpoint.origin, group=group)
        keys, self._size = self._files.keys("log").values(), checkpoint.size
        excluded = trusted(checkpoint, keys, self._report, demands)
        self.branches.under(keys, checkpoint.origin)
        self.there, hashes = True, list[bytes]()
        for index, leaf in enumerate(self._leaves(checkpoint.size)):
            hashes.append(leaf_hash(leaf))
            try:
                self._leaf(index, leaf, hashes[-1])
            except MALFORMED:
                self._report.add("leaf", leaf=index)
        if root_of(hashes) != checkpoint.root:
            self._report.add("log_root")
        self._tiles(hashes)
        return excluded

    def leaf(self, index: int) -> bytes:
        """The data of a leaf of the log, which `check` has read before."""
        return next(islice(self._leaves(index + 1, index // TILE), index % TILE, None))

    def _leaf(self, index: int, leaf: bytes, hash_: bytes) -> None:
        """Registers a leaf: a manifest, a coverage report, a fork or a branch; raises one of MALFORMED for another."""
        content = read_canonical(leaf)
        if content.get("kind") == "coverage" and "prev" not in content:
            values = {"leaf": index, "at": content.get("at"), "found": content.get("found")}
            for code in ("coverage", "uncovered") if values["found"] != 0 else ("coverage",):
                self.coverage[code] = self.coverage.get(code, (0, {}))[0] + 1, values
            return
        if content.get("kind") == "fork" and "prev" not in content:
            self.branches.fork(index, content)
            return
        if content.get("kind") == "branch" and "prev" not in content:
            self._branch(index, content)
            return
        partition, prev, at = content["partition"], content["prev"], content["t1"]
        if type(partition) is not int or not MOMENT.fullmatch(at):
            raise ValueError("no manifest")
        if self._newest.get(partition, prev) != prev:
            self._report.add("log_chain", leaf=index, partition=partition)
        self._newest[partition] = own = sha256(leaf).hexdigest()
        self.branches.sealed(partition, own)
        if self._first <= at < self._to:
            self.sealed.setdefault(partition, {}).setdefault(hash_, index)
        else:
            self.beyond.add(own)

    def _branch(self, index: int, content: dict[str, Any]) -> None:
        """Goes back to the manifest from which a chosen branch goes on; raises one of MALFORMED for another form."""
        after, partition = content["after"], content["partition"]
        sealed = self.sealed.get(partition, {})
        if after is not None:
            number = content["leaf"]
            leaf = self.leaf(number) if 0 <= number < index else b""
            stands = leaf_hash(leaf) in sealed or after in self.beyond
            if sha256(leaf).hexdigest() != after or read_canonical(leaf)["partition"] != partition or not stands:
                raise ValueError("not the leaf of that manifest")
        self.branches.choice(index, content, sealed)
        if partition in self._newest:  # else nothing was sealed, and the log may begin late
            self._newest[partition] = after

    def _leaves(self, size: int, start: int = 0) -> Iterator[bytes]:
        """Yields the data of the first `size` leaves in order, from the tile `start` on."""
        for number, width in islice(enumerate(tile_widths(self._size)), start, -(-size // TILE)):
            name = f"log/{tile_path('entries', number, width)}"
            data, end = self._files.read(name), 0
            for _ in range(width):
                begin = end + 2
                end = begin + int.from_bytes(data[end:begin], "big")
                if max(begin, end) > len(data):
                    raise Trouble("cut", file=name)
                yield data[begin:end]
            if len(data) > end:
                self._report.add("tile", file=name)

    def _tiles(self, hashes: list[bytes]) -> None:
        """Compares the hash tiles with these leaf hashes."""
        level = 0
        while hashes:
            for number, width in enumerate(tile_widths(len(hashes))):
                right = b"".join(hashes[number * TILE : (number + 1) * TILE])
                data = self._files.read(name := f"log/{tile_path(level, number, width)}")
                if len(data) < len(right):
                    raise Trouble("cut", file=name)
                if data != right:
                    self._report.add("tile", file=name)
            whole = range(0, len(hashes) - TILE + 1, TILE)
            level, hashes = level + 1, [root_of(hashes[at : at + TILE]) for at in whole]
