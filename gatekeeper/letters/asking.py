"""The letter that asks a person for consent: its text word for word in a frame, and a QR code."""

from __future__ import annotations

from dataclasses import dataclass

import segno

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation import notice
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language
from gatekeeper.ground.texts import text as words_of
from gatekeeper.ground.times import span, today
from schemas.events import Ask

_LETTERHEAD = ("organisation", "department", "contact")
"""Words of the text that the letterhead repeats, in its order."""


@dataclass(frozen=True, slots=True)
class AskingLetter:
    """A letter that asks. `title`, `text`: as the gate wrote them. `code`: as printed. `drawn`: its QR code, as SVG.

    `day`: on which the gate asked, in words. `sender`: lines of the letterhead, from the text. None if its
    wording is another release's.
    """

    lang: Language
    day: str
    sender: tuple[str, ...]
    title: str
    text: str
    code: str
    drawn: str


def asking(ask: Ask, zone: str) -> AskingLetter:
    """The letter of a record of `confirmations`; raises UsageError (2) for one without text or answer code.

    `zone`: the time zone of its day.
    """
    if not (ask.text and ask.answer_code):
        raise UsageError("error.letter_no_text", request=ask.request_id)
    title, _, text = ask.text.strip().partition("\n")
    code = codes.shown(ask.answer_code)
    drawn = segno.make(code, micro=False, error="m").svg_inline(border=4, omitsize=True, svgclass="qr", lineclass=None)
    japanese = any("\u3040" <= char <= "\u30ff" for char in ask.text)
    lang, words = notice.read(ask.text) or ("ja" if japanese else "en", {})
    day = today(span(ask.at, zone).first, zone)
    date = words_of("letter.date_3", lang, year=day.year, month=day.month, day=day.day)
    sender = tuple(words[name] for name in _LETTERHEAD if words.get(name))
    return AskingLetter(lang, date, sender, title, text.strip(), code, drawn)
