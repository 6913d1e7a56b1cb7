"""The facts of all people, folded from events: the same for the same set of events, in any order and number.

The store holds lines (gatekeeper.knowledge.person_facts) for each person, and for each token that a suppression names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Set
from copy import deepcopy
from itertools import chain
from typing import Any

from gatekeeper.cache import MEGABYTE, Cache
from gatekeeper.deciding.facts import NO_AGES, Facts
from gatekeeper.deciding.purposes import above
from gatekeeper.deciding.redacted import hits, redacted
from gatekeeper.deciding.reference import PURPOSES, Reference
from gatekeeper.deciding.snapshot import read_snapshot, snapshot
from gatekeeper.identity import Identified, Printed
from gatekeeper.knowledge.address_numbers import Given, addresses
from gatekeeper.knowledge.ages import ages
from gatekeeper.knowledge.companies import late, left, predecessors
from gatekeeper.knowledge.companies import named as named_companies
from gatekeeper.knowledge.copies import Copies
from gatekeeper.knowledge.journals import Journals, Unread
from gatekeeper.knowledge.person_facts import (
    KINDS,
    WORD,
    PersonFacts,
    add,
    covering,
    joined,
    person_of,
    spellings,
    weight,
)
from gatekeeper.knowledge.read_wide import NamedByRefusals
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.knowledge.suppressed_tokens import SuppressedTokens
from gatekeeper.knowledge.tables import SPOILT, MemoryTables, Tables
from gatekeeper.knowledge.token_keys import TokenKeys, address_of
from gatekeeper.knowledge.unreadable import named
from gatekeeper.knowledge.unresolved import Unresolved
from gatekeeper.policy.activation import Activations
from schemas.audit import Printing
from schemas.codec import Unreadable, canonical, decode
from schemas.events import Copy, Resolution, Send, Suppression
from schemas.record import Record
from schemas.topics import logical_name, subject_key

SNAPSHOT_BYTES = 160 * 1024
"""Bytes of a snapshot, at most, to fit a record with send and reasons. Beyond, the person is FACTS_UNAVAILABLE."""
DECODED = 512 * MEGABYTE
"""Memory for the people decoded last: about 100,000 of the demo's."""
UNREADABLE = 64
"""Unreadable records that are named per person; more are not named one by one."""
_POLICY = "policy/"


class FactStore:
    """All facts: `apply` adds a record of a fact topic, `view` gives the facts that bear on a send.

    `origin`: as of `ReferenceLog`. `decoded`: the bytes for the people decoded last, at most. `tables`: hold what is
    known. A store over the tables of an earlier one knows the same, once it has `reference` again from its beginning.
    """

    def __init__(self, origin: str = "", *, decoded: int = DECODED, tables: Tables | None = None) -> None:
        tables = tables or MemoryTables()
        self._decoded = Cache(decoded, person_of, weight)
        self.log = ReferenceLog(origin)
        self.unresolved = Unresolved()
        self.named_by_refusals = NamedByRefusals()
        """The purposes and companies that refusals name, registered or not."""
        self._journals = Journals(tables)
        counted = self._journals.counted
        self.token_keys = TokenKeys(tables.table("token_keys"), dict(counted.stops), counted.sources)
        """The keys of the tokens that suppressions and sources name."""
        self.listeners: list[Callable[[str], None]] = []
        """Called with each name that an applied record concerns: a recipient id, a token, or a reference's kind/id."""
        self._people = tables.table("people")
        self._suppressed = SuppressedTokens(self._decoded, tables.table("tokens"))
        self._refs: dict[tuple[str, str, tuple[str, ...]], bytes] = {}
        self.copies = Copies()
        """The copied beginnings of the partitions."""
        self.copies.runs.update(counted.runs)
        self._begin_again()

    @property
    def reference(self) -> Reference:
        """The reference data that counts."""
        return self.log.reference

    @property
    def activations(self) -> Activations:
        """The policies that count."""
        return self.log.activations

    def emptied(self) -> FactStore:
        """A store with the same reference data, and nothing known of people."""
        found = FactStore()
        found.log, found.unresolved = self.log, deepcopy(self.unresolved)
        return found

    @property
    def people(self) -> int:
        """Number of people with facts."""
        return len(self._people)

    def save(self) -> None:
        """Puts into the tables what is known in memory alone; call it before they are written."""
        self._journals.count(self.token_keys.alike, self.token_keys.sources, self.copies.runs)

    def _begin_again(self) -> None:
        """Takes what the journals of an earlier store say."""
        for place, fault, names in self._journals.unread_records():
            if names is None:
                self.unresolved.add_batch(place, fault)
            else:
                self.unresolved.add(place, fault, names)
        for one in self._journals.refusals():
            self.named_by_refusals.take(one)
        for record in self._journals.corrections():
            self._suppressed.corrected(redacted(record.topic, record.value or b"", record.timestamp)[0], record)
        for record in self._journals.waiting():
            self.copies.wait(record, decode(record.topic, record.key, record.value))

    def apply(self, record: Record) -> str | None:
        """Applies one record. The result is None, or the fault of an unreadable record. Never raises.

        `record`: its topic is the registry name, and its timestamp is its arrival. Of headers only signatures count.
        An unreadable record withholds the people whom it names until a resolution names it. A batch with unreadable
        keys withholds everybody; it is one fault, at its first offset.
        """
        topic, key, value, refused = record.topic, record.key, record.value, record.refused
        copied = self.copies.take(record)
        if refused and refused.what == "batch":
            first = topic, record.partition, refused.base
            if not self.unresolved.add_batch(first, refused.fault):
                return None
            self._journals.unread(Unread(first, refused.fault, None))
            return refused.fault
        fault = None
        try:
            if refused and refused.what == "record":
                raise Unreadable(refused.fault)
            model = decode(topic, key, value)
            names = [*self._fold(record, model), *self._first_arrived(record, model, copied)]
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

    def mentions(self, recipient_id: str, names: Set[bytes]) -> bool:
        """Tells whether the facts of a person may hold a word (token, id, state). Never a false no."""
        lines = self._people.get(recipient_id) or b""
        return lines == SPOILT or not names.isdisjoint(WORD.findall(lines))

    def view(
        self,
        send: Send,
        printed: Printed | None = None,
        *,
        at: int,
        zone: str,
        asks: bytes = b"",
        releases: bytes = b"",
        erased: int | None = None,
    ) -> Facts:
        """The facts that bear on `send`.

        `printed`: the send's printed address (`identity.printed`); if there is none, the token of its contact point
        counts.
        `at`, `zone`: the instant of the decision (milliseconds) and its policy's time zone, for the person's age.
        `asks`, `releases`: the worker's own entries in their redacted form, one per line, in addition to the facts.
        `erased`: the instant of the person's erasure according to the worker (milliseconds).
        """
        person = self._decoded(self._people.get(send.recipient_id) or b"")
        if asks or releases:
            person = joined(person, asks, releases)
        place = printed if isinstance(printed, Identified) else None
        stated = printed in (None, "not_checked")
        address = address_of(send, place)
        given_by, near = covering(person, send.contact_point, address) if place or stated else (frozenset(), {})
        where = addresses(person.given, person.known_as, send.contact_point, address)
        tokens, readings, here = spellings(person, send, place, near)
        stops, elsewhere, overfull = self._suppressed.stops(person, tokens, readings, here, self.log)
        unread = self.unresolved.naming(_names(send, person, tokens, readings))
        if printed not in ("token_differs", "several"):  # invalid, whatever the facts say
            unread += self.token_keys.lacking(address)
        unreadable = tuple(sorted({*person.overfull, *overfull, *unread}))
        known = ages(person.births, person.consents, at=at, zone=zone) if person.births else NO_AGES
        stopped = hits(stops, elsewhere) if stops else ()
        companies = named_companies(self.reference, person.consents, stopped)
        registered_late = late(self.reference, companies)
        groups_left = left(self.reference, stopped, (send.controller_id, *predecessors(person.sources)))
        parties = {*companies, *self.reference.companies_of(person.refs)} - {send.controller_id}
        others = {f"controller/{company}" for company in parties}.difference(person.refs)
        how: Printing | None = printed.printing if isinstance(printed, Identified) else printed
        recorded = snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=given_by,
            contact_point_near=near,
            addresses=where,
            late=registered_late,
            left=groups_left,
            printed=how,
            unreadable=unreadable,
            refs=self._references(send, (*person.refs, *sorted(others))),
            elsewhere=elsewhere,
            event_lines=person.event_lines,
            ask_lines=person.ask_lines,
            release_lines=person.release_lines,
            erased=erased,
            ages=known,
        )
        if len(recorded) > SNAPSHOT_BYTES or len(unreadable) > UNREADABLE:
            return self._overfull(send, unreadable, printed=how, erased=erased)
        return Facts(
            sources=person.sources,
            consents=person.consents,
            suppressions=stopped,
            contact_point_from=given_by,
            contact_point_near=near,
            points=person.points,
            addresses=where,
            late=registered_late,
            left=groups_left,
            printed=how,
            unreadable=unreadable,
            snapshot=recorded,
            events=person.events,
            asks=person.asks,
            releases=person.releases,
            erased=erased,
            ages=known,
        )

    def _overfull(
        self, send: Send, unreadable: tuple[str, ...], *, printed: Printing | None, erased: int | None
    ) -> Facts:
        """An empty view with fault `too_many/facts`: the snapshot would exceed SNAPSHOT_BYTES."""
        faults = tuple(sorted({*unreadable[:UNREADABLE], "too_many/facts"}))
        return read_snapshot(
            snapshot(
                source_lines=b"",
                consent_lines=b"",
                stops={},
                contact_point_from=(),
                printed=printed,
                unreadable=faults,
                refs=self._references(send, ()),
                erased=erased,
            )
        )

    def person(self, recipient_id: str) -> bytes:
        """The facts of a person apart from any send, as canonical JSON of `schemas.audit.Snapshot`."""
        person = self._decoded(self._people.get(recipient_id) or b"")
        stops, _, overfull = self._suppressed.stops(person, person.exact, person.less, (), self.log)
        unread = self.unresolved.naming((recipient_id, *person.exact, *person.less))
        faults = (*person.overfull, *overfull, *unread)
        return snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=(),
            unreadable=sorted(set(faults)),
            refs=b"{}",
            event_lines=person.event_lines,
            ask_lines=person.ask_lines,
            release_lines=person.release_lines,
        )

    def _first_arrived(self, record: Record, model: Any, arrived: int | None) -> Iterator[str]:
        """Applies the copied records that are believed since this record, at their first arrivals; yields names."""
        if arrived is not None and (waiting := self.copies.keep(record, model, arrived)):
            self._journals.waits(waiting)
        for earlier, about in self.copies.due(record):
            self._journals.waited(earlier)
            yield from self._fold(earlier, about)
        if first := self.copies.first_arrivals(record):
            self.log = self.log.arrived(first)
            self._refs.clear()
            yield from self.reference.digests

    def _fold(self, record: Record, model: Any) -> Collection[str]:
        """Applies a readable record. The result names its person, or the token and readings of a suppression."""
        topic = record.topic
        if topic == "reference":
            return self._refer(record, model)
        if type(model) not in KINDS and topic == "acts":
            raise Unreadable("kind_unknown", "kind")  # an act about an item is no fact of a person
        line, tokens = redacted(topic, record.value or b"", record.timestamp)
        whom = tokens[0].token if topic == "suppressions" and tokens else model.recipient_id
        if isinstance(model, Suppression) and model.kind == "erasure" and model.state == "corrected":
            self._suppressed.corrected(line, record)
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
            before = self._people.get(model.recipient_id) or b""
            add(self._people, model.recipient_id, lines)
            self.token_keys.given(before, self._people.get(model.recipient_id) or b"")
        elif topic == "suppressions" and tokens:
            for token in tokens:
                if self._suppressed.add(token, line, model.suppression_id):
                    self.token_keys.stopped(model.suppression_id, token.token)
            return [token.token for token in tokens]
        else:
            add(self._people, model.recipient_id, [KINDS[type(model)] + line])
        return (model.recipient_id,)

    def _references(self, send: Send, named: tuple[str, ...]) -> bytes:
        """The digests of the reference data that a send and its person name, of purposes, and of the ask template."""
        refs = self._refs.get((send.controller_id, send.template_id, named))
        if refs is None:
            keys = {f"controller/{send.controller_id}", f"template/{send.template_id}", PURPOSES, *named}
            keys.update({f"template/{self.reference.ask.id}"} if self.reference.ask else ())
            refs = canonical({key: self.reference.digests.get(key) for key in keys})
            if len(self._refs) >= 4096:
                self._refs.clear()
            self._refs[send.controller_id, send.template_id, named] = refs
        return refs

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
        self._refs.clear()
        return (subject_key("reference", counted.model),)

    def _withhold(self, record: Record, fault: str, names: frozenset[str]) -> None:
        place = record.topic, record.partition, record.offset
        kept = self.unresolved.add(place, fault, names)
        self._journals.unread(Unread(place, fault, names))
        policies = frozenset(name.removeprefix(_POLICY) for name in names if name.startswith(_POLICY))
        if kept and policies:
            self.activations.bar((record.partition, record.offset), policies, record.value or b"")


def _names(send: Send, person: PersonFacts, *tokens: Iterable[str]) -> Iterator[str]:
    """Yields the names of all that a decision about the send reads."""
    yield from (send.recipient_id, f"controller/{send.controller_id}", f"template/{send.template_id}")
    yield from (f"purpose/{code}" for code in (send.purpose, *above(send.purpose)))
    yield from person.refs
    yield from chain(*tokens)
