"""The people named in a row of a stop list, and whether surely (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gatekeeper.identity.characters import has_lost
from gatekeeper.identity.name import person_of, without_reading
from gatekeeper.identity.name_forms import ALPHABETS, same_names, without_death_mark
from gatekeeper.identity.postal import EVERYBODY
from gatekeeper.identity.printed_names import people
from schemas.events.suppressions import Lack

_KANA = re.compile(r"[ぁ-ゖァ-ヺーゝゞヽヾ]+")
_ODD = re.compile(r"^[・/~_]|[0-9_#=×…△▲▽▼☆★]")  # marks in place of a letter of a name
_MORE = re.compile(r"家族|夫妻|夫婦|令夫人|\s奥")  # people without a name
_FAMILY = re.compile(r".*(?:家|一同)")
_WHOLE = 3  # letters of one word that may be family and given name
_WORDS = 2


class RowName(NamedTuple):
    """The people whom a row names, each by the names that surely are this one's. The first is that of the token.

    `lacks`: what the name lacks to be certain.
    """

    people: tuple[tuple[str, ...], ...]
    lacks: Lack | None


NOBODY_BY_NAME = RowName(((EVERYBODY,),), None)
"""Of a row without a name, which is everybody's at its address."""


def row_name(written: str, person: str) -> RowName:
    """The people named. `written`: the name in one form (`letters.alike`). `person`: the same, normalised."""
    if not person:
        return RowName((), None)
    alive = without_death_mark(without_reading(written))
    names = people(alive)
    lacks = _lack(written, person, names)
    spelled = [" ".join(words) for words in names or ()]
    if len(spelled) > 1:
        meant = [_with_forms([person_of(name)], name) for name in spelled]
        meant[0] += () if lacks else (person,)  # as written, with all names
    else:
        meant = [_with_forms([person, person_of(alive), *map(person_of, () if lacks else spelled)], written)]
    return RowName(tuple(meant), lacks or ("names_unclear" if _MORE.search(written) else None))


def _with_forms(names: Sequence[str], written: str) -> tuple[str, ...]:
    """The names with the forms that surely are the same. An older source, or list, may have any of them."""
    return tuple(dict.fromkeys((*names, *same_names(min(names, key=len), written))))


def _lack(written: str, person: str, names: Sequence[tuple[str, ...]] | None) -> Lack | None:
    if has_lost(written) or _ODD.search(written):
        return "letter_unknown"
    if _KANA.fullmatch(person):
        return "name_in_kana"
    if names is None:
        return "names_unclear"
    for words in names:
        if _KANA.fullmatch("".join(words)):
            return "name_in_kana"
        if _is_short(words):
            return "name_short"
    return None


def _is_short(words: Sequence[str]) -> bool:
    """True for a family, and for one word or an initial that nobody can tell from another's."""
    if _FAMILY.fullmatch(words[-1]) or any(len(word) == 1 and word < ALPHABETS for word in words):
        return True
    return len(words) < _WORDS and (len(words[0]) < _WHOLE or min(words[0]) < ALPHABETS)
