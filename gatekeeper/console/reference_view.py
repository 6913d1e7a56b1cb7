"""The controllers, lists, forms, policies and people that count, folded from `reference` as a worker folds it.

A record that waits for a signature is not in force. It is listed apart, and the record before it still counts.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from gatekeeper.audit.checks.trail import PersonLine
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from gatekeeper.ground.texts import Language
from gatekeeper.ground.words import narrow
from gatekeeper.index.model import Model
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management.policy_change import KnownPolicies
from gatekeeper.policy.packs import Packs, shipped_bytes
from gatekeeper.staff.roster import Roster
from schemas.record import Record
from streams.operations.endorsement import Endorsable, Endorsed


@dataclass(slots=True)
class Registered:
    """The records of `reference` that count; complete once made. Only the names are worked out at the first call.

    `endorsed`: all of them by name, and those that wait. `policies`: the policy versions among them. `signers`: the
    managers who signed. `named`: the bytes that records name, by their SHA-256 in hex.
    """

    endorsed: Endorsed
    policies: KnownPolicies
    signers: ReferenceSigners
    named: dict[str, bytes]
    _names: dict[Language, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, db: sqlite3.Connection, origin: str, founder: str = "") -> Registered:
        """The records that count in this snapshot of the read model. `origin`, `founder`: as of `ReferenceLog`."""
        endorsed, policies = Endorsed(ReferenceLog(origin, founder)), KnownPolicies(FactStore(origin, founder))
        lines, named = list[PersonLine](), dict[str, bytes]()
        for row in db.execute("SELECT * FROM referred ORDER BY part, place"):
            record = Record("reference", row["part"], row["place"], row["written"], row["key"], row["value"])
            counted = endorsed.take(record)
            value = record.value or b""
            if not row["names_only"]:
                policies.take(record)
                lines.append(PersonLine(record.partition, record.offset, record.timestamp, value))
            named[sha256(value).hexdigest()] = value
            if counted:
                named[sha256(counted.named).hexdigest()] = counted.named
        return cls(endorsed, policies, ReferenceSigners(lines, origin, named.get), named)

    @property
    def people(self) -> Roster:
        """The people on record."""
        return self.endorsed.log.roster

    @property
    def may_ask(self) -> bool:
        """True if a registered template may ask people."""
        return self.endorsed.log.reference.ask is not None

    @property
    def waiting(self) -> list[Endorsable]:
        """The records that wait for a signature, the oldest first."""
        return [row for row in self.endorsed.endorsable() if row.state == "waiting"]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind that count, as `Endorsed` gives them."""
        return self.endorsed.of_kind(kind)

    def called(self, kind: str, said: str) -> list[str]:
        """The ids of the records of one kind that are called so, by id or else by name.

        Several records may have one name. Width of letters does not matter.
        """
        names = {record["id"]: narrow(record.get("name") or "") for record in self.of_kind(kind)}
        wanted = narrow(said)
        return [wanted] if wanted in names else [id_ for id_, name in names.items() if name == wanted != ""]

    def alone(self, kind: str) -> dict[str, str]:
        """The text that means each record of one kind and no other, by id: its name, else its id."""
        names = {record["id"]: record.get("name") or "" for record in self.of_kind(kind)}
        times = Counter(map(narrow, names.values()))
        return {
            id_: name if name and times[narrow(name)] == 1 and narrow(name) not in names else id_
            for id_, name in names.items()
        }

    def activated(self) -> list[dict[str, Any]]:
        """The policy versions that were put in force, by id and version, without their texts."""
        records = {(record.id, record.version): record for record in self.policies.records.values()}
        return [records[name].model_dump(mode="json", exclude={"toml"}) for name in sorted(records)]

    def names(self, lang: Language) -> Mapping[str, str]:
        """The names of what is registered, as `Endorsed` gives them."""
        if lang not in self._names:
            self._names[lang] = self.endorsed.names(lang)
        return self._names[lang]

    def packs(self, id_: str) -> Packs:
        """The policy packs of this id, with the versions that are in force or will be."""
        return self.policies.over(id_)

    def citations(self) -> Citations:
        """The clauses behind recorded reasons, by the policies that are shipped or were put in force."""
        return Citations(self.policy)

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version that is shipped or was put in force, by their SHA-256 in hex."""
        put = {record.sha256: record.toml for record in self.policies.records.values() if record.toml is not None}
        return put[sha256].encode() if sha256 in put else shipped_bytes().get(sha256)

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record of `reference`, or of the list that names versions, by their SHA-256 in hex."""
        return self.named.get(sha256)


@dataclass(slots=True)
class Registrations:
    """Gives the records that count, and folds `reference` anew only after it has changed."""

    model: Model
    origin: str
    founder: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: tuple[object, ...] = ()
    _last: Registered | None = None

    def now(self, db: sqlite3.Connection) -> Registered:
        """The records that count in this snapshot of the read model.

        While another page folds them, which takes seconds where there are thousands, the last ones are given.
        """
        seen = (self.model.generation, *db.execute("SELECT count(*), max(place) FROM referred").fetchone())
        last = self._last
        if not self._lock.acquire(blocking=last is None):
            assert last is not None
            return last
        try:
            if self._last is None or self._seen != seen:
                self._last, self._seen = Registered.of(db, self.origin, self.founder), seen
            return self._last
        finally:
            self._lock.release()
