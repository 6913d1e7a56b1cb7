"""People and signatures on `reference`: who is in force, which records wait for a signature, and how one is added."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple

from gatekeeper.errors import UsageError
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.settings import Settings
from gatekeeper.staff import roles
from schemas.codec import Unreadable, decode, encode
from schemas.events import Staff
from schemas.record import Record
from schemas.topics import subject_key
from streams.client import signatory
from streams.client.outgoing import Outgoing
from streams.client.publisher import Place, transact
from streams.client.reader import Reader
from streams.client.signatory import Unsigned

State = Literal["waiting", "unsigned"]


class Endorsable(NamedTuple):
    """A record of `reference` that somebody may sign: its name KIND/ID, offset and bytes.

    `waiting`: it counts once enough managers signed. `unsigned`: it counts, because it is older than the first person.
    `signers`: the people who signed it. `named`: the people whom it names as its authors, who must all sign.
    """

    name: str
    state: State
    offset: int
    value: bytes
    signers: tuple[str, ...]
    named: tuple[str, ...]


@dataclass(slots=True)
class People:
    """The people of a log, and the records that somebody may sign, as a worker folds them."""

    log: ReferenceLog
    _staff: dict[str, Staff] = field(default_factory=dict)
    _values: dict[int, tuple[bytes, frozenset[str]]] = field(default_factory=dict)  # by offset, with who is named
    _offsets: dict[tuple[str, str], int] = field(default_factory=dict)  # by name and hash

    @property
    def founded(self) -> bool:
        """True once the log has people."""
        return self.log.roster.began is not None

    @property
    def everybody(self) -> list[Staff]:
        """The newest record that counts about each person, and about the console, by id."""
        return [self._staff[id_] for id_ in sorted(self._staff)]

    def of(self, id_: str) -> Staff | None:
        """The newest record that counts about a person or the console, None without one."""
        return self._staff.get(roles.person(id_))

    def endorsable(self) -> list[Endorsable]:
        """The records that wait for a signature, then those that count unsigned, each by offset."""
        states = self.log.endorsements
        rows = [self._row(name, offset, "waiting", signers) for name, (_, offset), signers in states.waiting]
        older = [self._row(name, self._offsets[name, one], "unsigned", ()) for name, one in states.unsigned.items()]
        return rows + sorted(older, key=lambda row: row.offset)

    def _row(self, name: str, offset: int, state: State, signers: tuple[str, ...]) -> Endorsable:
        value, named = self._values[offset]
        return Endorsable(name, state, offset, value, signers, tuple(sorted(named)))

    def take(self, record: Record) -> None:
        """Takes the next record of `reference`; one that cannot be read counts for nothing here."""
        try:
            model = decode("reference", record.key, record.value)
            counted = self.log.take(record, model)
        except Unreadable:
            return
        value = record.value or b""
        named = roles.wanted(model.model_dump(mode="json", by_alias=True))
        self._values[record.offset] = value, named
        self._offsets[subject_key("reference", model), sha256(value).hexdigest()] = record.offset
        if counted and isinstance(counted.model, Staff):
            self._staff[roles.person(counted.model.id)] = counted.model


def read(settings: Settings, reader: Reader) -> People:
    """Reads all of `reference`."""
    found = People(ReferenceLog(settings.group))
    for record in reader.read("reference"):
        found.take(record)
    return found


def found(settings: Settings, first: Staff) -> Place:
    """Writes the record of the first person of a log, whom nobody can sign; raises UsageError (2) if it has people.

    `first`: a manager for all controllers, with a key.
    """
    with Reader(settings) as reader:
        if read(settings, reader).founded:
            raise UsageError("error.founded")
    (place,) = transact(settings, [_outgoing(first)], signatory=Unsigned())
    return place


def put(settings: Settings, staff: Staff) -> Place:
    """Writes a record of `staff`, signed by the person whose key the settings name; raises as `transact` does."""
    (place,) = transact(settings, [_outgoing(staff)])
    return place


def endorse(settings: Settings, row: Endorsable) -> Place:
    """Adds the signature of the person whose key the settings name; raises UsageError (2) without a key."""
    behind = signatory.own(settings).endorse(Outgoing("reference", row.name.encode(), row.value))
    (place,) = transact(settings, [behind], signatory=Unsigned())
    return place


def _outgoing(staff: Staff) -> Outgoing:
    return Outgoing("reference", f"staff/{staff.id}".encode(), encode(staff))
