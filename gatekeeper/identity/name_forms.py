"""Further names under which a stop of the same person may stand, as lists write them (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatekeeper.identity.name import person_of

SAME, NEAR = 1000, 800
"""The score of a name with another honorific, and of a part of the name. A person should look at the latter."""
_HONORIFICS = ("さん", "サン", "先生", "ちゃん")
_BEHIND_SPACE = ("君", "行", "宛")
"""Honorifics that also end names, such as 隆行. They are dropped behind a space alone."""
_FAMILY = ("家", "御一同", "家御一同")
_SPACED = re.compile(rf"\s+(?:{'|'.join(_BEHIND_SPACE)})\s*$")
_SURNAME = 3  # letters of a surname, at most
_LONGEST = 16  # letters of a name of which one may be missing; a longer one is no person's


def name_forms(person: str, written: str) -> dict[str, int]:
    """The further normalised names to look a person up by, each with its score, surest first.

    `person`: the normalised name. `written`: the name in one form (`letters.alike`), with its spaces.
    """
    names = [person, *_bare(person, written)]
    forms = dict.fromkeys(names[1:], SAME)
    forms.update({f"{name}{honorific}": SAME for name in names for honorific in _HONORIFICS})
    for name in names:
        for part in _parts(name):
            forms.setdefault(part, NEAR)
    forms.pop(person, None)
    return forms


def _bare(person: str, written: str) -> Iterator[str]:
    """Yields the name without an honorific that normalising leaves in it."""
    for honorific in _HONORIFICS:
        if person.endswith(honorific) and len(person) > len(honorific) + 1:
            yield person.removesuffix(honorific)
    if (behind := _SPACED.search(written)) and (bare := person_of(written[: behind.start()])):
        yield bare


def _parts(name: str) -> Iterator[str]:
    """Yields the name less one letter, its possible surnames alone and as families, and the name with an honorific."""
    if len(name) <= _LONGEST:
        yield from (name[:at] + name[at + 1 :] for at in range(len(name)) if len(name) > 1)
    for surname in (name[:letters] for letters in range(1, min(_SURNAME, len(name)) + 1)):
        yield surname
        yield from (f"{surname}{family}" for family in _FAMILY)
    yield from (f"{name}{honorific}" for honorific in _BEHIND_SPACE)
