"""Reads the sealed log: its current checkpoint, and the Merkle tree of a checkpoint from its tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, node_hash, root_of, tile_path
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey, open_checkpoint
from gatekeeper.ground.errors import IntegrityError

CHECKPOINT = "checkpoint"


class ReadableFiles(Protocol):
    """Files by name below a folder."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None without one."""

    def foreign(self, name: str) -> bytes | None:
        """The content of a file that others may have written, None without one.

        Raises UnavailableError (3) for anything but a plain file of readable size.
        """

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, empty without such a folder."""


def newest(files: ReadableFiles, verifiers: Sequence[Vkey]) -> tuple[Checkpoint, str] | None:
    """The current checkpoint and its whole note, None without one.

    `verifiers`: the log's keys, former ones too; their name is the log's origin. Raises IntegrityError (4) for a
    checkpoint that they did not sign, or of another log. It also does for tiles without a checkpoint. No log begins
    with tiles.
    """
    if (raw := files.read(CHECKPOINT)) is None:
        if files.names("tile"):
            raise IntegrityError("error.log_checkpoint_missing")
        return None
    try:
        checkpoint = open_checkpoint(raw.decode())
    except ValueError:
        raise IntegrityError("error.log_checkpoint_wrong") from None
    if not any(checkpoint.note.signed(key) for key in verifiers if key.name == checkpoint.origin):
        raise IntegrityError("error.log_checkpoint_wrong")
    return checkpoint, raw.decode()


class Tree:
    """The Merkle tree of a checkpoint, read from its tiles; raises IntegrityError (4) if they are missing or wrong."""

    def __init__(self, files: ReadableFiles, size: int) -> None:
        self._files, self.size = files, size
        self._kept: tuple[str, bytes] = ("", b"")

    def root(self) -> bytes:
        """The 32 bytes of the root."""
        return self._over(0, self.size) if self.size else root_of([])

    def leaves(self, start: int = 0) -> list[bytes]:
        """The leaves from `start` to the end of their entries tile."""
        number, first = divmod(start, TILE)
        width = min(TILE, self.size - number * TILE)
        raw = self._tile("entries", number, width)
        leaves: list[bytes] = []
        at = 0
        while at < len(raw) and len(leaves) < width:
            end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
            if end > len(raw):
                raise IntegrityError("error.log_tile_wrong", name=tile_path("entries", number))
            leaves.append(raw[at + 2 : end])
            at = end
        if len(leaves) < width:
            raise IntegrityError("error.log_tile_wrong", name=tile_path("entries", number))
        return leaves[first:]

    def every_leaf(self) -> Iterator[bytes]:
        """Yields all leaves in order; raises IntegrityError (4) if the entries do not match the tree."""
        for start in range(0, self.size, TILE):
            leaves = self.leaves(start)
            if root_of([leaf_hash(leaf) for leaf in leaves]) != self._over(start, start + len(leaves)):
                raise IntegrityError("error.log_tile_wrong", name=tile_path("entries", start // TILE, len(leaves)))
            yield from leaves

    def hashes(self, level: int, number: int) -> list[bytes]:
        """The hashes in a tile, each over a subtree of 256**level leaves."""
        width = min(TILE, (self.size >> 8 * level) - number * TILE)
        raw = self._tile(level, number, width)
        return [raw[at : at + 32] for at in range(0, 32 * width, 32)]

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that the leaf at `index` is in the tree, from its sibling up (RFC 6962, 2.1.1)."""
        low, high = 0, self.size
        proof: list[bytes] = []
        while high - low > 1:
            split = low + _split(high - low)
            if index < split:
                proof.append(self._over(split, high))
                high = split
            else:
                proof.append(self._over(low, split))
                low = split
        return proof[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree extends that of its first `old` leaves (RFC 6962, 2.1.2)."""
        low, high, whole = 0, self.size, True
        proof: list[bytes] = []
        if not 0 < old < high:
            return []
        while old != high:
            split = low + _split(high - low)
            if old <= split:
                proof.append(self._over(split, high))
                high = split
            else:
                proof.append(self._over(low, split))
                low, whole = split, False
        return ([] if whole else [self._over(low, high)]) + proof[::-1]

    def _over(self, low: int, high: int) -> bytes:
        """The root over the leaves from `low` to before `high`, a range made by the RFC's splits."""
        if (n := high - low) & (n - 1):
            split = low + _split(n)
            return node_hash(self._over(low, split), self._over(split, high))
        level, height = divmod(n.bit_length() - 1, 8)
        first = (low >> 8 * level) % TILE
        return root_of(self.hashes(level, low >> 8 * (level + 1))[first : first + (1 << height)])

    def _tile(self, level: int | str, number: int, width: int) -> bytes:
        name = tile_path(level, number, width)
        if name != self._kept[0]:
            raw = self._files.read(name)
            if raw is None:  # while the log grows, a wider tile may have replaced this part
                parts = [int(name) for name in self._files.names(f"{tile_path(level, number)}.p") if name.isdecimal()]
                wider = (
                    self._files.read(tile_path(level, number, part)) for part in (*sorted(parts), TILE) if part > width
                )
                raw = next((tile for tile in wider if tile is not None), None)
            if raw is None:
                raise IntegrityError("error.log_tile_missing", name=name)
            if level != "entries" and len(raw) < 32 * width:
                raise IntegrityError("error.log_tile_wrong", name=name)
            self._kept = (name, raw)
        return self._kept[1]


def _split(n: int) -> int:
    """The largest power of two that is smaller than n."""
    return 1 << (n - 1).bit_length() - 1
