"""The facts that a worker keeps on its disk, with the positions up to which they are applied.

Facts and positions are committed together, so a worker that starts again goes on where its last commit ended. Records
of `reference` are few, and every start reads them from their beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path

import structlog
from aiokafka import TopicPartition

from gatekeeper.audit.records.releases import RULES
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.tables import SPOILT, Table
from gatekeeper.identity import characters, open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.person_facts import speaks_against
from gatekeeper.knowledge.store import FactStore
from gatekeeper.store.disk_table import SpoiltError
from gatekeeper.store.disk_tables import DiskTables
from gatekeeper.store.faults import Faults
from schemas.codec import canonical
from schemas.topics import FACT_TOPICS, logical_name
from streams.client import admin, topic_settings
from streams.client.read_log import ReadLog

log = structlog.get_logger(__name__)

FORMAT = 11
"""The form of lines and rows. Another number makes the tables anew, so raise it with each change of their form."""
COMMIT_SECONDS = 1.0
COMMIT_BYTES = 32 << 20
"""A commit is due after so many seconds, or as soon as so many bytes wait."""
TABLES = (
    *("people", "tokens", "token_keys", "unmatched", "mentions", "stop_rows", "crossed", "closed", "positions"),
    *("unread", "gaps", "refused", "corrections", "waiting", "counted", "dead", "lost"),
)
"""All tables and journals. A start demands that each is whole."""
GUARDED = {"people": speaks_against, "tokens": speaks_against}
"""Rows whose loss could clear a send. Memory keeps a short hash of each."""
_LOST, _REREAD = "at", "reread"
Positions = Mapping[TopicPartition, int]


class KeptFacts:
    """A store of facts whose tables are on the disk.

    `identity`: the system that the facts are of. `key`: secret bytes for the hashes. `ours`, `pair_key`: as of
    `FactStore`. `faults`: as of `DiskTables`, and it must not have a folder yet.
    It reads all of the disk, so call it in a thread. Raises as `DiskTables` does.
    """

    def __init__(
        self,
        home: Path,
        *,
        origin: str,
        founder: str = "",
        identity: bytes,
        key: bytes,
        faults: Faults | None = None,
        ours: Mapping[str, str] | None = None,
        pair_key: bytes = b"",
    ) -> None:
        self._origin, self._founder, self._ours, self._pair_key = origin, founder, ours, pair_key
        self._at, self._last = float("-inf"), dict[TopicPartition, int]()
        self.lost_at = 0
        """The last time (milliseconds) at which applied records were found gone from their log, 0 if never."""
        self._tables = DiskTables(home, identity=identity, key=key, spoilt=SPOILT, faults=faults, guarded=GUARDED)
        try:
            self._open()
        except SpoiltError:
            self.anew(reason="spoilt")

    @classmethod
    def of(cls, settings: Settings, faults: Faults) -> KeptFacts:
        """The facts in the folder of the settings, for the topics that the broker has now.

        Raises UsageError (2) without a master key, UnavailableError (3) without a broker or a disk.
        """
        keys = Keys(settings.key_folder)
        masters, tokens = keys.masters(), open_tokens(keys.tokens())
        ours, pair_key = (tokens.prints, tokens.pair_key) if tokens is not None else ({}, b"")
        key = blake2b(masters[max(masters)], digest_size=32, person=b"gate/facts/key/1").digest()
        fields = {
            "format": FORMAT,
            "rules": RULES,
            "topics": admin.identity(settings, FACT_TOPICS),
            "repairs": topic_settings.repairs(settings),
            "group": settings.group,
            "unicode": characters.VERSION,
            "key": blake2b(key, digest_size=16).hexdigest(),
            "token_keys": ours,
        }
        home, identity = Path(settings.data), canonical(fields)
        whose = {"origin": settings.group, "founder": settings.founder}
        return cls(home, **whose, identity=identity, key=key, faults=faults, ours=ours, pair_key=pair_key)

    @property
    def spoilt(self) -> list[str]:
        """The tables in which values were found that are not as they were written."""
        return sorted(self._tables.spoilt)

    def journal(self, name: str) -> Table:
        """A journal beside those of the store."""
        return self._tables.journal(name)

    def known(self) -> dict[str, ReadLog]:
        """The logs as far as they were read and applied, by name: topic of the registry and partition."""
        logs = {}
        for name, row in self._positions.items():
            logs[name] = ReadLog.decode(row)
        return logs

    def lose(self, name: str, now: int) -> None:
        """Deletes all facts, as the log of this name no longer holds what was applied; `store` is anew.

        `now`: milliseconds. The loss stays on record until a person says that the facts are back.
        """
        log.error("facts_vanished", topic=name.partition("/")[0], partition=int(name.partition("/")[2]))
        self.anew(reason="vanished")
        self.lost_at = now
        self._lost[_LOST] = b"%d" % now
        self._tables.commit(self._tables.cut())

    def miss(self, at: int) -> None:
        """Keeps on record that facts of before this time (milliseconds) are gone, from the next commit on."""
        self.lost_at, self._lost[_LOST] = at, b"%d" % at

    @property
    def reread_at(self) -> int:
        """The time (milliseconds) at which all facts were last read from nothing and found to be these."""
        return int(self._lost.get(_REREAD) or 0)

    def reread(self, at: int) -> None:
        """Keeps the time of such a reading (milliseconds), from the next commit on."""
        self._lost[_REREAD] = b"%d" % at

    def distrust(self) -> None:
        """Sees to it that the next start reads all facts from nothing."""
        self._tables.give_up("differs")

    def due(self, now: float, positions: Positions) -> bool:
        """True if a commit is due; `now`: seconds of the loop's clock."""
        return (self.full or now - self._at >= COMMIT_SECONDS) and self._last != positions

    @property
    def full(self) -> bool:
        """True if so much waits that no more should be applied before a commit."""
        return self._tables.changed_bytes >= COMMIT_BYTES

    def cut(self, now: float, positions: Positions, logs: Mapping[TopicPartition, ReadLog]) -> Callable[[], None]:
        """Ends the changes of the next commit. The result writes them, and may be called in a thread of its own.

        `positions`: those up to which the store has applied all records. `logs`: what was read of each log.
        At most one commit may be under way.
        """
        self._at, self._last = now, dict(positions)
        self.store.save()
        for tp, position in positions.items():
            if logical_name(tp.topic) != "reference":
                logs[tp].position = position
                self._positions[name_of(tp)] = logs[tp].encode()
        return partial(self._tables.commit, self._tables.cut())

    def demand_there(self) -> None:
        """Raises RestartError (70) if the file was deleted or replaced since it was opened."""
        self._tables.demand_there()

    def demand_newest(self) -> None:
        """Raises RestartError (70) as `DiskTables.demand_newest` does."""
        self._tables.demand_newest()

    def tell_unheld(self) -> None:
        """Logs the folders that no process uses, such as those of the highest numbers after a start with fewer."""
        for folder, size in self._tables.unheld().items():
            log.info("folder_unheld", folder=str(folder), bytes=size)

    def anew(self, *, reason: str) -> None:
        """Deletes all facts; `store` is a new one without facts."""
        log.warning("facts_made_anew", reason=reason)
        lost = self.lost_at
        self._tables.wipe()
        self._open()
        if lost:
            self.lost_at, self._lost[_LOST] = lost, b"%d" % lost

    def close(self) -> None:
        """Lets the folder go."""
        self._tables.close()

    def _open(self) -> None:
        if (reason := self._tables.fault_in(TABLES)) is not None:  # a position beside older facts would hide facts
            raise SpoiltError(reason)
        self._positions, self._lost = self._tables.table("positions"), self._tables.journal("lost")
        self.known()  # a spoilt row is met here, where all can be made anew
        self.lost_at = int(dict(self._lost.items()).get(_LOST, 0))
        whose = self._origin, self._founder
        self.store = FactStore(*whose, tables=self._tables, ours=self._ours, pair_key=self._pair_key)


def name_of(tp: TopicPartition) -> str:
    """The name of a log: topic of the registry and partition."""
    return f"{logical_name(tp.topic)}/{tp.partition}"
