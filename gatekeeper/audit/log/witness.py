"""A witness of the log: remembers the newest checkpoint that it saw, and cosigns only one that extends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gatekeeper.audit.log.tree import ReadableFiles, Tree, newest
from gatekeeper.audit.log.writer import WritableFiles
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey, of_another_log, open_checkpoint
from gatekeeper.audit.tlog.proofs import check_consistency
from gatekeeper.audit.tlog.signing import Signing, cosignature
from gatekeeper.ground.errors import IntegrityError, UnavailableError

SEEN = "seen"
"""The witness's memory: the note of the newest checkpoint that it saw."""


Passed = Callable[[UnavailableError], None]
"""Called with the error of each witness file that is skipped as unreadable."""


def cosigned(files: ReadableFiles, witnesses: Sequence[Vkey], passed: Passed) -> Iterator[bytes]:
    """Yields these witnesses' files in `witness/`. Witnesses write to that folder, so unusable files are skipped."""
    for key in witnesses:
        try:
            note = files.foreign(_name(key.hash))
        except UnavailableError as error:
            passed(error)
            continue
        if note is not None:
            yield note


def _name(hash_: bytes) -> str:
    return f"witness/{hash_.hex()}"


class Witness:
    """Witness of one log. `log`: its files; only `witness/HASH` is written there. `memory`: the witness's own files."""

    def __init__(
        self, log: WritableFiles, memory: WritableFiles, *, signer: Signing, verifiers: Sequence[Vkey]
    ) -> None:
        """`verifiers`: the log's public keys, former ones too."""
        self._log, self._memory, self._signer, self._verifiers = log, memory, signer, verifiers

    @property
    def remembers(self) -> bool:
        """True if this witness has looked at the log before."""
        return self._memory.read(SEEN) is not None

    def look(self, *, now: int, first: bool = False) -> tuple[Checkpoint, bool] | None:
        """The current checkpoint, and whether this call cosigned it; None if there never was one.

        `now`: seconds since the epoch. `first`: trust the checkpoint that stands there, as nothing was seen before.
        A checkpoint is on the disk before it is cosigned, so that no later start cosigns a fork of it. Raises
        IntegrityError (4) for a fork, a rollback, a lost memory, another log, or a log that cannot be read.
        """
        seen = self._seen()
        if seen is None and not first:
            raise IntegrityError("error.witness_memory_lost")
        current = newest(self._log, self._verifiers)
        if current is None:
            if seen is not None:
                raise IntegrityError("error.witness_rollback", seen=seen.size, size=0)
            return None
        checkpoint, note = current
        if of_another_log(self._signer.name, checkpoint.origin):
            raise IntegrityError("error.witness_other_log", origin=checkpoint.origin, name=self._signer.name)
        while True:
            try:
                self._demand_extension(seen, checkpoint)
                break
            except IntegrityError as error:
                # a tile may be gone because a newer checkpoint replaced this one: then check the newer one
                again = newest(self._log, self._verifiers)
                if error.key.startswith("error.witness_") or again is None or again[0].size == checkpoint.size:
                    raise
                checkpoint, note = again
        if seen is None or checkpoint.size > seen.size:
            self._memory.publish(SEEN, note.encode())
        name = _name(self._signer.hash)
        if self._cosigned(name) == checkpoint.note.body:
            return checkpoint, False
        line = cosignature(checkpoint.note.body, self._signer, time=now)
        self._log.publish(name, (note + line).encode())
        return checkpoint, True

    def _seen(self) -> Checkpoint | None:
        if (raw := self._memory.read(SEEN)) is None:
            return None
        try:
            return open_checkpoint(raw.decode())
        except ValueError:
            raise IntegrityError("error.witness_memory") from None

    def _cosigned(self, name: str) -> str | None:
        try:
            return open_checkpoint((self._log.foreign(name) or b"").decode()).note.body
        except (ValueError, UnavailableError):  # our cosignature replaces any unusable content
            return None

    def _demand_extension(self, seen: Checkpoint | None, new: Checkpoint) -> None:
        tree = Tree(self._log, new.size)
        if seen is not None and seen.origin != new.origin:
            raise IntegrityError("error.log_other", found=new.origin, wanted=seen.origin)
        if seen is not None and new.size < seen.size:
            raise IntegrityError("error.witness_rollback", seen=seen.size, size=new.size)
        old = (seen.size, seen.root) if seen is not None else (0, b"")
        if not check_consistency(*old, new.size, new.root, tree.consistency(old[0])):
            raise IntegrityError("error.witness_fork", seen=old[0], size=new.size)
        if tree.root() != new.root:
            raise IntegrityError("error.log_tree_differs", size=new.size)
