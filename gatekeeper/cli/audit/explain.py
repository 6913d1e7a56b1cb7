"""`gatekeeper audit explain`: explains on one page why a piece was cleared or withheld."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.checks.trail import Trail
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.explanation import Explanation
from gatekeeper.audit.explanation.placed_record import UNREADABLE, NewestCheckpoint, PlacedRecord
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from gatekeeper.audit.explanation.trail_search import SearchTerm
from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.verify.sentences import INCOMPLETE, UNVERIFIABLE
from gatekeeper.cli.audit.found_pieces import found_pieces
from gatekeeper.cli.audit.reading import keys_of, of_folder, opened, place_options, tell_unproven
from gatekeeper.cli.output import json_option, note, printable, show_json, show_table
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import language, text
from gatekeeper.ground.times import instant, local, span
from gatekeeper.keys import Keys
from streams.operations.trail import LiveTrail


@click.command("explain", help=text("cli.audit_explain"))
@click.argument("asked", metavar="DID|SEND_ID|INQUIRY_CODE")
@place_options
@json_option
def command(asked: str, folder: Path | None, live: bool, as_json: bool) -> None:
    """Prints the page, from the running system unless a folder is named. Only the running system knows names.

    Exit 1 or 4 if the proof of a record does not hold, as for `gatekeeper audit check`. Exit 2 if nothing is found.
    Exit 4 if the sealed log cannot be read, and 5 if some records cannot. Exit 5 also if nothing is found and records
    not signed by a known worker were set aside.
    """
    term, settings, where = SearchTerm.read(asked), of_folder(load(), folder), str(folder or "live")
    keys = keys_of(settings, folder)
    with opened(settings, folder, live=live or folder is None, since=None, to=None) as trail:
        matches = found_pieces(trail, term, settings, keys)
        seal = _seal(matches.log, keys) if matches.readable else UNREADABLE
        citations = Citations(trail.policy)
        group = trail.about["group"] if isinstance(trail, ExportReader) else settings.group
        named = trail.names(language()) if isinstance(trail, LiveTrail) else {}
        signers = ReferenceSigners(trail.people(), str(group), trail.reference)
        explanations = [
            Explanation(piece, seal, local=_clock(trail, piece), names=named, citations=citations, signers=signers)
            for piece in matches.pieces
        ]
    for trouble in matches.troubles:
        note("cli.audit_explain_part", trouble=trouble)
    matches.demand_any(settings, folder or text("cli.audit_running"))
    if as_json:
        states = [asdict(explanation.state) for explanation in explanations]
        pieces = [explanation.plain() for explanation in explanations]
        show_json({"asked": term.text, "where": where, "states": states, "pieces": pieces})
    elif len(explanations) > 1:
        note("cli.audit_explain_several", count=len(explanations))
        names = ("decision_id", "inquiry_code", "campaign", "channel", "first_verdict", "first_at", "now")
        show_table([f"cli.column_{name}" for name in names], [explanation.row() for explanation in explanations])
    else:
        click.echo("\n".join(printable(line.encode()) for line in explanations[0].page().split("\n")))
    wrong = [finding for piece in matches.pieces for placed in piece for finding in placed.wrong]
    tell_unproven(wrong, None if folder else keys.folder)
    codes = {finding.exit for finding in wrong}
    if not matches.readable:
        codes.add(UNVERIFIABLE)
    if matches.troubles:
        codes.add(INCOMPLETE)
    click.get_current_context().exit(min(codes, default=0))


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
