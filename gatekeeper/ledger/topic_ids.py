"""Kafka's ids of the topics as a partition's head names them: a few letters of each, one after another.

A topic that is deleted and made again has the same name and another id. Its records are gone, and offsets name others.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from uuid import UUID

from schemas.topics import FACT_TOPICS

ORDER = (
    *("sends", "sources", "consents", "suppressions", "reference", "acts"),
    *("cleared", "review", "confirmations", "recalls", "results"),
    *("audit", "manifests", "ledger", "salts", "deadletter", "asked"),
)
"""The topics by their names in the registry. A new one comes last, so that earlier heads say what they said."""
INPUTS = ("sends", "acts")
OUTPUTS = tuple(name for name in ORDER if name not in (*INPUTS, *FACT_TOPICS))
"""The topics that the worker writes."""
REPLACED = "error.input_replaced"
ABOUT: Mapping[str, tuple[str, ...]] = {
    REPLACED: INPUTS,
    "error.outputs_made_again": OUTPUTS,
    "error.facts_made_again": FACT_TOPICS,
}
"""The topics of each refusal for topics that were made again, in the order in which they are told."""
_LETTERS = 6
_UNKNOWN = "." * _LETTERS


def written(ids: Mapping[str, str], before: str = "", names: Iterable[str] = ORDER) -> str:
    """The letters of these topics. `before`: letters of which only those of `names` are replaced.

    `ids`: Kafka's ids by name. A topic without one is unknown.
    """
    known = {name: _letters(ids[name]) for name in ids.keys() & {*names}}
    return "".join(known.get(name) or _of(name, before) for name in ORDER)


def differing(letters: str, ids: Mapping[str, str]) -> list[str]:
    """The topics of `ids` that have another id than these letters say, in ORDER; unknown ones are left out."""
    known = {name: _of(name, letters) for name in ORDER if name in ids}
    return [name for name, short in known.items() if short not in (_UNKNOWN, _letters(ids[name]))]


def _of(name: str, letters: str) -> str:
    at = ORDER.index(name) * _LETTERS
    return letters[at : at + _LETTERS] or _UNKNOWN


def _letters(id_: str) -> str:
    """36 random bits of an id."""
    return urlsafe_b64encode(UUID(id_).bytes[:_LETTERS]).decode()[:_LETTERS]
