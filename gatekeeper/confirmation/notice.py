"""The letter that asks a person for consent, built from facts, and the lint that it must pass (J.8.7).

Nothing in the letter is guessed. An item without a fact stays empty, the lint reports it, and no letter is sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from string import Formatter
from typing import NamedTuple, get_args

from gatekeeper.confirmation import code as codes
from gatekeeper.deciding.case import Case
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.ground.times import today
from gatekeeper.policy.methods import METHODS
from gatekeeper.policy.policy import NOTICE_ITEMS, Policy
from schemas.events import NoticeItems, Provision, Source, Template

ITEMS: Mapping[str, tuple[str, ...]] = {
    "a": ("organisation",),
    "b": ("manager", "department", "contact"),
    "c": ("purpose",),
    "d": ("provision",),
    "e": ("outsourcing",),
    "f": ("window",),
    "route": ("route",),
    "reply": ("reply", "code", "answer_by"),
}
"""Required items of the letter: J.8.7 a to f, the acquisition route (取得方法), and how and by when to answer."""
FORM = "form"
"""Required item outside the text: the registered notice that a yes agrees to; without it a yes cures nothing."""

_HOLLOW = re.compile(
    r"(個人情報(の)?(保護)?管理者|(the)?privacymanager|当社|第三者|名簿業者|未定|なし|未記入|tbd|none)"
)
"""Empty phrases, which alone do not state an item (J.8.5 b)."""
_OPTIONAL = ("named", "acquired")


class Question(NamedTuple):
    """Question of a letter: may the withheld send of `case` go out, based on `source`?

    `template`: the template of the letter. `code`: the answer code. `answer_by`: the last day to answer.
    """

    case: Case
    source: Source
    template: Template
    code: str
    answer_by: date


class Letter(NamedTuple):
    """A finished text and its missing items; a letter with missing items must not be sent."""

    text: str
    missing: tuple[str, ...]


def letter(question: Question) -> Letter:
    """The linted letter for a question."""
    values = stated(question)
    written = text("notice.letter", _language(question.case), **values).strip() + "\n"
    missing = lint(written, values, question.case.policy.notice_items)
    return Letter(written, missing if _form(question) else (*missing, FORM))


def read(written: str) -> tuple[Language, dict[str, str]] | None:
    """The language of a finished text, and its words by name as `stated` gave them; None for another wording."""
    for language in get_args(Language):
        if match := _pattern(language).fullmatch(written.strip()):
            return language, match.groupdict()
    return None


def lint(written: str, values: Mapping[str, str], items: Collection[str] = NOTICE_ITEMS) -> tuple[str, ...]:
    """The items that a finished text does not state concretely; () = the letter may be sent.

    `values`: the words that the text must contain, from `stated`. `items`: those that the country's pack asks for; how
    to answer is always one of them.
    """
    return tuple(
        item
        for item, names in ITEMS.items()
        if (item in items or item == "reply")
        and not all(_concrete(name, values[name]) and values[name] in written for name in names)
    )


def stated(question: Question) -> dict[str, str]:
    """The words of the letter by name; "" for those without a fact."""
    case, language = question.case, _language(question.case)
    controller = case.reference.controllers.get(case.send.controller_id)
    items = (controller.notice_items if controller else None) or NoticeItems()
    return {
        "organisation": (controller.name if controller else None) or "",
        "manager": items.manager or "",
        "department": items.department or "",
        "contact": items.contact or "",
        "purpose": items.purposes.get(case.send.purpose, ""),
        "provision": _provision(items.provision, language),
        "outsourcing": _outsourcing(items.outsourcing, language),
        "window": items.window or "",
        "reply": items.reply.get(case.send.channel, ""),
        "route": route(case, question.source, language),
        "channel": text(f"word.channel.{case.send.channel}", language),
        "code": codes.shown(question.code),
        "answer_by": _day(question.answer_by, language),
    }


def route(case: Case, source: Source, language: Language) -> str:
    """The acquisition route of the data in print (取得方法); "" if the facts do not state it concretely."""
    kind = "direct" if METHODS[source.method].lane == "own" else source.method
    sentence = catalogue().get(f"notice.route.{kind}")
    if sentence is None:
        return ""
    batch, notice = case.batch(source), case.notice(source.notice_id, source.acquired_at)
    values = {
        "provider": (batch.check.name if batch and batch.check else None) or _name(case, source.provided_by),
        "collector": _name(case, source.collected_by),
        "predecessor": _name(case, source.succession.predecessor if source.succession else None),
        "entruster": _name(case, source.entrustment.entruster if source.entrustment else None),
        "list": (batch.name if batch else None) or "",
        "form": (notice.name if notice else None) or text(f"word.method.{source.method}", language),
        "acquired": "",
        "named": "",
    }
    if values["list"]:
        values["named"] = text("notice.named", language, list=values["list"])
    if source.acquired_at:
        day = today(case.span(source.acquired_at).first, case.policy.timezone)
        values["acquired"] = text("notice.acquired", language, year=day.year, month=day.month)
    names = {name for _, name, _, _ in Formatter().parse(sentence[language]) if name}
    if not all(_concrete(name, values[name]) for name in names.difference(_OPTIONAL)):
        return ""
    return sentence[language].format(**values)


def last_day(case: Case) -> date:
    """The last day to answer a question asked at the case's instant by the send's channel."""
    return answer_day(case.policy, case.send.channel, case.at)


def answer_day(policy: Policy, channel: str, at: int) -> date:
    """The last day to answer a question asked by a channel at an instant in microseconds."""
    return today(at + policy.window_ms(channel) * 1000, policy.timezone)


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    """The pattern of every letter: each name's first place takes its words, and the others repeat them."""
    pattern, seen = "", set[str]()
    for literal, name, _, _ in Formatter().parse(catalogue()["notice.letter"][language].strip()):
        pattern += re.escape(literal)
        if name:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>[^\n]*?)"
            seen.add(name)
    return re.compile(pattern)


def _concrete(name: str, value: str) -> bool:
    """Tells whether words are concrete: neither blank nor an empty phrase; a contact needs a digit or an @."""
    bare = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", value)).lower()
    if not bare or _HOLLOW.fullmatch(bare):
        return False
    return name != "contact" or bool(re.search(r"[0-9]|@", unicodedata.normalize("NFKC", value)))


def _form(question: Question) -> bool:
    """Tells whether a yes would agree to a valid, complete notice of the sender that covers the purpose."""
    case, form = question.case, question.template.notice_id
    notice = case.reference.notice(form, case.at) if form else None
    return bool(
        notice
        and notice.complete
        and not notice.invalidated_at
        and notice.controller_id == case.send.controller_id
        and case.stated_by(notice, case.at)
    )


def _provision(planned: Provision | str | None, language: Language) -> str:
    if planned is None:
        return ""
    if isinstance(planned, Provision):
        parts = planned.model_dump()
        complete = all(_concrete(name, value) for name, value in parts.items())
        return text("notice.provision", language, **parts) if complete else ""
    return text("notice.provision_none", language)


def _outsourcing(planned: bool | None, language: Language) -> str:
    if planned is None:
        return ""
    return text("notice.outsourcing" if planned else "notice.outsourcing_none", language)


def _name(case: Case, party: str | None) -> str:
    controller = case.reference.controllers.get(party) if party else None
    return (controller.name if controller else None) or ""


def _day(day: date, language: Language) -> str:
    return text("notice.date", language, year=day.year, month=day.month, day=day.day)


def _language(case: Case) -> Language:
    """The language of the country's pack."""
    return case.policy.language
