"""The sealed log as it is handed on: the note of one checkpoint, and where in the log each leaf of it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gatekeeper.audit.log.tree import Reading, Tree, newest
from gatekeeper.audit.log.witness import Passed, cosigned
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, root_of
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey, open_checkpoint
from gatekeeper.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class Sealed:
    """A log as it is exported: the note of one checkpoint, cosigned if it can be, and where each of its leaves is."""

    files: Reading
    checkpoint: Checkpoint
    note: str
    witnessed: bool
    indexes: Mapping[bytes, int]
    """Leaf hash to leaf number."""
    fits: bool
    """Whether its leaves come to the checkpoint; what proves one of them goes by the tiles of hashes, and tells too."""

    @property
    def tree(self) -> Tree:
        """The tree of that checkpoint."""
        return Tree(self.files, self.checkpoint.size)

    def cosigned_at(self, witnesses: Sequence[Vkey]) -> int | None:
        """Returns when one of these witnesses saw it last, in seconds since the epoch; None where none did."""
        note = self.checkpoint.note
        return max((note.cosigned_at(key) for key in witnesses if note.signed(key)), default=None)


def sealed(
    files: Reading, logs: Sequence[Vkey], witnesses: Sequence[Vkey], passed: Passed = lambda error: None
) -> Sealed | None:
    """The log with the newest checkpoint that a witness cosigned, or without one the newest; None if empty.

    `logs`, `witnesses`: the public keys. `passed` hears of each file of a witness that is not usable.
    Raises IntegrityError (4) where the log cannot be read.
    """
    found = newest(files, logs)
    if found is None:
        return None
    candidates = [(_cosigned(found[0], witnesses), *found)]
    for left in cosigned(files, witnesses, passed):
        with suppress(ValueError):
            text = left.decode()
            seen = open_checkpoint(text)
            if seen.size <= found[0].size and any(seen.note.signed(key) for key in logs):
                candidates.append((_cosigned(seen, witnesses), seen, text))
    _, checkpoint, note = max(candidates, key=lambda one: (one[0], one[1].size))
    return _opened(files, checkpoint, note, witnesses) if checkpoint.size else None


def checked(log: Sealed) -> Sealed:
    """The log; raises IntegrityError (4) where its leaves, or its tiles, do not come to its checkpoint."""
    if not log.fits or log.tree.root() != log.checkpoint.root:
        raise IntegrityError("error.log_tree_differs", size=log.checkpoint.size)
    return log


def _opened(files: Reading, checkpoint: Checkpoint, note: str, witnesses: Sequence[Vkey]) -> Sealed:
    tree = Tree(files, checkpoint.size)
    hashes = [leaf_hash(leaf) for start in range(0, checkpoint.size, TILE) for leaf in tree.leaves(start)]
    indexes = {hash_: n for n, hash_ in enumerate(hashes)}
    return Sealed(
        files, checkpoint, note, _cosigned(checkpoint, witnesses), indexes, root_of(hashes) == checkpoint.root
    )


def _cosigned(checkpoint: Checkpoint, witnesses: Sequence[Vkey]) -> bool:
    return any(checkpoint.note.signed(key) for key in witnesses)
