"""Writes the sealed log: one growing RFC 6962 tree in the files of C2SP tlog-tiles, with signed checkpoints.

    checkpoint                 the signed note of the newest tree; leaves beyond it are not sealed
    tile/<L>/<N>[.p/<W>]       256 (or W) hashes of subtrees of 256**L leaves
    tile/entries/<N>[.p/<W>]   256 (or W) leaves, each behind its length in two bytes
    state/<size>               the writer's state for going on from the checkpoint of this size

A crash leaves the checkpoint and everything it covers. Later files are written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gatekeeper.audit.log.tree import CHECKPOINT, ReadableFiles, Tree, newest
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, root_of, tile_path
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey, open_checkpoint
from gatekeeper.audit.tlog.proofs import check_consistency
from gatekeeper.audit.tlog.signing import Signing, checkpoint, signed
from gatekeeper.ground.errors import IntegrityError

LEAF_BYTES = 65_535


class WritableFiles(ReadableFiles, Protocol):
    """Files that a writer keeps."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a file atomically. The file is on the disk at the latest after `publish`."""

    def publish(self, name: str, content: bytes) -> None:
        """Puts all earlier writes on the disk, then writes a file atomically and puts it on the disk too."""

    def remove(self, name: str) -> None:
        """Removes a file if it exists."""


class LogWriter:
    """The log for its one writer: leaves are appended, and sealed together by the next checkpoint."""

    def __init__(self, files: WritableFiles, *, signer: Callable[[], Signing], verifiers: Sequence[Vkey]) -> None:
        """Continues the log from its checkpoint; an empty folder first gets the checkpoint of an empty log.

        `signer`: gives the log's current key; its name is the log's origin. `verifiers`: the log's keys, former ones
        too. Raises IntegrityError (4) if the files do not give the checkpoint's root, or if tiles exist without a
        checkpoint. A log that begins again would be a fork of the old one.
        """
        self._files, self._signer = files, signer
        self._edges: list[list[bytes]] = []
        self._entries: list[bytes] = []
        current, origin = newest(files, verifiers), signer().name
        if current is not None and current[0].origin != origin:
            raise IntegrityError("error.log_other", found=current[0].origin, wanted=origin)
        self.sealed = current[0] if current else open_checkpoint(signed(checkpoint(origin, 0, root_of([])), signer()))
        self.size = self._before = self.sealed.size
        self._take_up()
        if current is None:
            self.seal(b"")

    def state(self) -> bytes:
        """The state sealed with the current checkpoint; empty in a new log.

        The state is not signed. Compare it with the leaves before you go on from it.
        """
        if (state := self._files.read(f"state/{self.sealed.size}")) is None:
            raise IntegrityError("error.log_state_missing", name=f"state/{self.sealed.size}")
        return state

    def append(self, leaf: bytes) -> int:
        """Adds a leaf, which the next checkpoint seals; the result is its number, from 0.

        Raises ValueError for a leaf of more than LEAF_BYTES.
        """
        if len(leaf) > LEAF_BYTES:
            raise ValueError("a leaf of more than 65,535 bytes")
        self._entries.append(len(leaf).to_bytes(2, "big") + leaf)
        if len(self._entries) == TILE:
            self._files.write(tile_path("entries", self.size // TILE), b"".join(self._entries))
            self._entries = []
        self.size += 1
        hash_, level = leaf_hash(leaf), 0
        while True:
            edge = self._edge(level)
            edge.append(hash_)
            if len(edge) < TILE:
                break
            self._files.write(tile_path(level, (self.size >> 8 * (level + 1)) - 1), b"".join(edge))
            hash_ = root_of(edge)
            edge.clear()
            level += 1
        return self.size - 1

    def root(self) -> bytes:
        """The 32 bytes of the root over all leaves, sealed or not."""
        below: list[bytes] = []
        for edge in self._edges:
            hashes = edge + below
            below = [root_of(hashes)] if hashes else []
        return below[0] if below else root_of([])

    def seal(self, state: bytes) -> Checkpoint:
        """Publishes a checkpoint over all leaves, signed by the current key, together with the writer's state.

        All files are on the disk before the checkpoint, and the checkpoint before this returns. Before signing, the
        files are read again, and must extend the last checkpoint. If they do not, IntegrityError (4) is raised and
        nothing is signed.
        """
        for level, edge in enumerate(self._edges):
            if edge:
                self._files.write(tile_path(level, self.size >> 8 * (level + 1), len(edge)), b"".join(edge))
        if self._entries:
            self._files.write(tile_path("entries", self.size // TILE, len(self._entries)), b"".join(self._entries))
        self._files.write(f"state/{self.size}", state)
        key = self._signer()
        self._demand_extension()
        note = signed(checkpoint(key.name, self.size, self.root()), key)
        self._files.publish(CHECKPOINT, note.encode())
        old, self.sealed = self.sealed, open_checkpoint(note)
        self._tidy(old.size)
        return self.sealed

    def cosign(self, cosigned: bytes, witnesses: Sequence[Vkey]) -> bool:
        """Adds a witness's line to the current checkpoint, so that readers find both signatures.

        The result tells whether the line was added. It must be new, of this checkpoint, and a valid signature by a
        known key.
        """
        standing = (self._files.read(CHECKPOINT) or b"").decode()
        try:
            ours, theirs = open_checkpoint(standing).note, open_checkpoint(cosigned.decode()).note
        except ValueError:
            return False
        there = {signature[:2] for signature in ours.signatures}
        right = {(key.name, key.hash) for key in witnesses if theirs.signed(key)} - there
        lines = cosigned.decode().rpartition("\n\n")[2].split("\n")[:-1]  # a name may hold other line breaks
        added = [f"{line}\n" for line, sig in zip(lines, theirs.signatures, strict=True) if sig[:2] in right]
        if theirs.body != ours.body or not added:
            return False
        self._files.publish(CHECKPOINT, (standing + "".join(added)).encode())
        return True

    def _take_up(self) -> None:
        tree = Tree(self._files, self.size)
        for level in range(-(-max(1, self.size).bit_length() // 8)):
            number, width = divmod(self.size >> 8 * level, TILE)
            self._edge(level)[:] = tree.hashes(level, number)[:width] if width else []
        number, width = divmod(self.size, TILE)
        leaves = tree.leaves(number * TILE) if width else []
        self._entries = [len(leaf).to_bytes(2, "big") + leaf for leaf in leaves]
        if not (tree.root() == self.root() == self.sealed.root):
            raise IntegrityError("error.log_tree_differs", size=self.size)
        if width and [leaf_hash(leaf) for leaf in leaves] != self._edge(0):
            raise IntegrityError("error.log_tile_wrong", name=tile_path("entries", number, width))

    def _edge(self, level: int) -> list[bytes]:
        while len(self._edges) <= level:
            self._edges.append([])
        return self._edges[level]

    def _demand_extension(self) -> None:
        old, tree = self.sealed, Tree(self._files, self.size)
        right = check_consistency(old.size, old.root, self.size, self.root(), tree.consistency(old.size))
        if not right or tree.root() != self.root() or self._signer().name != old.origin:
            raise IntegrityError("error.log_tree_differs", size=old.size)

    def _tidy(self, old: int) -> None:
        """Removes the partial tiles and the states that neither of the last two checkpoints needs."""
        sizes, before = {old, self.size}, self._before
        for level in (*range(len(self._edges)), "entries"):
            height = 0 if level == "entries" else 8 * int(level)
            kept = {tile_path(level, size >> height + 8, (size >> height) % TILE) for size in sizes}
            for number in {size >> height + 8 for size in {before, *sizes}}:
                folder = f"{tile_path(level, number)}.p"
                self._remove(folder, kept)
        self._remove("state", {f"state/{size}" for size in sizes})
        self._before = old

    def _remove(self, folder: str, kept: set[str]) -> None:
        for name in self._files.names(folder):
            if f"{folder}/{name}" not in kept:
                self._files.remove(f"{folder}/{name}")
