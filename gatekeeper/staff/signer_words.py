"""The signer of an act in words: the person with an own key, the console for the person, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeeper.ground.texts import Language, catalogue, text


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
