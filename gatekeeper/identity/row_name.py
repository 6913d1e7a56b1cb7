"""The people named in a row of a stop list, and whether surely (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gatekeeper.identity.characters import has_lost
from gatekeeper.identity.name import person_of, without_reading
from gatekeeper.identity.name_forms import ALPHABETS, DEATH, same_names, without_death_mark
from gatekeeper.identity.postal import EVERYBODY
from gatekeeper.identity.printed_names import people
from schemas.events.suppressions import Lack

_KANA = re.compile(r"[ぁ-ゖァ-ヺーゝゞヽヾ]+")
_ODD = re.compile(r"^[・/~_]|[0-9_#=×…△▲▽▼☆★]")  # marks in place of a letter of a name
_MORE = re.compile(r"家族|夫妻|夫婦|令夫人|\s奥")  # people without a name
_ANYBODY = re.compile("[ご御現]*(?:世帯主|戸主|居住者|入居者|住人|住民|担当者?|家主|お?住まいの方)(?:[ご御]?一同)?")
"""In place of a name: whoever lives there, or does the work."""
_FAMILY = re.compile(r".*(?:家|一同)")
_WHOLE = 3  # letters of one word that may be family and given name
_WORDS = 2


class RowPerson(NamedTuple):
    """A person of a row, by the names that surely are this one's. The first is that of the token.

    `forms`: the same names as lists write them. `near`: names that may be meant.
    """

    names: tuple[str, ...]
    forms: tuple[str, ...] = ()
    near: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], written: str, near: Sequence[str] = ()) -> RowPerson:
        """The person of these names. An older source, or list, may have any form of them. `written`: in one form."""
        forms = dict.fromkeys(form for name in names for form in same_names(name, written))
        return cls(tuple(dict.fromkeys(names)), tuple(forms), tuple(near))


class RowName(NamedTuple):
    """The people whom a row names. `lacks`: what the name lacks to be certain."""

    people: tuple[RowPerson, ...]
    lacks: Lack | None

    @property
    def together(self) -> RowPerson:
        """All people of the row as one, by its name as written."""
        first, *others = self.people
        names = [name for person in (first, *others) for name in person.names]
        names = [*dict.fromkeys((*first.names[-1:], *names))] if others else names
        return RowPerson(tuple(names), tuple(form for person in self.people for form in person.forms), first.near)


NOBODY_BY_NAME = RowName((RowPerson((EVERYBODY,)),), None)
"""Of a row without a name, which is everybody's at its address."""


def row_name(written: str, person: str) -> RowName:
    """The people named. `written`: the name in one form (`letters.alike`). `person`: the same, normalised."""
    if not person:
        return RowName((), None)
    if _ANYBODY.fullmatch(person):
        return RowName((RowPerson.of([person], written, [EVERYBODY]),), "names_unclear")
    plain = without_reading(written)
    alive = without_death_mark(plain)
    names = people(alive)
    spelled = [person_of(" ".join(words)) for words in names or ()]
    lacks = _lack(written, person, names) or ("names_unclear" if alive != plain or _MORE.search(written) else None)
    if alive != plain:  # the dead are surely meant, and who is named if the mark is none
        as_written = [person_of(" ".join(words)) for words in people(plain) or ()]
        return RowName((RowPerson.of([person, *_dead(plain), *as_written], written, spelled),), lacks)
    if len(spelled) < _WORDS:
        return RowName((RowPerson.of([person, person_of(alive), *spelled], written),), lacks)
    meant = [RowPerson.of([name], name) for name in spelled]
    meant[0] = meant[0]._replace(names=(*meant[0].names, person))  # as written, with all names
    return RowName(tuple(meant), lacks)


def _dead(written: str) -> Iterator[str]:
    """Yields the names that have the mark of a death."""
    for mark in DEATH.finditer(written):
        beside = written[: mark.start()] if mark.start() else written[mark.end() :]
        names = people(without_death_mark(beside)) or ((beside,),)
        if len(name := person_of(" ".join(names[-1 if mark.start() else 0]))) > 1:
            yield name


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
