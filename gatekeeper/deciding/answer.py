"""A decision for people and programs: in codes on `review`, and with a sentence in both languages elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.rules.system import unread
from gatekeeper.ground.texts import Language, placed, text
from gatekeeper.ground.times import instant
from gatekeeper.policy.reasons import CATALOGUE, FORMER, Found
from schemas import decision as forms

LANGUAGES: tuple[Language, ...] = ("ja", "en")


def answer(decision: Decision, channel: str | None = None) -> dict[str, Any]:
    """The fields of `schemas.decision.Decision`, ready for JSON. `channel`: of the send; None if it cannot be read."""
    reasons = [_told(reason, decision.policy.cites(reason.code, channel)) for reason in decision.reasons]
    return {"v": 1, **_fields(decision, reasons)}


def coded(decision: Decision, channel: str, did: str) -> dict[str, Any]:
    """The fields of `schemas.decision.CodedDecision`, ready for JSON. `did`: the id of the decision."""
    reasons = [
        {
            "code": reason.code,
            "clause": decision.policy.cites(reason.code, channel),
            "facts": reason.facts,
            "says": dict(reason.says),
        }
        for reason in decision.reasons
    ]
    return {"v": 2, **_fields(decision, reasons), "id": did}


def rendered(header: bytes | str, place: str = "") -> forms.Decision:
    """The decision in a header `gate-decision`, with severity, remedies and sentences in both languages.

    They are those of this release. A reason unknown to it has no remedy, and its sentence says so.
    `place`: where they are read, as `texts.placed` takes it.
    Raises ValueError if the header holds no decision of this form.
    """
    decision = forms.CodedDecision.model_validate_json(header)
    reasons = [
        _told(Found(reason.code, reason.facts, reason.says), reason.clause, place) for reason in decision.reasons
    ]
    return forms.Decision(**{**dict(decision), "v": 1, "reasons": tuple(forms.Reason(**reason) for reason in reasons)})


def sentence(reason: Found, language: Language, place: str = "") -> str:
    """The reason and the next step in words, including the route, form, date or id.

    Facts that cannot be read may need several cures. Then each is told, as only the last of them frees the send.
    `place`: where it is read, as `texts.placed` takes it.
    """
    cases: list[Mapping[str, str]] = [*unread(reason.facts)] if reason.code == "FACTS_UNAVAILABLE" else []
    if reason.says not in cases[:1]:  # other reasons, and what former rules said of such facts
        cases = [reason.says]
    sentences = [_sentence(reason.code, tuple(sorted(says.items())), language, place) for says in cases]
    return ("" if language == "ja" else " ").join(sentences)


@lru_cache(maxsize=4096)
def _sentence(code: str, says: tuple[tuple[str, str], ...], language: Language, place: str) -> str:
    values = dict(says)
    case = values.pop("case", None)
    for name in ("method", "channel"):
        if name in values:
            values[name] = text(f"word.{name}.{values[name]}", language)
    if values.get("score", "").isdecimal():  # per mille in records, per cent for people
        values["score"] = f"{int(values['score']) / 10:g}"
    beside = []
    if values.pop("scope", None):
        beside.append(text("reason.no_read_wide", language))
    if (cause := values.pop("not_counted", None)) is not None:
        why = text(f"reason.yes_{cause}", language)
        beside.append(text("reason.yes_not_counted", language, yes=values.pop("yes"), why=why))
    if (nth := values.pop("name", None)) is not None:
        beside.append(text("reason.no_of_name" if nth != "0" else "reason.no_of_part", language, name=nth))
    if (speaker := values.pop("speaker", None)) is not None:
        beside.append(text(f"reason.no_of_{speaker}", language))
    if "channels" in values:
        channels = [text(f"word.channel.{channel}", language) for channel in values["channels"].split()]
        values["channels"] = ("・" if language == "ja" else ", ").join(channels)
    sentence = text(placed(f"reason.{code}_{case}" if case else f"reason.{code}", place), language, **values)
    return ("" if language == "ja" else " ").join((sentence, *beside))


def _fields(decision: Decision, reasons: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "primary": decision.primary,
        "reasons": reasons,
        "notes": decision.notes,
        "obligations": decision.obligations,
        "basis": decision.basis,
        "policy": decision.policy.ref,
        "at": instant(decision.at),
    }


def _told(reason: Found, clause: str, place: str = "") -> dict[str, Any]:
    kind = CATALOGUE.get(reason.code) or FORMER.get(reason.code)
    try:
        sentences: dict[str, str] = {lang: sentence(reason, lang, place) for lang in LANGUAGES}
    except KeyError:  # of a newer release
        kind = None
        sentences = {lang: text("explanation.reason_newer", lang, code=reason.code) for lang in LANGUAGES}
    return {
        "code": reason.code,
        "clause": clause,
        "severity": kind.severity if kind else "HARD",
        "remedy": kind.remedy if kind else (),
        "facts": reason.facts,
        **sentences,
    }
