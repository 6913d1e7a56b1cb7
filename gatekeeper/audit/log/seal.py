"""Tells the age of the newest seal and of its witness, from the log's files and never its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gatekeeper.audit.log.tree import CHECKPOINT, Reading, newest
from gatekeeper.audit.log.witness import cosigned
from gatekeeper.audit.tlog.notes import Vkey, open_checkpoint
from gatekeeper.errors import GatekeeperError

LATE_MS = 15 * 60_000
"""A seal is late where something decided has waited longer for it."""


class Dated(Reading, Protocol):
    """Files of which one can tell when they were written."""

    def written_at(self, name: str) -> int | None:
        """Returns when a file was written, in milliseconds, None where there is none."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The checkpoint that stands: how many manifests it seals, and since when (milliseconds).

    `witnessed`: of the newest checkpoint that a known witness cosigned, size and instant; None without one.
    `error`: why the log cannot be read, in which case nothing else is known. `passed`: why files of witnesses cannot.
    """

    size: int = 0
    at: int = 0
    witnessed: tuple[int, int] | None = None
    error: GatekeeperError | None = None
    passed: tuple[GatekeeperError, ...] = ()

    def late(self, *, decided: int | None, now: int) -> bool:
        """Tells whether a decision waits too long for its seal; `decided`: when the last one was made. Milliseconds."""
        return decided is not None and decided > self.at and now - self.at > LATE_MS


def read(files: Dated, *, log: Sequence[Vkey], witnesses: Sequence[Vkey]) -> Seal | None:
    """The seal that stands in the log's folder, None where there is no log.

    `log`, `witnesses`: the public keys to check with. Raises IntegrityError (4) where `tree.newest` does, and what
    `files` raises.
    """
    found = newest(files, log)
    if found is None:
        return None
    passed: list[GatekeeperError] = []
    left = cosigned(files, witnesses, passed.append)
    seen = [_seen(raw, witnesses) for raw in (files.read(CHECKPOINT), *left)]
    # a cosignature puts the checkpoint in its place anew; the state beside it is written once
    at = files.written_at(f"state/{found[0].size}") or files.written_at(CHECKPOINT) or 0
    return Seal(found[0].size, at, max((one for one in seen if one), default=None), passed=tuple(passed))


def _seen(raw: bytes | None, witnesses: Sequence[Vkey]) -> tuple[int, int] | None:
    try:
        checkpoint = open_checkpoint((raw or b"").decode())
    except ValueError:
        return None
    times = [checkpoint.note.cosigned_at(key) for key in witnesses if checkpoint.note.signed(key)]
    return (checkpoint.size, max(times) * 1000) if times else None
