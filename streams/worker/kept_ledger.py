"""A copy of one partition's ledger on the disk, so that a take-over need not read all entries again.

The topic stays the truth. Changes go into the copy once their transactions are acknowledged, and all of a cut or
none. What a failed turn has changed is forgotten with the turn. Salts are never in a copy.

A disk may take long, or hang. So each copy has a thread that does all work on its file, one thing after the other. It
closes the file at last, and nobody else can have the file before. A turn waits for the thread only while it needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import orjson
import structlog

from gatekeeper.ground.errors import IntegrityError, RestartError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.tables import SPOILT
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import Head
from gatekeeper.store.disk_table import Changes, DiskTable, SpoiltError
from gatekeeper.store.disk_tables import DiskTables, forget
from gatekeeper.store.faults import Faults
from schemas.codec import canonical
from streams.client import topic_settings

log = structlog.get_logger(__name__)

FORMAT = 2
"""The form of the tables. Another number makes the copies anew, so raise it with each change of their form."""
COMMIT_SECONDS = 1.0
COMMIT_BYTES = 8 << 20
"""A commit to the disk is due after so many seconds, or as soon as so many bytes wait."""
WAITING_BYTES = 4 * COMMIT_BYTES
"""Bytes that may wait while the disk is slow. Beyond them a turn waits for it, so that memory does not grow."""
CLOSE_SECONDS = 3.0
"""Seconds for which a turn, or its end, waits for the disk. The next turn then makes another copy, beside this one."""
OF = ("ledger", "manifests")
"""The topics of which a copy is."""
TABLES = ("people", "others", "waits", "dead")
GUARDED = {"people": bool}
"""Rows whose loss could clear a second piece, each of them. Memory keeps a short hash of each."""
STATE = "state"
Cut = Sequence[tuple[DiskTable, Changes]]
T = TypeVar("T")


class Misfit(Exception):
    """Raised if a copy cannot be used; the message is the reason in the log."""


@dataclass(frozen=True, slots=True)
class CopyPosition:
    """The transaction up to which a copy has all entries: its head, and its offsets on `ledger` and `manifests`."""

    head: Head
    ledger: int
    manifest: int

    def encode(self) -> bytes:
        """The row of the copy."""
        return canonical({"head": self.head.encode().decode(), "ledger": self.ledger, "manifest": self.manifest})

    @classmethod
    def decode(cls, row: bytes | None) -> CopyPosition | None:
        """Decodes the row; None for a copy that is not complete, and for a damaged row."""
        try:
            content = orjson.loads(row or b"")
            return cls(Head.decode(content["head"]), content["ledger"], content["manifest"])
        except (ValueError, TypeError, KeyError, IntegrityError):
            return None


class KeptLedger:
    """The copy of one partition, from `open` to `close`.

    `make`: opens its tables. `keep_ms`: age in milliseconds up to which it may be used.
    """

    tables: DiskTables
    """The tables, once they are open."""

    def __init__(self, number: int, make: Callable[[], DiskTables], keep_ms: int) -> None:
        self._number, self._make, self._keep_ms = number, make, keep_ms
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"ledger-{number}")
        self._at = float("-inf")
        self._written: int | None = None
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Opens the copy, or makes it. Raises as `DiskTables` does."""

        def opened() -> None:
            self.tables = self._make()
            try:
                self._make_tables()
            except SpoiltError:
                self._empty("names")

        await self._done(opened)

    def demand_copied(self) -> CopyPosition:
        """The transaction up to which the copy goes; raises Misfit if the copy is incomplete."""
        copied = CopyPosition.decode(self.tables.table(STATE).get("at"))
        if copied is None:
            raise Misfit("incomplete")
        return copied

    def demand_young(self, written: int, now: int) -> None:
        """Raises Misfit if the copy is too old: Kafka may have forgotten a deletion, and the copy has the entry.

        `written`: the broker's time of the copy's transaction, in milliseconds since the epoch. The head's instant
        does not do: it is that of the last decision, and a transaction may decide nothing. `now`: the worker's time.
        """
        if abs(now - written) > self._keep_ms:
            raise Misfit("old")
        self._written = written

    async def demand_whole(self) -> None:
        """Raises Misfit if the disk does not give the whole file, or not the names and hashes that were written."""
        if (reason := await self._done(partial(self.tables.fault_in, TABLES))) is not None:
            raise Misfit(reason)

    async def anew(self, reason: str) -> None:
        """Empties the copy. The tables that were handed out are void."""
        self._written = None
        await self._done(partial(self._empty, reason))

    async def fill(self) -> None:
        """Commits what was read from the topic, once it is much. The copy is complete with the next `write` only.

        Raises RestartError (70) as `demand_sound` does: what replaces a spoilt value would look sound.
        """
        self.demand_sound()
        if self.tables.changed_bytes >= COMMIT_BYTES:
            await self._done(partial(self.tables.commit, self.tables.cut()))

    def demand_sound(self) -> None:
        """Raises RestartError (70) if a value is not as it was written, or the file is an older one."""
        self.tables.demand_newest()
        if self.tables.spoilt:
            raise RestartError("error.copy_damaged", folder=self.tables.folder)

    def heed_broker(self, appended: int) -> None:
        """Discards the copy if the broker's time shows it older than half of `delete.retention.ms`.

        `appended`: the broker's time of the first write of a turn. Nothing may be written to the copy before this call.
        Raises RestartError (70) as `demand_sound` does.
        """
        if self._written is not None and abs(appended - self._written) > self._keep_ms:
            self.tables.give_up("clock")
        self._written = None
        self.demand_sound()

    async def demand_room(self) -> None:
        """Waits for the disk if much waits for it already; raises RestartError (70) if it does not go on."""
        if self._writing is not None and self.tables.changed_bytes > WAITING_BYTES:
            await asyncio.wait({self._writing}, timeout=CLOSE_SECONDS)
            if not self._writing.done():
                raise RestartError("error.disk_hangs", folder=self.tables.folder, seconds=CLOSE_SECONDS)

    def cut(self, now: float) -> Cut | None:
        """Ends the changes for the next `write`, None while none is due; `now`: seconds of the loop's clock.

        Call it when a transaction is gathered, and before anything else is judged. Raises what ended the last write.
        """
        if self._writing is not None and not self._writing.done():
            return None
        if self._writing is not None:
            self._writing.result()
        if now - self._at < COMMIT_SECONDS and self.tables.changed_bytes < COMMIT_BYTES:
            return None
        self._at = now
        return self.tables.cut()

    def write(self, cut: Cut, copied: CopyPosition) -> None:
        """Begins to write the changes; call it once their transaction is acknowledged, which is `copied`."""
        self._writing = asyncio.create_task(self._written_down(cut, copied))

    def finish(self, copied: CopyPosition) -> None:
        """Begins to write all changes, which belong to transactions up to `copied`, after a write that is under way."""
        before = self._writing

        async def rest() -> None:
            if before is not None:
                await before  # what failed is not gone over: the file would lack changes
            await self._written_down(self.tables.cut(), copied)

        self._writing = asyncio.create_task(rest())

    async def _written_down(self, cut: Cut, copied: CopyPosition) -> None:
        state = self.tables.table(STATE)

        def commit() -> None:
            if not self.tables.there:
                raise RestartError("error.copy_damaged", folder=self.tables.folder)
            self.tables.commit([*cut, (state, {"at": copied.encode()})])

        await self._done(commit)

    async def close(self) -> None:
        """Lets the copy go. What was not written is lost.

        A disk that hangs is not waited for. The thread closes the copy later, and its folder stays locked until then.
        """
        closing = asyncio.create_task(self._closed())
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        if not closing.done():
            log.error("ledger_disk_hangs", partition=self._number)

    async def _closed(self) -> None:
        if self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})
        try:
            await self._done(lambda: self.tables.close() if hasattr(self, "tables") else None)
        except OSError as error:
            log.warning("ledger_not_closed", partition=self._number, error=type(error).__name__)
        finally:
            self._thread.shutdown(wait=False)

    def _empty(self, reason: str) -> None:
        log.info("ledger_made_anew", partition=self._number, reason=reason)
        self.tables.wipe()
        self._make_tables()

    def _make_tables(self) -> None:
        for name in (*TABLES, STATE):
            self.tables.table(name)

    async def _done(self, work: Callable[[], T]) -> T:
        """The result of `work` in the thread of the copy. It goes on there even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def kept_of(ids: Mapping[str, str]) -> str:
    """The name of the topics of which a copy is. `ids`: Kafka's ids by name."""
    return "/".join(ids.get(name, "") for name in OF)


class KeptLedgers:
    """Opens the copies of partitions. They are below `home`, in a folder for each partition.

    `identity`: the system that the entries are of. `key`: secret bytes for the hashes. `keep_ms`: as of `KeptLedger`.
    `faults`: as of `DiskTables`.
    """

    def __init__(self, home: Path, *, identity: bytes, key: bytes, keep_ms: int, faults: Faults | None = None) -> None:
        self._home, self._identity, self._key, self._keep_ms, self._faults = home, identity, key, keep_ms, faults

    @classmethod
    def of(cls, settings: Settings, faults: Faults) -> KeptLedgers:
        """The copies in the folder of the settings.

        Raises UsageError (2) without a master key, UnavailableError (3) without a broker.
        """
        masters = Keys(settings.key_folder).masters()
        key = blake2b(masters[max(masters)], digest_size=32, person=b"gate/ledger/k/1").digest()
        fields = {
            "format": FORMAT,
            "prefix": settings.prefix,
            "group": settings.group,
            "key": blake2b(key, digest_size=16).hexdigest(),
        }
        # Kafka forgets a deletion after that time, and the copy would revive the entry
        keep_ms = int(topic_settings.setting(settings, "ledger", "delete.retention.ms")) // 2
        return cls(Path(settings.data) / "ledger", identity=canonical(fields), key=key, keep_ms=keep_ms, faults=faults)

    def of_partition(self, number: int, ids: Mapping[str, str]) -> KeptLedger:
        """The copy of a partition, not open yet. Its `open` deletes copies that are too old, and that nobody uses.

        `ids`: Kafka's ids of the topics now, by name. The copy is of these `ledger` and `manifests` alone.
        """
        home, identity = self._home / str(number), b"%b/%b/%d" % (self._identity, kept_of(ids).encode(), number)

        def make() -> DiskTables:
            for other in self._home.glob("*"):
                forget(other, seconds=self._keep_ms / 1000)
            return DiskTables(
                home,
                identity=identity,
                key=self._key,
                spoilt=SPOILT,
                what="ledger",
                faults=self._faults,
                guarded=GUARDED,
            )

        return KeptLedger(number, make, self._keep_ms)
