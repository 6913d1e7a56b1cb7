"""How old the seal of the log is, and when a witness last saw it: read off the files of the log, never its tiles."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.audit.log.atomic_store import Shelf
from gatekeeper.audit.log.tree import CHECKPOINT, newest
from gatekeeper.audit.log.witness import cosigned
from gatekeeper.audit.verify import Vkey, open_checkpoint
from gatekeeper.errors import GatekeeperError
from gatekeeper.keys import Keys
from gatekeeper.settings import Settings


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


def read(settings: Settings) -> Seal | None:
    """Returns what the log's folder says, None where there is no log here. Never raises."""
    shelf, keys = Shelf(settings.log_folder), Keys(settings.key_folder)
    try:
        found = newest(shelf, keys.public("log"))
        if found is None:
            return None
        witnesses, passed = keys.public("witness"), list[GatekeeperError]()
        left = cosigned(shelf, witnesses, passed.append)
        seen = [_seen(raw, witnesses) for raw in (shelf.read(CHECKPOINT), *left)]
        # a cosignature puts the checkpoint in its place anew; the state beside it is written once
        at = shelf.written_at(f"state/{found[0].size}") or shelf.written_at(CHECKPOINT) or 0
    except GatekeeperError as error:
        return Seal(error=error)
    return Seal(found[0].size, at, max((one for one in seen if one), default=None), passed=tuple(passed))


def _seen(raw: bytes | None, witnesses: list[Vkey]) -> tuple[int, int] | None:
    try:
        checkpoint = open_checkpoint((raw or b"").decode())
    except ValueError:
        return None
    times = [checkpoint.note.cosigned_at(key) for key in witnesses if checkpoint.note.signed(key)]
    return (checkpoint.size, max(times) * 1000) if times else None
