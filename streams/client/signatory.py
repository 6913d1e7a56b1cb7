"""Signs the acts and the records of `reference` that a process writes. All of them go through this one place.

An act carries its signature in a header. A record of `reference` is followed by a record `signature`, written with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypedDict
from uuid import uuid4

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.staff import person_keys, roles, signatures
from gatekeeper.staff.act_kinds import ERASURES
from gatekeeper.staff.message import milliseconds, timely
from gatekeeper.staff.person_keys import PersonKey
from gatekeeper.staff.signed_acts import is_signed
from schemas.codec import decode
from schemas.events import Act
from schemas.events.staff import SignIn
from streams.client.outgoing import Outgoing
from streams.client.reader import Reader

SIGNED = frozenset(("acts", "reference"))
"""Topics whose records somebody signs."""
BLIND_BYTES = 16
_STAFF = b"staff/"


class _Vouched(TypedDict, total=False):
    user: str
    signin: SignIn


class Signed(NamedTuple):
    """Records in their order with their headers, and the records `signature` to be written behind them."""

    records: list[Outgoing]
    behind: list[Outgoing]


class Signatory(Protocol):
    """Somebody who signs what a process writes."""

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records with their signatures; raises UsageError (2) for an act that names somebody else."""


class PersonSignatory:
    """A person who signs with a key of their own. `origin`: the name of the log, `Settings.group`."""

    def __init__(self, key: PersonKey, origin: str) -> None:
        self.by = key.by
        self._key, self._origin = key, origin

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records with this person's signatures; raises UsageError (2) for an act that names somebody else.

        One act that stands on several partitions has one signature. A fact is signed only where it takes a no away.
        """
        headers = {record.value: self._header(record) for record in records}
        signed = [
            replace(record, headers=(*record.headers, *headers[record.value])) if headers[record.value] else record
            for record in records
        ]
        return Signed(signed, [self.endorse(record) for record in records if record.topic == "reference"])

    def endorse(self, record: Outgoing) -> Outgoing:
        """The record `signature` for a record of `reference`, also for one that stands there already."""
        id_, name = uuid4().hex, (record.key or b"").decode()
        value = signatures.of_reference(
            name, record.value, self._key, origin=self._origin, at=_now(), id_=id_, **self._for()
        )
        return Outgoing("reference", f"signature/{id_}".encode(), value)

    def _for(self) -> _Vouched:
        """The person for whom the key signs, if that is not its holder."""
        return {}

    def _header(self, record: Outgoing) -> tuple[tuple[str, bytes], ...]:
        at, blind = _now(), secrets.token_hex(BLIND_BYTES)
        if record.topic == "acts":
            act: Act = decode("acts", record.key, record.value)
            named = (act.by,) if isinstance(act.by, str) else act.by
            if roles.person(self.by) not in map(roles.person, named):
                raise UsageError("error.key_of_other_person", by=self.by, named=", ".join(named))
            if not timely(act.at, milliseconds(at)):
                raise UsageError("error.act_old", kind=act.kind, at=act.at)
            return (signatures.of_act(act, self._key, origin=self._origin, at=at, blind=blind, **self._for()),)
        if record.topic in ("suppressions", "consents"):
            event = decode(record.topic, record.key, record.value)
            if is_signed(event) and not (event.kind == "erasure" and self._for()):
                form = {"origin": self._origin, "at": at, "blind": blind}
                return (signatures.of_correction(event, self._key, **form, **self._for()),)
        return ()


class ConsoleSignatory(PersonSignatory):
    """The console, which signs with its own key for a person who signed in there.

    `by`: that person. `signin`: how this person signed in. The console's word takes no erasure back.
    """

    def __init__(self, key: PersonKey, origin: str, *, by: str, signin: SignIn) -> None:
        super().__init__(key, origin)
        self.by, self._signin = by, signin

    def _for(self) -> _Vouched:
        return {"user": self.by, "signin": self._signin}


class NobodySigns:
    """Nobody signs. That is refused once people are registered, because the gate would refuse it anyway.

    An erasure is refused before that too, where acts must be signed: the worker would keep the person's salt.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records as they are; raises UsageError (2) once the log has people."""
        with Reader(self._settings) as reader:
            if any((record.key or b"").startswith(_STAFF) for record in reader.read("reference")):
                raise UsageError("error.key_needed")
        if self._settings.acts == "signed" and any(_erases(record) for record in records):
            raise UsageError("error.nobody_registered")
        return Signed(list(records), [])


class Unsigned:
    """Nothing is to be signed, such as facts, sends, and a signature itself."""

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records as they are."""
        return Signed(list(records), [])


def of(settings: Settings, topics: Collection[str]) -> Signatory:
    """The signatory of records of these topics: the person whose key the settings name.

    Raises UsageError (2) for a key that cannot be read.
    """
    if SIGNED.isdisjoint(topics):
        return Unsigned()
    key = own_key(settings)
    return PersonSignatory(key, settings.group) if key else NobodySigns(settings)


def own_key(settings: Settings) -> PersonKey | None:
    """The key of the person who acts here, None without one; raises UsageError (2) for one that cannot be read."""
    return person_keys.read(Path(settings.user_key)) if settings.user_key else None


def own(settings: Settings) -> PersonSignatory:
    """The person whose key the settings name; raises UsageError (2) without a key."""
    key = own_key(settings)
    if key is None:
        raise UsageError("error.key_needed")
    return PersonSignatory(key, settings.group)


def _erases(record: Outgoing) -> bool:
    return record.topic == "acts" and decode("acts", record.key, record.value).kind in ERASURES


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
