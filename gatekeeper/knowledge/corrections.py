"""The events that take a no away, and the people who stand for each of them (domain rule 8.1.40)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson

from gatekeeper.deciding import redacted
from gatekeeper.deciding.facts import HeldEvent
from gatekeeper.knowledge.confirmed_nos import ConfirmedNos
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.staff.signed_acts import (
    PRINT_ACCEPTED,
    RESOLVING,
    TAKING_BACK,
    VOUCHED_FOR,
    Correctors,
    correctors,
)
from schemas.codec import canonical
from schemas.record import Record

MOST = 200
"""Signatures that are looked at in one answer, at most: each takes 0.2 ms of a worker that decides."""


class Corrections:
    """Such events by their redacted form. The order of the calls does not matter.

    They are judged when they are used, as by then the reference data of their time has been applied.
    """

    def __init__(self) -> None:
        self._records: dict[bytes, list[tuple[frozenset[str], Record, Mapping[str, Any]]]] = {}
        self._taken_back: list[tuple[Record, Mapping[str, Any]]] = []
        self._by = Counter[str]()
        self._counted: tuple[object, int] = (None, 0)

    def note(self, line: bytes, record: Record, said: Mapping[str, Any]) -> None:
        """Notes the record of such an event. `line`: its redacted form. `said`: its JSON as published.

        The redacted form does not say whom it names, so the same one may be of several people.
        """
        self._records.setdefault(line, []).append((_names(said), record, said))
        if said["kind"] in RESOLVING or said.get("state") in TAKING_BACK:
            self._taken_back.append((record, said))

    def __contains__(self, line: bytes) -> bool:
        return line in self._records

    def __bool__(self) -> bool:
        return bool(self._records)

    def signed(self, line: bytes, names: Collection[str], log: ReferenceLog, nos: ConfirmedNos) -> bytes:
        """The redacted form with those who stand for it: `staff`, and the `managers` among them.

        `names`: the id and the tokens of the person concerned. A signature about somebody else does not count.
        """
        stand = Correctors()
        for whom, record, said in self._records.get(line, ()):
            if whom.isdisjoint(names):
                continue
            stand |= correctors(record, said, roster=log.roster, origin=log.origin)
            if said["kind"] != PRINT_ACCEPTED:  # none is of before there were signatures
                stand |= nos.stand_for(_name(said), record.timestamp)
        if not stand.staff:
            return line
        found = {"staff": sorted(stand.staff), "managers": sorted(stand.managers)}
        return canonical({**orjson.loads(line), **{name: people for name, people in found.items() if people}})

    @property
    def count(self) -> int:
        """The number of events that take a stop or a returned piece away, whoever signed them."""
        return len(self._taken_back)

    def by(self, log: ReferenceLog) -> Mapping[str, int]:
        """The number of such events by the staff who signed them, most first; MOST further ones a call."""
        state, done = (log, log.roster.began), self._counted[1]
        if self._counted[0] != state:
            self._by, done = Counter[str](), 0
        for record, said in self._taken_back[done : done + MOST]:
            self._by.update(correctors(record, said, roster=log.roster, origin=log.origin).staff)
        self._counted = state, min(done + MOST, len(self._taken_back))
        return dict(self._by.most_common())

    def events(
        self, person: str, lines: bytes, events: Iterable[HeldEvent], log: ReferenceLog, nos: ConfirmedNos
    ) -> tuple[tuple[HeldEvent, ...], bytes]:
        """The events of a person, by recipient id, with those who stand for them, and their redacted forms."""
        if not self._records or not any(event.kind in VOUCHED_FOR for event in events):
            return tuple(events), lines
        signed = b"\n".join(self.signed(line, (person,), log, nos) for line in lines.split(b"\n"))
        return redacted.events(signed), signed


def _names(said: Mapping[str, Any]) -> frozenset[str]:
    """The names of whom an event is about: the id of a person, or its tokens."""
    tokens = (said.get("token"), *(reading.get("token") for reading in said.get("readings") or ()))
    return frozenset(name for name in (said.get("recipient_id"), *tokens) if name)


def _name(said: Mapping[str, Any]) -> str:
    id_ = said.get("suppression_id")
    return f"suppression/{id_}" if id_ else f"event/{said.get('record_id')}"
