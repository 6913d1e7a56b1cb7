"""The proof of a letter's records: signature of the worker, seal and witness."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gatekeeper.audit.explanation.explanation import Chapter, Explanation
from gatekeeper.audit.explanation.placed_record import NewestCheckpoint, proven
from gatekeeper.audit.log.sealed import sealed
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.console.state import Console
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IncompleteError
from gatekeeper.ground.texts import Language
from gatekeeper.ground.times import clock, instant
from gatekeeper.index import record_places
from gatekeeper.keys import Keys
from streams.client.reader import Reader
from streams.operations import trail_places
from streams.operations.trail import LiveTrail


@dataclass(frozen=True, slots=True)
class ProvenChapter:
    """One record in words. `standing`: sentences on its place and its seal. `wrong`: the faults of its proof."""

    chapter: Chapter
    standing: list[str]
    wrong: list[str]


def proven_chapters(held: Console, dids: Collection[str], lang: Language) -> list[ProvenChapter]:
    """The records of a piece with their proofs, in order.

    Raises IntegrityError (4) if the sealed log cannot be read. Raises IncompleteError (5) if a record is in no
    manifest of a worker.
    """
    settings, zone = held.settings, held.zone()
    keys = Keys(settings.key_folder)
    log = sealed(AtomicStore(settings.log_folder), keys.public("log"), keys.public("witness"))
    with held.model.read() as db:
        places = [(place.part, place.place) for place in record_places.piece(db, dids)]
        registered = held.registrations.now(db)
    with Reader(settings) as reader, LiveTrail(settings) as trail:
        indexes = log.indexes if log else {}
        placed = trail_places.found(trail, reader, places, sealed=lambda link: leaf_hash(link.value) in indexes)
        people = trail.people()
    if placed is None:
        raise IncompleteError("page.letter_seal_unknown")
    public = [*keys.verifiers("worker"), *keys.verifiers("log")]
    piece = [proven(record, log, public, people) for record in placed]
    at = log.cosigned_at(keys.public("witness")) if log else None
    seal = NewestCheckpoint(log.checkpoint.size, None if at is None else instant(at * 1000)) if log else None
    explained = Explanation(
        piece,
        seal,
        local=lambda written: clock(written, zone),
        lang=lang,
        names=registered.names(lang),
        citations=registered.citations(),
        signers=registered.signers,
    )
    return [
        ProvenChapter(chapter, explained.standing(record), [finding.text(lang) for finding in record.wrong])
        for record, chapter in zip(piece, explained.chapters(), strict=True)
    ]
