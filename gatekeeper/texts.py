"""The one catalogue of every sentence a person reads, in Japanese and English.

The sentences stand in `texts/*.toml`, one file a subject, one table a key, `ja` and `en` in each;
`{name}` in a sentence is filled in from the values given.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["ja", "en"]


@cache
def catalogue() -> dict[str, dict[Language, str]]:
    """Returns all sentences: key, then language."""
    found: dict[str, dict[Language, str]] = {}
    for entry in sorted(files("gatekeeper").joinpath("texts").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            subject = entry.name.removesuffix(".toml")
            for key, sentences in tomllib.loads(entry.read_text("utf-8")).items():
                found[f"{subject}.{key}"] = sentences
    return found


@cache
def language() -> Language:
    """Returns the reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def text(key: str, lang: Language | None = None, /, **values: Any) -> str:
    """Returns one sentence of the catalogue with `values` filled in; KeyError for a key that is not in it."""
    return catalogue()[key][lang or language()].format(**values)
