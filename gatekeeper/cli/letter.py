"""`gatekeeper letter`: writes the answer to a customer, or the letters that ask people, as PDF or HTML."""

from __future__ import annotations

from pathlib import Path
from time import time

import click

from gatekeeper.audit.explanation.trail_search import SearchTerm
from gatekeeper.audit.records import inquiry
from gatekeeper.cli.audit.found_pieces import found_pieces
from gatekeeper.cli.audit.reading import keys_of, opened, tell_unproven
from gatekeeper.cli.output import json_option, note, show_json, whole
from gatekeeper.cli.pdf import FONTS, pdf
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import language, text
from gatekeeper.ground.times import today
from gatekeeper.index import record_places
from gatekeeper.index.current import current
from gatekeeper.letters.answer import Answer, answer, erased, grounds
from gatekeeper.letters.asking import AskingLetter, asking
from gatekeeper.letters.paper import answered, asked
from gatekeeper.policy import packs
from schemas.codec import Unreadable, decode
from schemas.events import Ask
from streams.client.reader import Reader
from streams.operations import endorsement


@click.command("letter", help=text("cli.letter"))
@click.argument("code", required=False)
@click.option("--ask", "file", type=click.Path(path_type=Path, dir_okay=False), help=text("cli.letter_ask"))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=text("cli.letter_out"))
@json_option
def command(code: str | None, file: Path | None, out: Path, as_json: bool) -> None:
    """Writes the file.

    Exit 2 if nothing is found, or the person was erased. Exit 3 without a Chromium, 4 if the proof of a record does not
    hold.
    """
    if (code is None) == (file is None):
        raise UsageError("error.letter_what")
    if out.suffix not in (".pdf", ".html"):
        raise UsageError("error.letter_ending")
    fonts, lacking, count = FONTS if out.suffix == ".pdf" else None, list[str](), 1
    if file is not None:
        letters = _asking(file, packs.load(load().policy).at(int(time() * 1000)).timezone)
        html, count = asked(letters, fonts=fonts), len(letters)
    else:
        reply = _answer(load(), SearchTerm.read(code or ""))
        html, lacking = answered(reply, whole=True, fonts=fonts), list(reply.lacking)
    data = pdf(html) if out.suffix == ".pdf" else html.encode()
    with whole(out, "wb") as handle:
        handle.write(data)
    if as_json:
        show_json({"out": str(out), "letters": count, "lacking": lacking})
    else:
        click.echo(text("cli.letter_written", out=out, count=f"{count:,}"))
    if lacking:
        items = text("letter.between").join(text(f"letter.item_{name}") for name in lacking)
        note("cli.letter_lacking", items=items)


def _answer(settings: Settings, term: SearchTerm) -> Answer:
    """The answer about the piece that a term names, from the running system; its proof holds."""
    keys = keys_of(settings, None)
    with opened(settings, None, live=True, since=None, to=None) as trail:
        matches = found_pieces(trail, term, settings, keys)
    matches.demand_any(settings, text("cli.audit_running"))
    if len(matches.pieces) > 1:
        dids = ", ".join(piece[0].did for piece in matches.pieces)
        raise UsageError("error.letter_several", count=len(matches.pieces), dids=dids)
    (piece,) = matches.pieces
    if wrong := [finding for placed in piece for finding in placed.wrong]:
        tell_unproven(wrong, keys.folder)
        raise IntegrityError("error.letter_unproven")
    if erased([placed.record for placed in piece]) or _blanked(settings, piece[0].did):
        raise UsageError("error.letter_erased")
    index, now, lang = grounds([placed.record for placed in piece]), int(time() * 1000), language()
    decisive, later = piece[index], [placed.record for placed in piece[index + 1 :]]
    with Reader(settings) as reader:
        known_now = endorsement.read(reader)
    senders = known_now.of_kind("controller")
    sender = next((controller for controller in senders if controller["id"] == piece[0].record["controller"]), {})
    zone = packs.load(settings.policy).at(now).timezone
    names = known_now.names(lang)
    return answer(
        decisive.record,
        inquiry.make(decisive.did),
        sender,
        names,
        trail,
        later=later,
        lang=lang,
        zone=zone,
        today=today(now * 1000, zone),
    )


def _blanked(settings: Settings, did: str) -> bool:
    """True if this machine's console knows that the person of a decision was erased."""
    with Reader(settings) as reader, current(settings, reader, "audit") as db:
        return db is not None and record_places.whose(db, [row.did for row in record_places.piece(db, [did])])[1]


def _asking(file: Path, zone: str) -> list[AskingLetter]:
    """The letters of the records in a file; raises UsageError (2) for a line that is no such record."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error.strerror) from None
    letters = list[AskingLetter]()
    for number, line in enumerate(lines, 1):
        try:
            ask = decode("confirmations", None, line)
        except Unreadable:
            raise UsageError("error.letter_line", file=file, line=number) from None
        if not isinstance(ask, Ask):
            raise UsageError("error.letter_line", file=file, line=number)
        letters.append(asking(ask, zone))
    if not letters:
        raise UsageError("error.letter_line", file=file, line=1)
    return letters
