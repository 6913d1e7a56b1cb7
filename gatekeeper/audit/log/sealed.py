"""Opens the sealed log for exports and proofs: the note of one checkpoint, and the number of each leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gatekeeper.audit.log.tree import ReadableFiles, Tree, newest
from gatekeeper.audit.log.witness import Passed, cosigned
from gatekeeper.audit.tlog.merkle import TILE, leaf_hash, root_of
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey, open_checkpoint
from gatekeeper.ground.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class Sealed:
    """A log at one checkpoint, cosigned if possible, with the number of each of its leaves."""

    files: ReadableFiles
    checkpoint: Checkpoint
    note: str
    witnessed: bool
    indexes: Mapping[bytes, int]
    """Leaf hash to leaf number, by the hash tiles. They match the checkpoint; the leaves were not read."""

    @property
    def tree(self) -> Tree:
        """The tree of that checkpoint."""
        return Tree(self.files, self.checkpoint.size)

    def cosigned_at(self, witnesses: Sequence[Vkey]) -> int | None:
        """The time of the latest cosignature by these witnesses, in seconds since the epoch; None without one."""
        note = self.checkpoint.note
        return max((note.cosigned_at(key) for key in witnesses if note.signed(key)), default=None)


def sealed(
    files: ReadableFiles, logs: Sequence[Vkey], witnesses: Sequence[Vkey], passed: Passed = lambda error: None
) -> Sealed | None:
    """The log at the newest cosigned checkpoint, else at the newest checkpoint; None if empty.

    `logs`, `witnesses`: the public keys. `passed` is called with the error of each unusable witness file. Raises
    IntegrityError (4) if the log cannot be read, or its hashes do not match that checkpoint.
    """
    current = newest(files, logs)
    if current is None:
        return None
    candidates = [(_cosigned(current[0], witnesses), *current)]
    for raw in cosigned(files, witnesses, passed):
        with suppress(ValueError):
            text = raw.decode()
            seen = open_checkpoint(text)
            if seen.size <= current[0].size and any(seen.note.signed(key) for key in logs):
                candidates.append((_cosigned(seen, witnesses), seen, text))
    _, checkpoint, note = max(candidates, key=lambda candidate: (candidate[0], candidate[1].size))
    return _opened(files, checkpoint, note, witnesses) if checkpoint.size else None


def checked(log: Sealed) -> Sealed:
    """The same log; raises IntegrityError (4) if its leaves or tiles do not match its checkpoint."""
    tree = log.tree
    hashes = [leaf_hash(leaf) for start in range(0, tree.size, TILE) for leaf in tree.leaves(start)]
    roots = {root_of(hashes), tree.root()}
    if roots != {log.checkpoint.root} or hashes != list(_hashes(tree)):
        raise IntegrityError("error.log_tree_differs", size=log.checkpoint.size)
    return log


def _opened(files: ReadableFiles, checkpoint: Checkpoint, note: str, witnesses: Sequence[Vkey]) -> Sealed:
    hashes = [*_hashes(Tree(files, checkpoint.size))]
    if root_of(hashes) != checkpoint.root:  # else a damaged hash would make its leaf look unsealed
        raise IntegrityError("error.log_tree_differs", size=checkpoint.size)
    return Sealed(
        files, checkpoint, note, _cosigned(checkpoint, witnesses), {hash_: n for n, hash_ in enumerate(hashes)}
    )


def _hashes(tree: Tree) -> Iterator[bytes]:
    """Yields the hash of each leaf, in order."""
    for number in range(-(-tree.size // TILE)):
        yield from tree.hashes(0, number)


def _cosigned(checkpoint: Checkpoint, witnesses: Sequence[Vkey]) -> bool:
    return any(checkpoint.note.signed(key) for key in witnesses)
