"""The one catalogue of every sentence a person reads, in Japanese and English.

The sentences are in `texts/*.toml`: one file per subject, one table per key, with `ja` and `en` in each.
The given values replace `{name}` in a sentence.
"""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["ja", "en"]
_ALSO = {
    "int_parsing": "int_type",
    "int_from_float": "int_type",
    "model_type": "object",
    "dict_type": "object",
    "tuple_type": "list",
    "frozen_set_type": "list",
}
"""Types of pydantic's errors that share the sentence of another."""


@cache
def catalogue() -> dict[str, dict[Language, str]]:
    """All sentences: key, then language."""
    found: dict[str, dict[Language, str]] = {}
    for entry in sorted(files("gatekeeper").joinpath("texts").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            subject = entry.name.removesuffix(".toml")
            for key, sentences in tomllib.loads(entry.read_text("utf-8")).items():
                found[f"{subject}.{key}"] = sentences
    return found


@cache
def language() -> Language:
    """The reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def text(key: str, lang: Language | None = None, /, **values: Any) -> str:
    """One sentence of the catalogue with `values` filled in; KeyError for an unknown key.

    An OSError among the values becomes a sentence in the same language. Its number gives the sentence, or its class if
    it has none.
    """
    lang = lang or language()
    said = {name: _cause(value, lang) if isinstance(value, OSError) else value for name, value in values.items()}
    return catalogue()[key][lang].format(**said)


def _cause(error: OSError, lang: Language) -> str:
    """The cause of a system error, never its subject: the surrounding sentence names that if it may."""
    number = error.errno or 0
    of_system = error.strerror == os.strerror(number)  # TLS and failed host look-ups use numbers of their own
    key = f"os.{errno.errorcode.get(number) if of_system else type(error).__name__}"
    return catalogue()[key][lang] if key in catalogue() else error.strerror or type(error).__name__


def wrong(error: Mapping[str, Any]) -> str:
    """The fault that pydantic found in one value, as the hint of a sentence; never the value."""
    kind = _ALSO.get(error["type"], error["type"])
    key = f"wrong.{kind}"
    return text(key, **error.get("ctx", {})) if key in catalogue() else text("wrong.value")


def near(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most like this one, to follow a sentence; '' if none is."""
    close = get_close_matches(name, list(known), 1)
    return text("wrong.did_you_mean", name=close[0]) if close else ""
