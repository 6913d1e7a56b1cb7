"""The signer of an act in words: the person with an own key, the console for the person, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gatekeeper.engine.reconsideration import ITSELF
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.review.review_item import ActOnItem


def proof_of(doing: ActOnItem, lang: Language | None = None) -> str:
    """The signer of an act on an item in words. "" if nothing was done, and for an act of the gate itself."""
    if doing.signed is None and (doing.outcome in (None, "refused", "unreadable") or ITSELF in doing.by):
        return ""
    return signer_words(asdict(doing.signed) if doing.signed else None, lang)


def signer_words(signed: Mapping[str, Any] | None, lang: Language | None = None) -> str:
    """The signer of an act and the proof, in words. `signed`: the fields of `schemas.audit.SignedBy`; None = nobody.

    Raises LookupError for fields of another form.
    """
    if signed is None:
        return text("act.signed_none", lang)
    key = f"act.signed_{signed['method']}"
    if signed["method"] == "vouched" and f"{key}_{signed.get('signin')}" in catalogue():
        key = f"{key}_{signed['signin']}"
    return text(key, lang, by=signed["by"], name=signed["key"])
