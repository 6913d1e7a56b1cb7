"""Further names under which a stop of the same person may stand, as lists write them (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from gatekeeper.identity.name import person_of

SAME, NEAR = 1000, 800
"""The score of a name with another honorific, and of a part of the name. A person should look at the latter."""
_HONORIFICS = ("さん", "サン", "先生", "ちゃん")
_BEHIND_SPACE = ("君", "行", "宛")
"""Honorifics that also end names, such as 隆行. They are dropped behind a space alone."""
_FAMILY = ("家", "御一同", "家御一同")
_SPACED = re.compile(rf"\s+(?:{'|'.join(_BEHIND_SPACE)})\s*$")
_DEATH_MARKS = ("故", "亡")
DEATH = re.compile(
    r"^[(\[〔【]?(?:故人?|亡)[)\]〕】]?[\s・:]*(?=\S)|[(\[〔【]\s*(?:故人?|亡|逝去|死亡)\s*[)\]〕】]|\s+故人\s*$"
)
"""A mark of a death. At its start it is of the name behind it, and else of the name before."""
ALPHABETS = "\u1100"
"""Before it are the letters of which several make a syllable, as the Latin ones."""
_WORD = re.compile(r"[^\W\d_]+")
_SURNAME = 3  # letters of a surname, at most
_LONGEST = 16  # letters of a name of which one may be missing; a longer one is no person's


def name_forms(person: str, written: str) -> dict[str, int]:
    """The further normalised names to look a person up by, each with its score, surest first.

    `person`: the normalised name. `written`: the name in one form (`letters.alike`), with its spaces.
    """
    forms = dict.fromkeys(same_names(person, written), SAME)
    for name in (person, *_bare(person, written)):
        for part in _parts(name):
            forms.setdefault(part, NEAR)
    for part in _spelled_parts(written):
        forms.setdefault(part, NEAR)
    forms.pop(person, None)
    return forms


def same_names(person: str, written: str) -> tuple[str, ...]:
    """The further names that surely are the same person's: other honorifics, and the mark of a death."""
    names = (person, *_bare(person, written))  # each of them: a name, too, may end in 行 or さん, or begin with 故
    forms = [f"{name}{honorific}" for name in names for honorific in _HONORIFICS]
    forms += [f"{mark}{name}" for name in names for mark in _DEATH_MARKS]
    return tuple(dict.fromkeys((*names[1:], *forms)))


def without_death_mark(written: str) -> str:
    """A name in one form with a sign between names in place of each mark of a death. A mark alone stays."""
    parts = _beside_marks(written) if DEATH.search(written) else []
    return "・".join(parts) or written


def _beside_marks(written: str) -> list[str]:
    """The parts of a name before, between and behind the marks of a death."""
    return [part.strip(" ・") for part in DEATH.split(written) if part.strip(" ・")]


def _bare(person: str, written: str) -> Iterator[str]:
    """Yields the name without an honorific or the mark of a death; normalising leaves both in it."""
    for honorific in _HONORIFICS:
        if person.endswith(honorific) and len(person) > len(honorific) + 1:
            yield person.removesuffix(honorific)
    if (behind := _SPACED.search(written)) and (bare := person_of(written[: behind.start()])):
        yield bare
    for parts in map(_beside_marks, (written, person)):
        if len(parts) == 1 and (alive := person_of(parts[0])) != person and len(alive) > 1:
            yield alive


def _parts(name: str) -> Iterator[str]:
    """Yields the name less one letter, its possible surnames alone and as families, and the name with an honorific."""
    if len(name) <= _LONGEST:
        yield from (name[:at] + name[at + 1 :] for at in range(len(name)) if len(name) > 1)
    for surname in (name[:letters] for letters in range(1, min(_SURNAME, len(name)) + 1)):
        yield surname
        yield from (f"{surname}{family}" for family in _FAMILY)
    yield from (f"{name}{honorific}" for honorific in _BEHIND_SPACE)


def _spelled_parts(written: str) -> Iterator[str]:
    """Yields each word of a name in Latin letters, and each with the initial of another, as lists shorten it."""
    words = _WORD.findall(written)
    if len(words) > 1 and max(map(max, words)) < ALPHABETS:
        yield from words
        for one, other in permutations((words[0], words[-1])):
            yield from (f"{one[0]}{other}", f"{one}{other[0]}")
