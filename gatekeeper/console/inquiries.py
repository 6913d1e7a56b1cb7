"""Answers about one letter or one person: reads the records that the read model points at, and words them.

Nothing is cached: each page view reads the records again. No contact value and no token leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from operator import attrgetter
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import holds
from gatekeeper.audit.explanation.explanation import Chapter, Explanation
from gatekeeper.audit.explanation.piece_state import PieceState
from gatekeeper.audit.explanation.placed_record import PlacedRecord, pieces
from gatekeeper.audit.explanation.wording import FactLine, Wording
from gatekeeper.audit.records.record import read_record
from gatekeeper.console.reference_view import Registered
from gatekeeper.console.state import Console
from gatekeeper.ground import times
from gatekeeper.ground.texts import Language
from gatekeeper.ground.times import clock
from gatekeeper.index import act_log, recipients, record_places
from gatekeeper.knowledge.store import FactStore
from gatekeeper.letters.answer import Answer, answer, erased, grounds
from schemas.codec import Unreadable, decode
from schemas.events import PairedAct, Source
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client.reader import Reader


@dataclass(frozen=True, slots=True)
class PieceHistory:
    """One piece and its records in words.

    `evidence`: the record that cleared the piece, whose code is printed on it; else the first record with facts.
    `state`: the state of the piece now, and `now` in words. `at`: the first record's instant. `sender`: the
    controller's entry in `reference`. `erased`: its records tell that the person was erased. `answer`: makes the letter
    to the customer.
    """

    chapters: list[Chapter]
    evidence: Chapter
    state: PieceState
    now: str
    at: str
    campaign: str | None
    controller: str | None
    sender: dict[str, Any]
    erased: bool
    answer: Callable[[], Answer]

    @property
    def first(self) -> Chapter:
        """The first record."""
        return self.chapters[0]

    @property
    def because(self) -> list[FactLine]:
        """The reasons for the present state; [] if the record that led to it states none."""
        return next((chapter.because for chapter in self.chapters if chapter.did == self.state.did), [])

    @property
    def heading(self) -> str:
        """The key of the page's heading: why the piece came, why it did not, or why it was called back."""
        kinds = {"cleared": "letter_why", "handed_off": "letter_why"}
        kinds |= dict.fromkeys(("recalled", "recalled_late"), "letter_why_recalled")
        return kinds.get(self.state.kind, "letter_why_not")

    def lines(self, name: str) -> Iterator[FactLine]:
        """Yields what changed the piece, each at the instant of its own record. `name`: the campaign's."""
        for chapter in self.chapters:
            if chapter.changed:
                yield FactLine(
                    "letters", chapter.instant, f"{name}: {chapter.said}", f"{self.campaign or '-'}, {chapter.code}"
                )


@dataclass(frozen=True, slots=True)
class PersonHistory:
    """History of one person: facts, acts and letters.

    `erased`: instant of erasure in milliseconds; after it only acts are shown, with the staff who did them.
    `line`: facts, acts and letters by time, each with its local time; those without a time come first.
    `letters`: the newest first. `more`: older letters exist.
    """

    recipient: str
    known: bool
    erased: int | None
    line: list[tuple[str, FactLine]]
    unreadable: list[str]
    letters: list[PieceHistory]
    more: bool = False


def letters(held: Console, reader: Reader, dids: Collection[str], lang: Language) -> tuple[list[PieceHistory], int]:
    """The pieces of these decisions, oldest first, and the number of their records that are no longer kept."""
    with held.model.read() as db:
        places, registered = record_places.piece(db, dids), held.registrations.now(db)
    records = _told(reader, places)
    today = times.today(held.now() * 1000, held.zone())
    return worded(records, registered, lang=lang, zone=held.zone(), today=today), len(places) - len(records)


def worded(
    records: Iterable[PlacedRecord], registered: Registered, *, lang: Language, zone: str, today: date
) -> list[PieceHistory]:
    """The pieces of these records, oldest first. The records of a partition come in its order."""
    names, senders, citations = registered.names(lang), registered.of_kind("controller"), registered.citations()
    histories = []
    for piece in pieces(records):
        explained = Explanation(
            piece,
            None,
            local=lambda at: clock(at, zone),
            lang=lang,
            names=names,
            citations=citations,
            signers=registered.signers,
            place="page",
        )
        chapters = explained.chapters()
        place = grounds([placed.record for placed in piece])
        basis, evidence = piece[place].record, chapters[place]
        first = piece[0].record
        sender = next((sender for sender in senders if sender["id"] == first["controller"]), {})
        letter = partial(
            answer,
            basis,
            evidence.code,
            sender,
            names,
            registered,
            later=[placed.record for placed in piece[place + 1 :]],
            lang=lang,
            zone=zone,
            today=today,
        )
        gone = erased([placed.record for placed in piece])
        scope = first["at"], first["campaign"], first["controller"]
        now = explained.state, explained.now()
        histories.append(PieceHistory(chapters, evidence, *now, *scope, sender, gone, letter))
    return sorted(histories, key=attrgetter("at"))


def person(held: Console, reader: Reader, recipient: str, lang: Language) -> PersonHistory:
    """The history of a person, read now."""
    zone = held.zone()
    with held.model.read() as db:
        own, erased_at, dids = (
            record_places.facts(db, [recipient]),
            recipients.erased(db, recipient),
            record_places.of_person(db, recipient),
        )
        tell = Wording(lang, held.registrations.now(db).names(lang))
    if erased_at is not None:
        acts = _acts(held, reader, own, tell)
        return PersonHistory(recipient, True, erased_at, by_time(acts, zone), [], [])
    snapshot = _snapshot(held, reader, recipient, own)
    histories, _ = letters(held, reader, dids, lang)
    # records that belong to no piece appear among the acts
    sent = [history for history in histories if history.first.piece]
    line = [fact for fact in tell.facts(snapshot) if snapshot.get(fact.kind)] + _acts(held, reader, own, tell)
    for history in sent:
        line += history.lines(tell.name("campaign", history.campaign or "-"))
    return PersonHistory(
        recipient=recipient,
        known=bool(own or dids),
        erased=None,
        line=by_time(line, zone),
        unreadable=tell.unreadable(snapshot),
        letters=sent[::-1],
        more=len(dids) == record_places.MAX_RECORDS,
    )


def by_time(lines: Collection[FactLine], zone: str) -> list[tuple[str, FactLine]]:
    """Lines by time, each with its local time; lines without a time come first."""
    ordered = sorted(lines, key=lambda line: times.span(line.at, zone).first if line.at else 0)
    return [(clock(line.at, zone), line) for line in ordered]


def stop(reader: Reader, recipient: str, partition: int, offset: int) -> PairedAct | None:
    """The withdrawal acknowledged at this place of `acts`, None when the place holds no withdrawal of this person."""
    record = reader.at("acts", partition=partition, offset=offset)
    act = _paired(record) if record else None
    return act if act and act.kind == "withdraw" and act.recipient_id == recipient else None


def _snapshot(held: Console, reader: Reader, recipient: str, own: Mapping[str, record_places.Places]) -> dict[str, Any]:
    """The facts of a person, combined as the worker combines them."""
    store = FactStore(held.settings.group, held.settings.founder)
    tokens: set[str] = set()
    for topic in FACT_TOPICS:
        for record in reader.some(topic, own.get(topic, ())):
            store.apply(record)
            tokens |= _tokens(record) if topic == "sources" else set()
    with held.model.read() as db:
        by_token = record_places.facts(db, tokens).get("suppressions", ())
    for record in reader.some("suppressions", by_token):
        store.apply(record)
    snapshot: dict[str, Any] = orjson.loads(store.person(recipient))
    return snapshot


def _told(reader: Reader, places: list[record_places.RecordPlace]) -> list[PlacedRecord]:
    wanted = {(place.part, place.place): place.did for place in places}
    records = []
    for record in reader.some("audit", wanted):
        value = record.value or b""
        if holds(value, wanted[record.partition, record.offset]):
            with suppress(ValueError):  # a record not signed by a worker
                records.append(PlacedRecord(read_record(value), record.partition))
    return records


def _acts(held: Console, reader: Reader, own: Mapping[str, record_places.Places], tell: Wording) -> list[FactLine]:
    acts: dict[str, PairedAct] = {}
    for record in reader.some("acts", own.get("acts", ())):
        if act := _paired(record):
            acts[act.act_id] = act  # an erasure stands on every partition
    with held.model.read() as db:
        answers = {act_id: act_log.answered(db, act_id) for act_id in acts}
    return [act_line(act, answers[act.act_id], tell) for act in sorted(acts.values(), key=attrgetter("at"))]


def act_line(act: PairedAct, answer: act_log.Answered, tell: Wording) -> FactLine:
    """An act with the worker's answer, and with the signer if it was done."""
    signed = asdict(answer.signed) if answer.signed else None
    done = answer.outcome not in (None, "refused", "unreadable")
    fields = {"by": act.by, "kind": act.kind, "at": act.at, "evidence_ref": act.evidence_ref}
    fields |= {"outcome": answer.outcome or "unanswered", "code": None}
    return tell.act(fields, (signed,) if done or signed else ())


def _paired(record: Record) -> PairedAct | None:
    try:
        act = decode("acts", record.key, record.value)
    except Unreadable:
        return None
    return act if isinstance(act, PairedAct) else None


def _tokens(record: Record) -> set[str]:
    try:
        source: Source = decode("sources", record.key, record.value)
    except Unreadable:
        return set()
    points = source.contact_points
    return {point.token for point in points} | {match.token for point in points for match in point.readings}
