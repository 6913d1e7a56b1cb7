"""Sentences, words, instants and spans for templates, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, get_args
from unicodedata import normalize

from markupsafe import Markup

from gatekeeper.ground import times
from gatekeeper.ground.texts import Language, catalogue, placed, text

_RAW = re.compile(
    r"<(code|pre|samp|script|style|textarea|option|title)\b.*?</\1>|<[^>]*>|(?<!\w)`([^`<]+)`(?![A-Za-z0-9])", re.DOTALL
)
_PURPOSE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_PARTY = re.compile(r"([「“]([^」”]+)[」”][^（(「“]{0,60}[（(])([\w.:-]+)(?=[）)])", re.ASCII)
"""A method of acquisition, and the id in brackets of whoever gave the data."""
_LAST = re.compile(r"\s*(?:\([^()]*\)|[^\s()]+\)?)$")
"""The last part of a citation: a paragraph, a letter, or a word."""
_UNITS = ((86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds"))


LAWS = (
    *("APPI", "PPC Q&A", "Civil Code", "Specified E-mail Act", "Specified Commercial Transactions Act"),
    *("proviso", "policy:"),
    *("double opt-in", "a frozen list", "strictest", "purposes and controllers", "nothing is cleared by an absence"),
    *("a country needs a policy in force", "a failed decision withholds", "a newer hard fact ends a release"),
    *("one piece a person, campaign and channel", "validity", "Privacy Mark rules"),
    *("sender, contact and how to stop", "a consent is proven", "only a registered template asks"),
    *("the privacy manager suspends sending",),
)
"""Laws in clauses, and the wording of our own policy's clauses, as packs and catalogue write them in English."""


def fault(code: str, lang: Language | None = None) -> str:
    """The fault of a dead letter in one sentence; the code itself if this release has no sentence for it.

    A code `failed_TypeError` names the kind of a defect of ours, for developers.
    """
    kind, _, defect = code.partition("failed_")
    key = "fault.failed" if defect and not kind else f"fault.{code}"
    return text(key, lang, defect=defect) if key in catalogue() else code


def law(clause: str, lang: Language) -> str:
    """A clause with its law named in the reader's language."""
    for name in LAWS:
        clause = clause.replace(name, text(f"word.law.{name}", lang))
    return clause


def asked(clause: str, lang: Language) -> dict[str, str]:
    """The laws and rules that a clause names, each with what it asks for; {} without any."""
    laws = {}
    for part in clause.split("; "):
        head, *more = [part] if f"clause.{part}" in catalogue() else part.split(", ")
        for name in (head, *(f"{head.rpartition(' ')[0]} {number}" for number in more)):
            while name and f"clause.{name}" not in catalogue():
                name = _LAST.sub("", name)
            if name:
                laws[law(name, lang)] = text(f"clause.{name}", lang)
    return laws


def meaning(code: str, lang: Language, minor_age: int | str | None = None) -> str:
    """The condition for a reason, in a few words; '' for a reason that the catalogue no longer has.

    `minor_age`: of the policy that decided, for a meaning that names it; None if it is not known.
    """
    of_age = f"meaning.{code}_age"
    if minor_age is not None and of_age in catalogue():
        return text(of_age, lang, age=minor_age)
    return text(f"meaning.{code}", lang) if f"meaning.{code}" in catalogue() else ""


def headline(code: str, lang: Language, minor_age: int | str | None = None) -> str:
    """The same meaning as it begins a line, with a capital; the code if there is none."""
    meant = meaning(code, lang, minor_age)
    return meant[:1].upper() + meant[1:] or code


def with_names(sentence: str, names: Mapping[str, str], facts: Iterable[str] = ()) -> str:
    """A reason's sentence with purposes, its lists and whoever gave the data by name.

    Somebody who is not registered is called by their part, as 贈り主 (the giver).
    `names`: registered names by kind/id, as purpose/code. `facts`: ids of its facts, of a list as batch/id.
    """
    for key in facts:
        if key.startswith("batch/") and key in names:
            id_, name = re.escape(key.removeprefix("batch/")), names[key].replace("\\", r"\\")
            sentence = re.sub(rf"(?<![\w.:-]){id_}(?![\w.:-])", name, sentence, flags=re.ASCII)
    sentence = _PARTY.sub(
        lambda party: party[1] + (names.get(f"controller/{party[3]}") or _givers().get(party[2], party[3])), sentence
    )
    return _PURPOSE.sub(lambda code: names.get(f"purpose/{code[0]}", code[0]), sentence)


@cache
def _givers() -> dict[str, str]:
    """Those who gave data to us, by the word for the method, in both languages."""
    givers = [key for key in catalogue() if key.startswith("word.giver.")]
    return {
        text(key.replace("giver", "method"), lang): text(key, lang) for key in givers for lang in get_args(Language)
    }


def purposes(sentence: str) -> list[str]:
    """The codes of purposes in a reason's sentence."""
    return _PURPOSE.findall(sentence)


def with_code(html: str) -> str:
    """The same page, where each name between backticks in a text is `<code>`.

    `html`: escaped text and tags. Attributes stay as they are, and so do elements that hold plain text or code.
    `<samp>` is for what people wrote, where a backtick may be a letter.
    """
    return _RAW.sub(lambda match: f"<code>{match[2]}</code>" if match[2] else match[0], html)


class Words:
    """Functions with which templates make text, in one language; `zone`: the time zone shown.

    `subject`: the catalogue file of sentences that are named without one. `minor_age`: of the policy in force, for the
    meanings that name it; None if several policies decided.
    """

    def __init__(self, lang: Language, zone: str, subject: str = "page", *, minor_age: int | None = None) -> None:
        self._lang = lang
        self._zone = zone
        self._subject = subject
        self._minor_age = minor_age

    def names(self) -> dict[str, Callable[..., Any]]:
        """The functions, by their names in templates."""
        return {
            "t": self.t,
            "word": self.word,
            "time": self.time,
            "clock": self.clock,
            "day": self.day,
            "span": self.span,
            "said": self.said,
            "meaning": self.meaning,
            "headline": self.headline,
            "law": self.law,
            "asked": self.asked,
        }

    def t(self, key: str, /, **values: Any) -> str:
        """A sentence of the catalogue, in its wording for this place if the catalogue has one.

        A value that a macro escaped is plain text again: the template escapes the whole sentence.
        """
        plain = {name: value.unescape() if isinstance(value, Markup) else value for name, value in values.items()}
        return text(placed(key, self._subject) if "." in key else f"{self._subject}.{key}", self._lang, **plain)

    def word(self, key: str) -> str:
        """A word of the domain; the key's own last part if the catalogue has no word."""
        return text(f"word.{key}", self._lang) if f"word.{key}" in catalogue() else key.partition(".")[2]

    def meaning(self, code: str) -> str:
        """The condition for a reason, as the function of that name tells it."""
        return meaning(code, self._lang, self._minor_age)

    def headline(self, code: str) -> str:
        """The condition for a reason where it begins a line."""
        return headline(code, self._lang, self._minor_age)

    def law(self, clause: str | None) -> str:
        """A clause with its law named; '' for none."""
        return law(clause, self._lang) if clause else ""

    def asked(self, clause: str) -> dict[str, str]:
        """The laws and rules of a clause, as the function of that name tells them."""
        return asked(clause, self._lang)

    def time(self, milliseconds: int | None) -> str:
        """An instant in local time, to the minute."""
        return times.local(milliseconds * 1000, self._zone)[:16].replace("T", " ") if milliseconds is not None else "-"

    def clock(self, written: str | None) -> str:
        """A written time in local time, to the minute; '' for none."""
        return times.clock(written, self._zone)

    def day(self, milliseconds: int) -> str:
        """The day of an instant in local time, with month and weekday."""
        at = datetime.fromisoformat(times.local(milliseconds * 1000, self._zone))
        month, weekday = self.t(f"page.month_{at.month}"), self.t(f"page.weekday_{at.weekday()}")
        return self.t("page.day", month=month, day=at.day, weekday=weekday)

    def span(self, milliseconds: int) -> str:
        """A duration in its largest whole unit."""
        unit, name = next((pair for pair in _UNITS if milliseconds >= pair[0]), _UNITS[-1])
        return text(f"cli.age_{name}", self._lang, count=max(0, milliseconds) // unit)

    def said(self, reason: Any, names: Mapping[str, str] | None = None) -> str:
        """The sentence of a reason or an error, in its wording for this place if the catalogue has one.

        `names`: registered names by kind/id; a purpose stands in the sentence by its name.
        """
        if hasattr(reason, "key"):
            return self.t(reason.key, **getattr(reason, "values", {}))
        return with_names(str(getattr(reason, self._lang)), names or {}, getattr(reason, "facts", ()))


def narrow(said: str) -> str:
    """The text with letters and digits in their usual width (NFKC), without spaces around it."""
    return normalize("NFKC", said).strip()
