"""The letter that asks a person for consent: its text word for word, and its answer code as QR code."""

from __future__ import annotations

from dataclasses import dataclass

import segno

from gatekeeper.confirmation import code as codes
from gatekeeper.errors import UsageError
from gatekeeper.texts import Language
from schemas.events import Ask


@dataclass(frozen=True, slots=True)
class AskingLetter:
    """A letter that asks. `title`, `text`: as the gate wrote them. `code`: as printed. `drawn`: its QR code, as SVG."""

    lang: Language
    title: str
    text: str
    code: str
    drawn: str


def asking(ask: Ask) -> AskingLetter:
    """The letter of a record of `confirmations`; raises UsageError (2) for one without text or answer code."""
    if not (ask.text and ask.answer_code):
        raise UsageError("error.letter_no_text", request=ask.request_id)
    title, _, text = ask.text.strip().partition("\n")
    code = codes.shown(ask.answer_code)
    drawn = segno.make(code, micro=False, error="m").svg_inline(border=4, omitsize=True, svgclass="qr", lineclass=None)
    japanese = any("\u3040" <= char <= "\u30ff" for char in ask.text)
    return AskingLetter("ja" if japanese else "en", title, text.strip(), code, drawn)
