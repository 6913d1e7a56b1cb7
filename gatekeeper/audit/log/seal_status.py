"""Reads the age of the newest seal and of its witness from the log's files, without its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gatekeeper.audit.log.branch_files import Held, held
from gatekeeper.audit.log.tree import CHECKPOINT, ReadableFiles, newest
from gatekeeper.audit.log.witness import cosigned
from gatekeeper.audit.tlog.notes import Vkey, open_checkpoint
from gatekeeper.ground.errors import GatekeeperError

LATE_MS = 15 * 60_000
"""A seal is late if a decision has waited longer than this for it (milliseconds)."""


class DatedFiles(ReadableFiles, Protocol):
    """Files with the times at which they were written."""

    def written_at(self, name: str) -> int | None:
        """The time at which a file was written, in milliseconds since the epoch; None without one."""


@dataclass(frozen=True, slots=True)
class SealStatus:
    """The current checkpoint: number of its leaves, and the time of its sealing (milliseconds).

    `witnessed`: size and instant of the newest checkpoint that a known witness cosigned; None without one. `error`: the
    reason why the log cannot be read; then nothing else is known. `passed`: the errors of unusable witness files.
    `held`: the partitions whose sealing waits until a person chooses a branch.
    """

    size: int = 0
    at: int = 0
    witnessed: tuple[int, int] | None = None
    error: GatekeeperError | None = None
    passed: tuple[GatekeeperError, ...] = ()
    held: tuple[Held, ...] = ()

    def late(self, *, decided: int | None, now: int) -> bool:
        """Tells whether a decision waits too long for its seal. `decided`: time of the last decision. Milliseconds."""
        return decided is not None and decided > self.at and now - self.at > LATE_MS


def read(files: DatedFiles, *, log: Sequence[Vkey], witnesses: Sequence[Vkey]) -> SealStatus | None:
    """The current seal in the log's folder, None without a log.

    `log`, `witnesses`: the public keys to check with. Raises IntegrityError (4) as `tree.newest` does, and the errors
    of `files`.
    """
    current = newest(files, log)
    if current is None:
        return None
    passed: list[GatekeeperError] = []
    notes = cosigned(files, witnesses, passed.append)
    times = [_seen(raw, witnesses) for raw in (files.read(CHECKPOINT), *notes)]
    # a cosignature rewrites the checkpoint file; the state file is written once
    at = files.written_at(f"state/{current[0].size}") or files.written_at(CHECKPOINT) or 0
    return SealStatus(
        current[0].size,
        at,
        max((time for time in times if time), default=None),
        passed=tuple(passed),
        held=tuple(held(files)),
    )


def _seen(raw: bytes | None, witnesses: Sequence[Vkey]) -> tuple[int, int] | None:
    try:
        checkpoint = open_checkpoint((raw or b"").decode())
    except ValueError:
        return None
    times = [checkpoint.note.cosigned_at(key) for key in witnesses if checkpoint.note.signed(key)]
    return (checkpoint.size, max(times) * 1000) if times else None
