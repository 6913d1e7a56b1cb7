"""A log and the witness that cosigns it, in folders of their own."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.audit.log.witness import Witness
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.tlog.notes import open_checkpoint
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.keys import Keys


class WitnessedLog:
    """A log and its witness, in folders of their own."""

    def __init__(self, folder: Path, *, log: str = "gate.example", witness: str = "gate.example/witness") -> None:
        self.folder = folder
        self.keys = Keys(folder / "keys")
        self.keys.make("log", log)
        self.keys.make("witness", witness)

    def log(self) -> LogWriter:
        verifiers = self.keys.public("log")
        return LogWriter(AtomicStore(self.folder / "log"), signer=lambda: self.keys.signer("log"), verifiers=verifiers)

    def seal(self, *leaves: bytes) -> LogWriter:
        log = self.log()
        for leaf in leaves:
            log.append(leaf)
        log.seal(b"")
        return log

    def look(self, now: int = 1_750_000_000, *, first: bool | None = None) -> tuple[int, bool] | None:
        memory, log = AtomicStore(self.folder / "memory"), AtomicStore(self.folder / "log")
        witness = Witness(log, memory, signer=self.keys.signer("witness"), verifiers=self.keys.public("log"))
        found = witness.look(now=now, first=not witness.remembers if first is None else first)
        return (found[0].size, found[1]) if found else None

    def cosigned(self) -> int:
        """Returns the size of the newest tree that the witness cosigned, 0 where there is none."""
        (key,) = self.keys.public("witness")
        for file in (self.folder / "log/witness").glob("*"):
            found = open_checkpoint(file.read_text())
            assert found.note.signed(key)
            return found.size
        return 0
