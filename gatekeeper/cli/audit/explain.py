"""`gatekeeper audit explain`: explains on one page why a piece was cleared or withheld."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.checks.trail import PersonLine, Trail
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.explanation import Explanation
from gatekeeper.audit.explanation.placed_record import UNREADABLE, NewestCheckpoint, PlacedRecord, pieces, proven
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from gatekeeper.audit.explanation.trail_search import SearchTerm, TrailSearch
from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.audit.verify.sentences import INCOMPLETE, UNVERIFIABLE
from gatekeeper.cli.audit.reading import keys_of, log_of, of_folder, opened, place_options, tell_unproven
from gatekeeper.cli.output import json_option, note, printable, progress_bar, show_json, show_table
from gatekeeper.console import record_places
from gatekeeper.console.current_model import current
from gatekeeper.errors import GatekeeperError, IncompleteError, IntegrityError, UsageError
from gatekeeper.keys import Keys
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from gatekeeper.times import instant, local, span
from streams.client.reader import Reader
from streams.operations import trail_places
from streams.operations.trail import LiveTrail


@click.command("explain", help=text("cli.audit_explain"))
@click.argument("asked", metavar="DID|SEND_ID|INQUIRY_CODE")
@place_options
@json_option
def command(asked: str, folder: Path | None, live: bool, as_json: bool) -> None:
    """Prints the page, from the running system unless a folder is named.

    Exit 1 or 4 if the proof of a record does not hold, as for `gatekeeper audit check`. Exit 2 if nothing is found.
    Exit 4 if the sealed log cannot be read, and 5 if some records cannot. Exit 5 also if nothing is found and records
    not signed by a known worker were set aside.
    """
    term, settings, where = SearchTerm.read(asked), of_folder(load(), folder), str(folder or "live")
    keys, read = keys_of(settings, folder), folder or text("cli.audit_running")
    with opened(settings, folder, live=live or folder is None, since=None, to=None) as trail, progress_bar() as bar:
        task = bar.add_task(text("cli.audit_reading"), total=None)
        kept, readable = sealed_log(settings, keys)
        search = TrailSearch(trail, lambda: bar.advance(task))
        known = [*keys.verifiers("worker"), *keys.verifiers("log")]
        near = at_once(settings, trail, search, term, kept) if isinstance(trail, LiveTrail) else []
        found, log = proven_pieces(near or search.found(term), kept, known, trail.people())
        readable = readable and log is kept
        seal = _seal(log, keys) if readable else UNREADABLE
        citations = Citations(trail.policy)
        group = trail.about["group"] if isinstance(trail, ExportReader) else settings.group
        signers = ReferenceSigners(trail.people(), str(group), trail.reference)
        explanations = [
            Explanation(piece, seal, local=_clock(trail, piece), citations=citations, signers=signers)
            for piece in found
        ]
    for trouble in search.troubles:
        note("cli.audit_explain_part", trouble=trouble)
    if not found and (search.troubles or (isinstance(trail, LiveTrail) and trail.aside)):
        raise IncompleteError("error.not_among_read", where=read)
    if not found:
        raise UsageError("error.explain_nothing", where=read, days=f"{settings.audit_days:,}")
    if as_json:
        show_json({"asked": term.text, "where": where, "pieces": [explanation.plain() for explanation in explanations]})
    elif len(explanations) > 1:
        note("cli.audit_explain_several", count=len(explanations))
        names = ("decision_id", "inquiry_code", "campaign", "channel", "verdict", "seen")
        show_table([f"cli.column_{name}" for name in names], [explanation.row() for explanation in explanations])
    else:
        click.echo("\n".join(printable(line.encode()) for line in explanations[0].page().split("\n")))
    wrong = [finding for piece in found for told in piece for finding in told.wrong]
    tell_unproven(wrong, None if folder else keys.folder)
    codes = {one.exit for one in wrong}
    if not readable:
        codes.add(UNVERIFIABLE)
    if search.troubles:
        codes.add(INCOMPLETE)
    click.get_current_context().exit(min(codes, default=0))


def at_once(
    settings: Settings, trail: LiveTrail, search: TrailSearch, term: SearchTerm, log: Sealed | None
) -> list[list[PlacedRecord]]:
    """The matching pieces by the places of their records on `audit`; [] if the trail must be read for them."""
    with Reader(settings) as reader:
        places = _of_console(settings, reader, term) or trail_places.searched(reader, term, search.passed)
        told = places and trail_places.found(
            trail, reader, places, sealed=lambda link: log is not None and leaf_hash(link.value) in log.indexes
        )
    return [piece for piece in pieces(told or ()) if any(map(term.meant, piece))]


def _of_console(settings: Settings, reader: Reader, term: SearchTerm) -> list[tuple[int, int]]:
    """The places that this machine's console knows; [] if it knows none, or too many."""
    with current(settings, reader, "audit") as db:
        if db is None:
            return []
        dids = [*(record_places.beginning(db, term.beginning) if term.beginning else ())]
        dids += record_places.of_send(db, term.text)
        places = record_places.piece(db, dids)
    return [(one.part, one.place) for one in places] if len(places) < record_places.MAX_RECORDS else []


def sealed_log(settings: Settings, keys: Keys) -> tuple[Sealed | None, bool]:
    """The sealed log, and whether it can be read. Without it the page states that the seal is unknown."""
    try:
        return log_of(keys, settings.log_folder), True
    except GatekeeperError as error:
        note("cli.audit_explain_unsealed", trouble=error)
        return None, False


def proven_pieces(
    found: list[list[PlacedRecord]], log: Sealed | None, keys: list[str], people: Sequence[PersonLine]
) -> tuple[list[list[PlacedRecord]], Sealed | None]:
    """The pieces with the findings on each record's proof, and the log; without the log if it cannot be read."""
    try:
        return [[proven(told, log, keys, people) for told in piece] for piece in found], log
    except IntegrityError as error:
        note("cli.audit_explain_unsealed", trouble=error)
        return proven_pieces(found, None, keys, people)


def _seal(log: Sealed | None, keys: Keys) -> NewestCheckpoint | None:
    if log is None:
        return None
    at = log.cosigned_at(keys.public("witness"))
    return NewestCheckpoint(log.checkpoint.size, None if at is None else instant(at * 1000))


def _clock(trail: Trail, piece: list[PlacedRecord]) -> Callable[[str], str]:
    """A function that writes an instant in local time, by the time zone of the policy that decided."""
    try:
        zone = ByHash(trail).policy(piece[0].record["policy"]["sha256"]).timezone
    except Missing:
        zone = "UTC"
    return lambda at: local(span(at, zone).first, zone)
