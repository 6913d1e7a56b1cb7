"""The facts of all people, folded from events. The same set of events gives the same facts, in any order and number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from gatekeeper.deciding.redacted import Token, redacted
from gatekeeper.knowledge.address_numbers import Given
from gatekeeper.knowledge.copies import Copies
from gatekeeper.knowledge.filed import OWN_FORMS
from gatekeeper.knowledge.journals import Journals, Unread
from gatekeeper.knowledge.known_facts import DECODED, KnownFacts
from gatekeeper.knowledge.person_facts import KINDS, add
from gatekeeper.knowledge.read_wide import NamedByRefusals
from gatekeeper.knowledge.token_keys import SendAddress, is_foreign, told_apart, twin_of
from gatekeeper.knowledge.unreadable import named
from gatekeeper.tables import MemoryTables, Tables
from schemas.codec import Parsed, Unreadable, parse
from schemas.events import Copy, Resolution, Suppression
from schemas.record import Coordinates, Record
from schemas.topics import logical_name, subject_key

_POLICY = "policy/"


class FactStore(KnownFacts):
    """All facts; `apply` adds a record of a fact topic.

    A store over the tables of an earlier one knows the same, once it has `reference` again from its beginning.
    `ours`: the fingerprints of the token keys that this process holds, by name; without any, each name is believed.
    """

    def __init__(
        self,
        origin: str = "",
        founder: str = "",
        *,
        decoded: int = DECODED,
        tables: Tables | None = None,
        ours: Mapping[str, str] | None = None,
    ) -> None:
        tables = tables or MemoryTables()
        self.ours = ours or {}
        super().__init__(origin, founder, decoded=decoded, tables=tables)
        self.named_by_refusals = NamedByRefusals()
        """The purposes and companies that refusals name, registered or not."""
        self.listeners: list[Callable[[str], None]] = []
        """Called with each name that an applied record concerns: a recipient id, a token, or a reference's kind/id."""
        self.copies = Copies()
        """The copied beginnings of the partitions."""
        self._journals = Journals(tables)
        self._begin_again()

    def emptied(self) -> FactStore:
        """A store with the same reference data, and nothing known of people."""
        found = FactStore(ours=self.ours)
        found.log, found.unresolved = self.log, self.unresolved.copy()
        return found

    @property
    def lacks_keys(self) -> bool:
        """True if a stop can be compared by no token key of ours, so that it may be anybody's."""
        return bool(self.ours and self.token_keys.lacking(SendAddress((), {}, frozenset(self.ours))))

    def save(self) -> None:
        """Puts facts that only memory holds into the tables. Call it before these are written."""
        self._journals.count(self.token_keys.alike, self.token_keys.sources, self.copies.runs)

    def _begin_again(self) -> None:
        """Takes what the journals of an earlier store say."""
        counted = self._journals.counted
        self.token_keys.begin(dict(counted.stops), counted.sources)
        self.copies.runs.update(counted.runs)
        for place, fault, names in self._journals.unread_records():
            if names is None:
                self.unresolved.add_batch(place, fault)
            else:
                self.unresolved.add(place, fault, names)
        for one in self._journals.refusals():
            self.named_by_refusals.take(one)
        for record in self._journals.corrections():
            said = parse(record.topic, record.key, record.value).json
            self._suppressed.corrected(_redacted(record, said)[0], record, said)
        for record in self._journals.waiting():
            self.copies.wait(record, parse(record.topic, record.key, record.value))

    def apply(self, record: Record) -> str | None:
        """Applies one record. The result is None, or the fault of an unreadable record. Never raises.

        `record`: its topic is the registry name, and its timestamp is its arrival. Of headers only signatures and token
        keys count.
        An unreadable record withholds the people whom it names until a resolution names it. A batch with unreadable
        keys withholds everybody; it is one fault, at its first offset. So does a record on which our own code raises
        and then cannot tell whom it concerns.
        """
        try:
            return self._applied(record)
        except Exception as error:
            fault = f"failed_{type(error).__name__}"
            self._withhold_everybody((record.topic, record.partition, record.offset), fault)
            return fault

    def _applied(self, record: Record) -> str | None:
        topic, key, value, refused = record.topic, record.key, record.value, record.refused
        copied = self.copies.take(record)
        if refused and refused.what == "batch":
            new = self._withhold_everybody((topic, record.partition, refused.base), refused.fault)
            return refused.fault if new else None
        fault = None
        try:
            if refused and refused.what == "record":
                raise Unreadable(refused.fault)
            event = parse(topic, key, value, adapter=OWN_FORMS.get(topic))
            names = [*self._fold(record, event), *self._first_arrived(record, event, copied)]
        except Unreadable as unreadable:
            fault = str(unreadable)
        except Exception as error:  # a defect of ours must not stop the facts of everybody else
            fault = f"failed_{type(error).__name__}"
        if fault is not None:
            withheld = named(topic, key, value or b"")
            self._withhold(record, fault, withheld)
            names = [*withheld]
        for listener in self.listeners:
            for name in names:
                listener(name)
        return fault

    def _first_arrived(self, record: Record, event: Parsed[Any], arrived: int | None) -> Iterator[str]:
        """Applies the copied records that are believed since this record, at their first arrivals; yields names."""
        if arrived is not None and (waiting := self.copies.keep(record, event, arrived)):
            self._journals.waits(waiting)
        for earlier, about in self.copies.due(record):
            self._journals.waited(earlier)
            yield from self._fold(earlier, about)
        if first := self.copies.first_arrivals(record):
            self.log = self.log.arrived(first)
            yield from self.reference.digests

    def _fold(self, record: Record, event: Parsed[Any]) -> Collection[str]:
        """Applies a readable record. The result names its person, or the token and readings of a suppression."""
        topic, model = record.topic, event.model
        if topic == "reference":
            return self._refer(record, model)
        line, found = _redacted(record, event.json)
        tokens = told_apart(record, found, self.ours)
        whom = tokens[0].token if topic == "suppressions" and tokens else model.recipient_id
        if isinstance(model, Suppression) and model.kind == "erasure" and model.state == "corrected":
            self._suppressed.corrected(line, record, event.json)
            self._journals.corrected(record)
        place = f"{topic}/{record.partition}/{record.offset}"
        for one in self.named_by_refusals.add(model, whom=whom, record=place, arrived=record.timestamp):
            self._journals.refused(one)
        if topic == "sources":
            lines = [b"s" + line]
            lines += [f"b{model.birth_date} {model.source_id}".encode()] if model.birth_date else []
            for token in tokens:
                given = Given(token.token, token.point, model.source_id, token.score, model.acquired_at)
                lines.append(b"t" + given.written)
            before = add(self._people, model.recipient_id, lines)
            self.token_keys.given(before, self._people.get(model.recipient_id) or b"")
            self.mentions.put(model.recipient_id, model, tokens, before)
        elif topic == "suppressions" and tokens:
            for token in tokens:
                if self._suppressed.add(token, line, model.suppression_id):
                    self._stopped(model.suppression_id, token.token)
            return [token.token for token in tokens]
        else:
            before = add(self._people, model.recipient_id, [KINDS[type(model)] + line])
            self.mentions.put(model.recipient_id, model, (), before)
        return (model.recipient_id,)

    def _stopped(self, suppression_id: str, token: str) -> None:
        """Counts a new token of a suppression. Once a record names another key for it, only that key counts."""
        twin = self._suppressed.names(twin_of(token), suppression_id)
        if is_foreign(token) or not twin:
            self.token_keys.stopped(suppression_id, token)
        if is_foreign(token) and twin:
            self.token_keys.stopped(suppression_id, twin_of(token), by=-1)

    def _refer(self, record: Record, model: Any) -> Collection[str]:
        counted = self.log.take(record, model)
        if counted is None:
            return ()
        if isinstance(counted.model, Copy):
            self.copies.sign(counted.model)
        if isinstance(counted.model, Resolution):
            place = logical_name(counted.model.topic), counted.model.partition, counted.model.offset
            self.unresolved.resolve(place)
            if place[0] == "reference":
                self.activations.free(place[1:])
        return (subject_key("reference", counted.model),)

    def _withhold_everybody(self, place: Coordinates, fault: str) -> bool:
        """Withholds everybody until somebody resolves the record at this place; False if it does so already."""
        if not self.unresolved.add_batch(place, fault):
            return False
        self._journals.unread(Unread(place, fault, None))
        return True

    def _withhold(self, record: Record, fault: str, names: frozenset[str]) -> None:
        place = record.topic, record.partition, record.offset
        kept = self.unresolved.add(place, fault, names)
        self._journals.unread(Unread(place, fault, names))
        policies = frozenset(name.removeprefix(_POLICY) for name in names if name.startswith(_POLICY))
        if kept and policies:
            self.activations.bar((record.partition, record.offset), policies, record.value or b"")


def _redacted(record: Record, said: Mapping[str, Any]) -> tuple[bytes, list[Token]]:
    return redacted(record.topic, said, record.timestamp, value=record.value)
