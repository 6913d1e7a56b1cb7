"""The records of `reference` that count: those that enough managers signed, from the arrival of the last signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from gatekeeper.staff.message import fingerprint, timely
from gatekeeper.staff.roles import NEVER_UNSIGNED, PERSONAL, SECONDED, person, scope, wanted
from gatekeeper.staff.roster import Member, Roster

P = TypeVar("P")
Order = tuple[int, int]
"""Partition and offset on `reference`."""
MAX_NAMED = 100
"""Refused records that are named, at most."""


class Referred(NamedTuple, Generic[P]):
    """One record of `reference`: its place and arrival (milliseconds), its name KIND/ID, hash and fields.

    `payload`: whatever the caller needs once the record counts.
    """

    order: Order
    arrived: int
    name: str
    sha256: str
    said: Mapping[str, Any]
    payload: P


class EffectiveRecord(NamedTuple, Generic[P]):
    """A record that counts. `order`, `arrived`: of the last signature that it needed, else its own."""

    record: Referred[P]
    order: Order
    arrived: int
    signed: bool


class LoneRecord(NamedTuple):
    """A record that counts by one manager and lacks a second.

    `since`: its arrival, in milliseconds. `signers`: who signed it. `by`: the manager whom it names as its author.
    """

    name: str
    order: Order
    since: int
    signers: tuple[str, ...]
    by: str


class RefusedRecord(NamedTuple):
    """A signature, or a record of a person, that counts for nothing: its place, the record concerned, and the code.

    `key_taken`: the record of a person gives a key of somebody else. `not_founder`: the first person is not the one
    whose fingerprint was given. The other codes are of signatures.
    """

    order: Order
    of: str
    code: str


@dataclass(slots=True)
class _Waiting(Generic[P]):
    record: Referred[P]
    signers: set[str] = field(default_factory=set)
    vouched: bool = False


class Endorsements(Generic[P]):
    """Fold of `reference`: takes each record, and gives those that count from then on.

    The same records in the order of their offsets lead to the same state; a record read again changes nothing.
    `origin`: the name of the log; a signature for another log counts for nothing. `roster`: the people in force.
    `founder`: the fingerprint of the record of the only person who may be the first, '' for anybody. A log that another
    one began has nobody, and nothing counts in it that arrived later.
    """

    def __init__(self, origin: str, founder: str = "") -> None:
        self.roster = Roster()
        self.origin, self.founder = origin, founder
        self.first: str | None = None
        """The fingerprint of the record that began this log, None before."""
        self.unsigned: dict[str, str] = {}
        """Records from before the first person, which count and nobody signed: SHA-256 of the newest one by name."""
        self.refused: list[RefusedRecord] = []
        self.unread_signed: dict[Order, str] = {}
        """The unreadable records that a manager signed, each with the name that was signed."""
        self._unread: dict[str, tuple[Order, frozenset[str]]] = {}  # by SHA-256
        self._waiting: dict[tuple[str, str], _Waiting[P]] = {}
        self._before: dict[tuple[str, str], _Waiting[P]] = {}  # unsigned ones, which somebody may still sign
        self._lone: dict[tuple[str, str], _Waiting[P]] = {}  # they count, and lack the second manager
        self._newest: dict[str, str] = {}
        self._scopes: dict[str, frozenset[str] | None] = {}
        self._seen: set[str] = set()
        self._last: Order = (-1, -1)

    @property
    def waiting(self) -> list[tuple[str, Order, tuple[str, ...]]]:
        """The records that wait for a signature: name, place, and who signed so far, in the order of arrival."""
        records = [
            (waiting.record.name, waiting.record.order, tuple(sorted(waiting.signers)))
            for waiting in self._waiting.values()
        ]
        return sorted(records, key=lambda record: record[1])

    @property
    def lone(self) -> list[LoneRecord]:
        """The records that count by one manager and lack a second, in the order of arrival."""
        records = [
            LoneRecord(of.name, of.order, of.arrived, tuple(sorted(lone.signers)), str(of.said["by"]))
            for lone in self._lone.values()
            if self._newest.get((of := lone.record).name) == of.sha256
        ]
        return sorted(records, key=lambda record: record.order)

    def take(self, record: Referred[P]) -> EffectiveRecord[P] | None:
        """Takes the next record. The result is the record that counts from now on: this one, or one signed by it."""
        if record.order <= self._last:
            return None
        self._last = record.order
        if record.said["kind"] == "signature":
            return self._sign(record)
        kind = record.said["kind"]
        if self.roster.began is None and kind not in ("staff", *NEVER_UNSIGNED):
            waiting = self._before[record.name, record.sha256] = _Waiting(record)
            if kind in SECONDED:
                self._lone[record.name, record.sha256] = waiting
            self.unsigned[record.name] = record.sha256
            return self._counts(record, record.order, record.arrived, signed=False)
        if kind == "staff":
            member = Member.of(record.said, record.arrived)
            if self.roster.began is None and member.founds:
                return self._begin(record)
            if self.roster.other_owner(member):
                self._refuse(record.order, record.name, "key_taken")
                return None
        if self._newest.get(record.name) != record.sha256:  # else it repeats the record in force
            self._waiting.setdefault((record.name, record.sha256), _Waiting(record))
        return None

    def unread(self, order: Order, names: frozenset[str], sha256: str) -> bool:
        """Takes an unreadable record with the names in it. True if nobody was registered before it, who could sign it.

        Any manager may sign such a record: nobody can tell how many it needs.
        """
        if self.roster.began is None:
            return True
        self._unread[sha256] = order, names
        return False

    def _sign(self, record: Referred[P]) -> EffectiveRecord[P] | None:
        signature, name = record.said, (record.said["of"], record.said["sha256"])
        before, waiting = self._before.get(name), self._waiting.get(name)
        about = waiting or before or self._lone.get(name)
        unread = None if about else self._unread.get(signature["sha256"])
        known = about is not None or (unread is not None and signature["of"] in unread[1])
        code = self._fault(signature, record.arrived, about) if known else "unknown_record"
        if code:
            self._refuse(record.order, str(signature["of"]), code)
            return None
        self._seen.add(signature["id"])
        if about is None:
            if unread is not None:
                self.unread_signed[unread[0]] = signature["of"]
            return None
        about.signers.add(person(signature["by"]))
        about.vouched |= signature["method"] == "vouched"
        if not self._enough(about, record.arrived):
            return None
        if len(about.signers) > 1:
            self._lone.pop(name, None)
        elif about.record.said["kind"] in SECONDED:
            self._lone[name] = about
        if waiting is None:
            self._before.pop(name, None)
            if self.unsigned.get(about.record.name) == about.record.sha256:
                del self.unsigned[about.record.name]
            return None  # it has counted all along
        del self._waiting[name]
        if about.record.said["kind"] == "staff" and self.roster.other_owner(Member.of(about.record.said, 0)):
            self._refuse(record.order, about.record.name, "key_taken")  # somebody else was faster
            return None
        return self._counts(about.record, record.order, record.arrived, signed=True)

    def _begin(self, record: Referred[P]) -> EffectiveRecord[P] | None:
        """Takes the record of the first person."""
        self.first = fingerprint(record.sha256)
        if self.founder in ("", self.first):
            return self._counts(record, record.order, record.arrived, signed=False)
        self.roster.begin(record.arrived)
        self._refuse(record.order, record.name, "not_founder")
        return None

    def _refuse(self, order: Order, of: str, code: str) -> None:
        if len(self.refused) < MAX_NAMED:
            self.refused.append(RefusedRecord(order, of, code))

    def _fault(self, signature: Mapping[str, Any], arrived: int, about: _Waiting[P] | None) -> str | None:
        """The code for which a signature of a record counts for nothing; the codes are those of an act.

        `about`: the record, None if it is unreadable.
        """
        if signature["origin"] != self.origin:
            return "origin"
        if signature.get("tree") or signature.get("table"):
            return "not_alone"
        if signature["id"] in self._seen:
            return "seen_before"
        if not timely(signature["at"], arrived):
            return "too_old"
        if fault := self.roster.fault(signature, subject=signature["of"], origin=self.origin, arrived=arrived):
            return fault
        signer = self.roster.member(signature["by"], arrived)
        if signer is None or "manager" not in signer.roles:
            return "role"
        if about is None:
            return None
        if not signer.acts_for(self._scope(about.record)):
            return "role"
        if signature["method"] == "vouched" and (
            about.record.said["kind"] in PERSONAL or self._needed(about.record, arrived) > 1
        ):
            return "vouched_not_enough"
        return None

    def _enough(self, about: _Waiting[P], arrived: int) -> bool:
        named = wanted(about.record.said)
        return named <= about.signers and len(about.signers) >= self._needed(about.record, arrived)

    def _needed(self, record: Referred[P], arrived: int) -> int:
        """The number of managers who must sign: two for people once there are two, else as many as `by` names."""
        if record.said["kind"] == "staff":
            return min(2, max(1, len(self.roster.managers(arrived, self._scope(record)))))
        return max(1, len(wanted(record.said)))

    def _scope(self, record: Referred[P]) -> frozenset[str] | None:
        """The controllers whom a record concerns, and those whom the record that it replaces concerned."""
        now = scope(record.said)
        if now is None or record.name not in self._scopes:
            return now
        was = self._scopes[record.name]
        return None if was is None else now | was

    def _counts(self, record: Referred[P], order: Order, arrived: int, *, signed: bool) -> EffectiveRecord[P]:
        self._scopes[record.name] = scope(record.said)
        self._newest[record.name] = record.sha256
        if record.said["kind"] == "staff":
            self.roster.put(Member.of(record.said, arrived))
        elif signed:
            self.unsigned.pop(record.name, None)
        return EffectiveRecord(record, order, arrived, signed)
