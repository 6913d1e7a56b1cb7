"""The one catalogue of every sentence a person reads, in Japanese and English.

The sentences are in `texts/*.toml`: one file per subject, one table per key, with `ja` and `en` in each.
The given values replace `{name}` in a sentence.
"""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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


class Catalogue(Mapping[str, Mapping[Language, str]]):
    """All sentences: key, then language. A subject's file is read at the first look for one of its keys."""

    def __init__(self) -> None:
        entries = sorted(files("gatekeeper.ground").joinpath("texts").iterdir(), key=lambda entry: entry.name)
        self._unread = {e.name.removesuffix(".toml"): e for e in entries if e.name.endswith(".toml")}
        self._read: dict[str, Mapping[Language, str]] = {}

    def __getitem__(self, key: str) -> Mapping[Language, str]:
        if key not in self._read:
            self._take(key.partition(".")[0])
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        for subject in tuple(self._unread):
            self._take(subject)
        return iter(self._read)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _take(self, subject: str) -> None:
        if subject in self._unread:
            table = tomllib.loads(self._unread[subject].read_text("utf-8"))
            self._read.update((f"{subject}.{key}", sentences) for key, sentences in table.items())
            self._unread.pop(subject, None)  # last, for other threads


@cache
def catalogue() -> Catalogue:
    """The one catalogue."""
    return Catalogue()


@cache
def language() -> Language:
    """The reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    setting = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if setting.lower().startswith("ja") else "en"


def text(key: str, lang: Language | None = None, /, **values: Any) -> str:
    """One sentence of the catalogue with `values` filled in; KeyError for an unknown key.

    An OSError among the values becomes a sentence in the same language. Its number gives the sentence, or its class if
    it has none.
    """
    lang = lang or language()
    filled = {name: _cause(value, lang) if isinstance(value, OSError) else value for name, value in values.items()}
    return catalogue()[key][lang].format(**filled)


def placed(key: str, place: str) -> str:
    """The key of a sentence in its own wording for a place, such as `page`; else the key itself.

    The wording of `act.remedy_F` for `page` is `page.act_remedy_F`.
    """
    here = f"{place}.{key.replace('.', '_')}"
    return here if here in catalogue() else key


def _cause(error: OSError, lang: Language) -> str:
    """The cause of a system error, never its subject: the surrounding sentence names that if it may."""
    number = error.errno or 0
    of_system = error.strerror == os.strerror(number)  # TLS and failed host look-ups use numbers of their own
    key = f"os.{errno.errorcode.get(number) if of_system else type(error).__name__}"
    return catalogue()[key][lang] if key in catalogue() else error.strerror or type(error).__name__


def wrong(error: Mapping[str, Any], lang: Language | None = None) -> str:
    """The fault that pydantic found in one value, as the hint of a sentence; never the value."""
    kind = _ALSO.get(error["type"], error["type"])
    key = f"wrong.{kind}"
    return text(key, lang, **error.get("ctx", {})) if key in catalogue() else text("wrong.value", lang)


def near(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most like this one, to follow a sentence; '' if none is."""
    close = get_close_matches(name, list(known), 1)
    return text("wrong.did_you_mean", name=close[0]) if close else ""
