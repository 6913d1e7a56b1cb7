"""The facts of all people, folded from events. The same set of events gives the same facts, in any order and number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gatekeeper.deciding.facts import CERTAIN
from gatekeeper.deciding.redacted import BESIDE, Token, redacted
from gatekeeper.ground.tables import SPOILT, MemoryTables, Tables
from gatekeeper.identity import key_of
from gatekeeper.knowledge.address_numbers import UNNAMED, Given
from gatekeeper.knowledge.copies import Copies
from gatekeeper.knowledge.feeds import Sender, told_until
from gatekeeper.knowledge.gaps import StatedGap
from gatekeeper.knowledge.journals import Journals, NamedInRefusal, Unread
from gatekeeper.knowledge.known_facts import DECODED, KnownFacts
from gatekeeper.knowledge.person_facts import KINDS, add, is_tokenless, person_of, says_no
from gatekeeper.knowledge.stop_rows import StopRows
from gatekeeper.knowledge.token_keys import is_foreign, names_foreign, scope_of, told_apart, twin_of
from gatekeeper.knowledge.unreadable import named, names_a_feed, understood
from gatekeeper.knowledge.unregistered_names import KIND, NamedByRefusals
from gatekeeper.knowledge.unresolved import UNSIGNED
from gatekeeper.knowledge.withholding import BY_TWO
from gatekeeper.staff.roles import person
from gatekeeper.staff.signed_acts import needs_signature, takes_away
from schemas.codec import Parsed, Unreadable
from schemas.events import Copy, FeedDelivery, FeedGap, NosResolution, Resolution, Signature, Source, Suppression
from schemas.record import Record
from schemas.topics import logical_name, subject_key

_POLICY = "policy/"
DELIVERY = "delivery"
"""The kind of name by which a delivery of a silent feed is told."""
WHOLE_ADDRESS = "whole_address/*"
"""The name that a stop of a whole address concerns: whoever lives there, and no index knows these people."""


class FactStore(KnownFacts):
    """All facts; `apply` adds a record of a fact topic.

    A store over the tables of an earlier one knows the same, once it has `reference` again from its beginning.
    `ours`: the fingerprints of the token keys that this process holds, by name; without any, each name is believed.
    `pair_key`: of the ids of nos of other ids (`Tokens.pair_key`).
    """

    def __init__(
        self,
        origin: str = "",
        founder: str = "",
        *,
        decoded: int = DECODED,
        tables: Tables | None = None,
        ours: Mapping[str, str] | None = None,
        pair_key: bytes = b"",
    ) -> None:
        tables = tables or MemoryTables()
        super().__init__(origin, founder, decoded=decoded, tables=tables, ours=ours or {}, pair_key=pair_key)
        self.named_by_refusals = NamedByRefusals()
        """The purposes and companies that refusals name, registered or not."""
        self.listeners: list[Callable[[str], None]] = []
        """Called with each name that an applied record concerns: a recipient id, a token, or a reference's kind/id."""
        self.copies = Copies()
        """The copied beginnings of the partitions."""
        self.nos_without_token = 0
        """The people with a no, and no source with a token, so that the no cannot reach their other ids."""
        self.stop_rows = StopRows(tables.table("stop_rows"))
        """The rows of lists of stops, by how surely they bind."""
        self._crossed = tables.table("crossed")
        self._journals = Journals(tables)
        self._begin_again()

    def emptied(self) -> FactStore:
        """A store with the same reference data, and nothing known of people."""
        store = FactStore(ours=self.token_keys.ours, pair_key=self.pair_key)
        store.log, store.unresolved = self.log.over(store.feeds.closed), self.unresolved.copy()
        store.confirmed_nos = self.confirmed_nos
        store.gaps = self.gaps.over(store.unresolved)
        store.token_keys.passed = self.token_keys.passed
        return store

    @property
    def row_counts(self) -> Mapping[str, int]:
        """The rows of lists of stops, by how surely they bind."""
        return self.stop_rows.counts(self.log)

    def save(self) -> None:
        """Puts facts that only memory holds into the tables. Call it before these are written."""
        self._journals.count(self.token_keys, self.copies.runs, self.nos_without_token)

    def _begin_again(self) -> None:
        """Takes what the journals of an earlier store say."""
        counted = self._journals.counted
        self.token_keys.begin(counted.stops, dict(counted.since), counted.sources)
        self.copies.runs.update(counted.runs)
        self.nos_without_token = counted.nos_without_token
        for unread in self._journals.unread_records():
            if unread.batch:
                self.unresolved.add_batch(unread.place, unread.fault, unread.arrived)
            else:
                self.unresolved.add(unread.place, unread.fault, unread.names, unread.arrived)
        for gap in self._journals.gaps():
            self.gaps.add(gap)
        for name in self._journals.refusals():
            self.named_by_refusals.take(name)
        for record in self._journals.corrections():
            event = understood(record)[0]
            self._corrections.note(_redacted(record, event.json)[0], record, event.json)
            if isinstance(event.model, Suppression) and event.model.row == "rejected":
                self.stop_rows.close(event.model, record, event.json)
        for record in self._journals.waiting():
            self.copies.wait(record, understood(record)[0])

    def apply(self, record: Record) -> str | None:
        """Applies one record. The result is None, or the fault of an unreadable record. Never raises.

        `record`: its topic is the registry name, and its timestamp is its arrival. Of headers only signatures and token
        keys count.
        An unreadable record withholds the people whom it names until a resolution names it. If it names nobody, or is a
        batch with unreadable keys, it withholds everybody until two do. So does a record on which our own code raises
        and then cannot tell whom it concerns. A batch is one fault, at its first offset.
        An unreadable record of `reference` withholds only if a manager signed it, or nobody could sign it.
        """
        try:
            return self._applied(record)
        except Exception as error:
            fault = f"failed_{type(error).__name__}"
            if record.topic == "reference" and self.log.roster.began is not None:
                self._withhold(record, fault, frozenset())  # what nobody signed bars nobody
            else:
                self._withhold_everybody(record, fault, record.offset)
            return fault

    def _applied(self, record: Record) -> str | None:
        topic, key, value, refused = record.topic, record.key, record.value, record.refused
        copied = self.copies.take(record)
        if refused and refused.what == "batch":
            new = self._withhold_everybody(record, refused.fault, refused.base)
            return refused.fault if new else None
        fault = None
        try:
            if refused and refused.what == "record":
                raise Unreadable(refused.fault)
            event, kind = understood(record)
            if kind is not None:
                self._unread_kind(record, event.model, kind)
            waits = copied is not None and isinstance(event.model, FeedDelivery)  # for the word that it is a copy
            names = [] if waits else [*self._fold(record, event)]
            names += self._first_arrived(record, event, copied)
        except Unreadable as unreadable:
            fault = str(unreadable)
        except Exception as error:  # a defect of ours must not stop the facts of everybody else
            fault = f"failed_{type(error).__name__}"
        if fault is not None:
            names = [*named(topic, key, value or b"")]
            self._withhold(record, fault, self._concerned(record, frozenset(names)))
            names += [token for name in names for token in self._linked(name)]
        for listener in self.listeners:
            for name in names:
                listener(name)
        return fault

    def _unread_kind(self, record: Record, stop: Suppression, kind: str) -> None:
        """Notes a stop whose kind no rule reads, so that somebody can correct it."""
        place = f"{record.topic}/{record.partition}/{record.offset}"
        whom = str(stop.recipient_id or stop.token or stop.suppression_id)
        name = NamedInRefusal(KIND, kind, whom, record.timestamp, place)
        if self.named_by_refusals.take(name):
            self._journals.refused(name)

    def _first_arrived(self, record: Record, event: Parsed[Any], arrived: int | None) -> Iterator[str]:
        """Applies the copied records that are believed since this record, at their first arrivals; yields names."""
        if arrived is not None and (waiting := self.copies.keep(record, event, arrived)):
            self._journals.waits(waiting)
        for earlier, about in self.copies.due(record):
            self._journals.waited(earlier)
            yield from self._fold(earlier, about)
        if first := self.copies.first_arrivals(record):
            self.log = self.log.arrived(first)
            yield from (*self.reference.digests, *self._signed())

    def _fold(self, record: Record, event: Parsed[Any]) -> Collection[str]:
        """Applies a readable record. The result names its person, or the token and readings of a suppression."""
        topic, model = record.topic, event.model
        if topic == "reference":
            return self._refer(record, model)
        if isinstance(model, FeedGap):
            return self._gap(record, model)
        if isinstance(model, FeedDelivery):
            return self._delivered(record, model)
        if isinstance(model, Suppression):
            self.stop_rows.take(model, record.timestamp)
            if model.row == "rejected" and takes_away(model):
                self.stop_rows.close(model, record, event.json)
            if model.row == "rejected" and not (model.token or model.recipient_id):
                if takes_away(model):
                    self._journals.corrected(record)
                return ()  # it binds nobody, and somebody mends it
        line, stated = _redacted(record, event.json)
        tokens = told_apart(record, stated, self.token_keys.ours) if stated else ()  # else its header says nothing
        whom = tokens[0].token if topic == "suppressions" and tokens else model.recipient_id
        if needs_signature(model):
            self._corrections.note(line, record, event.json)
            self._journals.corrected(record)
        place = f"{topic}/{record.partition}/{record.offset}"
        for name in self.named_by_refusals.add(model, whom=whom, record=place, arrived=record.timestamp):
            self._journals.refused(name)
        if topic == "sources":
            lines = [b"s" + line]
            lines += [f"b{model.birth_date} {model.source_id}".encode()] if model.birth_date else []
            for token in tokens:
                lines.append(b"t" + _given(token, model).written)
            before = add(self._people, model.recipient_id, lines)
            self.token_keys.given(before, self._people.get(model.recipient_id) or b"")
            named_here = [token for token in tokens if token.score != BESIDE]
            self.mentions.put(model.recipient_id, model, named_here, before)
            self._crossed_over(model.recipient_id, named_here)
        elif topic == "suppressions" and tokens:
            self._stop(record, model, tokens, line)
            everybody = [WHOLE_ADDRESS] if model.whole_address else []
            return [*(token.token for token in tokens), *everybody]
        else:
            before = add(self._people, model.recipient_id, [KINDS[type(model)] + line])
            self.mentions.put(model.recipient_id, model, (), before)
        return (model.recipient_id, *self._linked(model.recipient_id, before))

    def _linked(self, recipient_id: str, before: bytes | None = None) -> Collection[str]:
        """Links a person's tokens to the person's nos, read or unreadable, if there are any (rule 8.1.36).

        `before`: the person's lines before a fact, None if there was none. The result are these tokens.
        """
        lines = self._people.get(recipient_id) or b""
        if lines == SPOILT or not (says_no(lines) or self.unresolved.is_named(recipient_id)):
            return ()
        person = person_of(lines)
        lost = bool(before) and bool(person.overfull) and not person.given  # too many tokens, from now on
        if before is not None:
            self.nos_without_token += is_tokenless(lines) - is_tokenless(before)
        given_by = person_of(before).given if lost and before else person.given
        found = dict.fromkeys(given.token for given in given_by if given.score != BESIDE)
        for token in found:
            if self._suppressed.link(token, recipient_id):
                self._cross_from(token, recipient_id)
        return found

    def _crossed_over(self, recipient_id: str, tokens: Iterable[Token]) -> None:
        """Notes a person of whom a token is linked to another id's no."""
        if any(self._suppressed.linked(token.token) - {recipient_id} for token in tokens):
            self._crossed[recipient_id] = b"1"

    def _cross_from(self, token: str, recipient_id: str) -> None:
        """Notes the other people who have a token of somebody with a no."""
        with suppress(LookupError):  # a damaged row, which withholds by itself
            for other in self.mentions.people(token):
                if other != recipient_id and self.may_name(other, {token.encode()}):
                    self._crossed[other] = b"1"

    @property
    def people_of_another(self) -> int:
        """The people who have a token in common with another id that said no (rule 8.1.36)."""
        return len(self._crossed)

    def _gap(self, record: Record, model: FeedGap) -> Collection[str]:
        """Adds a gap; one whose list was entered already withholds nobody."""
        if model.evidence_ref is None:
            place = record.topic, record.partition, record.offset
            gap = StatedGap(place, model.feed, model.controllers, record.timestamp)
            if self.gaps.add(gap):
                self._journals.gap(gap)
            else:
                self._withhold_everybody(record, "too_many_gaps", record.offset)
        return ()

    def _delivered(self, record: Record, model: FeedDelivery) -> Collection[str]:
        """Closes a delivery. The result names it if its feed was silent, as people wait for it then."""
        by = Sender.of(record, model)
        freed = by is not None and self.feeds.close(by, told_until(model, record.timestamp), record.timestamp)
        return (f"{DELIVERY}/{model.feed}",) if freed else ()

    def _stop(self, record: Record, model: Suppression, tokens: Sequence[Token], line: bytes) -> None:
        """Adds a suppression to its tokens. Once a record names another key for a token, only that key counts."""
        id_, change = model.suppression_id, Counter[str]()
        for token in tokens:
            if self._suppressed.add(token, line, id_, wide=model.row == "wide"):
                twin = self._suppressed.names(twin_of(token.token), id_)
                change[key_of(token.token)] += is_foreign(token.token) or not twin
                change[key_of(twin_of(token.token))] -= is_foreign(token.token) and twin
        named = {key_of(token.token) for token in tokens if token.score == CERTAIN}
        self.token_keys.stopped(record, id_, scope_of(model), named, change)

    def _refer(self, record: Record, model: Any) -> Collection[str]:
        counted = self.log.take(record, model)
        if counted is None:
            return self._signed() if isinstance(model, Signature) else ()
        if isinstance(counted.model, Copy):
            self.copies.sign(counted.model)
        if isinstance(counted.model, Resolution):
            self._resolve(counted.model, person(counted.model.by) if counted.signed else UNSIGNED)
        if isinstance(counted.model, NosResolution):
            self.confirmed_nos.take(counted.model)
        return (subject_key("reference", counted.model),)

    def _withhold_everybody(self, record: Record, fault: str, offset: int) -> bool:
        """Withholds everybody until two people resolve what stands at this offset; False if it does so already."""
        place = record.topic, record.partition, offset
        if not self.unresolved.add_batch(place, fault, record.timestamp):
            return False
        self._journals.unread(Unread(place, fault, None, record.timestamp, batch=True))
        return True

    def _resolve(self, resolution: Resolution, by: str) -> None:
        place = logical_name(resolution.topic), resolution.partition, resolution.offset
        if self.unresolved.resolve(place, by) and place[0] == "reference":
            self.activations.free(place[1:])
        if self.unresolved.resolved_by(place) >= BY_TWO:
            self.token_keys.pass_over("/".join(map(str, place)))

    def _signed(self) -> list[str]:
        """Withholds by the unreadable records of `reference` that a manager signed; the result is their names."""
        names = []
        for record, name in self.log.signed_unread:
            place = record.topic, record.partition, record.offset
            if (fault := self.unresolved.faults.get(place)) is not None:
                self._withhold(record, fault, frozenset((name,)))
                names.append(name)
        return names

    def _concerned(self, record: Record, names: frozenset[str]) -> frozenset[str] | None:
        """The names by which an unreadable record withholds, None if it withholds everybody."""
        if record.topic == "reference":
            return names if self.log.unread(record, names) else frozenset()
        if record.topic == "suppressions" and names_foreign(record, names, self.token_keys.ours):
            return None  # a stop of a token that we cannot compare
        if names_a_feed(record.topic, record.value):
            return None  # it names a feed, and nobody can tell whose mail
        return names or None

    def _withhold(self, record: Record, fault: str, names: frozenset[str] | None) -> None:
        place = record.topic, record.partition, record.offset
        if not self.unresolved.add(place, fault, names, record.timestamp):
            return
        self._journals.unread(Unread(place, fault, names, record.timestamp))
        policies = frozenset(name.removeprefix(_POLICY) for name in names or () if name.startswith(_POLICY))
        if policies:
            self.activations.bar((record.partition, record.offset), policies, record.value or b"")


def _given(token: Token, source: Source) -> Given:
    """A token as a source gives it."""
    channel = next((point.channel for point in source.contact_points if point.id == token.point), None)
    entruster = UNNAMED if source.method == "indirect.entrusted" else None
    if source.entrustment is not None:
        entruster = source.entrustment.entruster
    return Given(token.token, token.point, source.source_id, token.score, source.acquired_at, channel, entruster)


def _redacted(record: Record, fields: Mapping[str, Any]) -> tuple[bytes, list[Token]]:
    if record.topic == "acts":  # only a file has releases among its facts
        fields = {**fields, "filed": True}
    return redacted(record.topic, fields, record.timestamp, value=record.value)
