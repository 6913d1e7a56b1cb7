"""A decision for people and programs: each reason with clause, remedy and its sentence in both languages."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gatekeeper.deciding.decide import Decision
from gatekeeper.policy.reasons import CATALOGUE, Found
from gatekeeper.texts import Language, text
from gatekeeper.times import instant


def answer(decision: Decision, channel: str | None = None, did: str | None = None) -> dict[str, Any]:
    """The fields of `schemas.audit.Decision`, ready for JSON. `channel`: of the send; None if it cannot be read."""
    found: dict[str, Any] = {
        "v": 1,
        "verdict": decision.verdict,
        "primary": decision.primary,
        "reasons": [_reason(reason, decision.policy.cites(reason.code, channel)) for reason in decision.reasons],
        "notes": decision.notes,
        "obligations": decision.obligations,
        "basis": decision.basis,
        "policy": decision.policy.ref,
        "at": instant(decision.at),
    }
    return found if did is None else {**found, "id": did}


def sentence(reason: Found, language: Language) -> str:
    """One sentence with the reason and the next step, including the route, form, date or id."""
    return _sentence(reason.code, tuple(sorted(reason.says.items())), language)


@lru_cache(maxsize=4096)
def _sentence(code: str, says: tuple[tuple[str, str], ...], language: Language) -> str:
    values = dict(says)
    case = values.pop("case", None)
    for name in ("method", "channel"):
        if name in values:
            values[name] = text(f"word.{name}.{values[name]}", language)
    if "channels" in values:
        named = [text(f"word.channel.{channel}", language) for channel in values["channels"].split()]
        values["channels"] = ("・" if language == "ja" else ", ").join(named)
    return text(f"reason.{code}_{case}" if case else f"reason.{code}", language, **values)


def _reason(reason: Found, clause: str) -> dict[str, Any]:
    kind = CATALOGUE[reason.code]
    return {
        "code": reason.code,
        "clause": clause,
        "severity": kind.severity,
        "remedy": kind.remedy,
        "facts": reason.facts,
        "ja": sentence(reason, "ja"),
        "en": sentence(reason, "en"),
    }
