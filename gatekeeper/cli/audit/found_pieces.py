"""The pieces of a decision id, a send id or an inquiry code, with the findings on each record's proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatekeeper.audit.checks.trail import PersonLine, Trail
from gatekeeper.audit.explanation.placed_record import PlacedRecord, pieces, proven
from gatekeeper.audit.explanation.trail_search import SearchTerm, TrailSearch
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.cli.audit.reading import log_of
from gatekeeper.cli.output import note, progress_bar
from gatekeeper.ground.errors import GatekeeperError, IncompleteError, IntegrityError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from gatekeeper.index import record_places
from gatekeeper.index.current import current
from gatekeeper.keys import Keys
from streams.client.reader import Reader
from streams.operations import trail_places
from streams.operations.trail import LiveTrail


@dataclass(frozen=True, slots=True)
class FoundPieces:
    """The pieces, each with its records in order, and the sealed log that proves them.

    `log`: None without one, or if it cannot be read, which `readable` tells. `troubles`: errors that stopped the
    reading of a partition. `aside`: records that no known worker signed were left out.
    """

    pieces: list[list[PlacedRecord]]
    log: Sealed | None
    readable: bool
    troubles: list[GatekeeperError]
    aside: bool

    def demand_any(self, settings: Settings, where: object) -> None:
        """Raises UsageError (2) for no piece, IncompleteError (5) if one may be among what was not read."""
        if self.pieces:
            return
        if self.troubles or self.aside:
            raise IncompleteError("error.not_among_read", where=where)
        raise UsageError("error.explain_nothing", where=where, days=f"{settings.audit_days:,}")


def found_pieces(trail: Trail, term: SearchTerm, settings: Settings, keys: Keys) -> FoundPieces:
    """The pieces in a trail that match a term. `settings`, `keys`: those of the trail.

    Raises the errors of the trail, but notes that a sealed log cannot be read.
    """
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_reading"), total=None)
        kept, readable = _sealed_log(settings, keys)
        search = TrailSearch(trail, lambda: bar.advance(task))
        verifiers = [*keys.verifiers("worker"), *keys.verifiers("log")]
        near = _at_once(settings, trail, search, term, kept) if isinstance(trail, LiveTrail) else []
        matching, log = _proven(near or search.found(term), kept, verifiers, trail.people())
    aside = isinstance(trail, LiveTrail) and bool(trail.aside)
    return FoundPieces(matching, log, readable and log is kept, search.troubles, aside)


def _at_once(
    settings: Settings, trail: LiveTrail, search: TrailSearch, term: SearchTerm, log: Sealed | None
) -> list[list[PlacedRecord]]:
    """The matching pieces by the places of their records on `audit`; [] if the trail must be read for them."""
    with Reader(settings) as reader:
        places = _of_console(settings, reader, term) or trail_places.searched(reader, term, search.passed)
        records = places and trail_places.found(
            trail, reader, places, sealed=lambda link: log is not None and leaf_hash(link.value) in log.indexes
        )
    return [piece for piece in pieces(records or ()) if any(map(term.meant, piece))]


def _of_console(settings: Settings, reader: Reader, term: SearchTerm) -> list[tuple[int, int]]:
    """The places that this machine's console knows; [] if it knows none, or too many."""
    with current(settings, reader, "audit") as db:
        if db is None:
            return []
        dids = [*(record_places.beginning(db, term.beginning) if term.beginning else ())]
        dids += record_places.of_send(db, term.text)
        places = record_places.piece(db, dids)
    return [(row.part, row.place) for row in places] if len(places) < record_places.MAX_RECORDS else []


def _sealed_log(settings: Settings, keys: Keys) -> tuple[Sealed | None, bool]:
    """The sealed log, and whether it can be read. Without it the page states that the seal is unknown."""
    try:
        return log_of(keys, settings.log_folder), True
    except GatekeeperError as error:
        note("cli.audit_explain_unsealed", trouble=error)
        return None, False


def _proven(
    matching: list[list[PlacedRecord]], log: Sealed | None, keys: list[str], people: Sequence[PersonLine]
) -> tuple[list[list[PlacedRecord]], Sealed | None]:
    """The pieces with the findings on each record's proof, and the log; without the log if it cannot be read."""
    try:
        return [[proven(placed, log, keys, people) for placed in piece] for piece in matching], log
    except IntegrityError as error:
        note("cli.audit_explain_unsealed", trouble=error)
        return _proven(matching, None, keys, people)
