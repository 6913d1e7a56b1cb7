"""The further names in a printed one, so that a stop of any of them binds (domain rule 8.2.44)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from gatekeeper.identity.name import person_of

MOST = 128
"""Names of one print, at most."""
_MOST_WORDS, _LONGEST = 48, 1_000
"""Words and letters of the texts in which names are read, at most."""
_HONORIFICS = "さま|サマ|殿|御中|さん|サン|ちゃん|先生"
_ALONE = rf"{_HONORIFICS}|君|行|宛|氏|と|[ご御]?(?:家族|夫妻|夫婦)(?:一同)?|[ご御]一同|令夫人|奥"
_BETWEEN = re.compile(
    rf"[・、,/;:&+|\n]|様|旧姓?(?=[:\s])|旧姓|(?<=\S\S)(?:{_HONORIFICS})(?![^\s・、,/;:&+|])|(?<!\S)(?:{_ALONE})(?!\S)"
    r"|及び|および|並びに|ならびに|(?<=[一-鿿々])と(?=[一-鿿])"
)
_JOINED = re.compile(rf"(?<=\S\S)(?:(?:{_HONORIFICS})(?=[^\W\d_])|氏|妻|ほか|他)|(?<!\S)(?:妻|ほか|他)(?=\s|[^\W\d_])")
"""A word that joins names without a space. It may also be a part of one, so both are read."""
_BRACKETS = re.compile(r"[(\[〔【「『<]([^()\[\]〔〕【】「」『』<>]*)[)\]〕】」』>]?")
_LONG = {"株": "株式会社", "有": "有限会社"}
_SHORT = re.compile(r"\((株|有)\)")
_COMPANY = re.compile(
    r"(?:株式|有限|合同|合資|合名|相互)会社|(?:[一-鿿]{2,4})?(?:社団|財団)法人|(?:npo|[一-鿿]{2,7}?)法人|[一-鿿]{0,4}協同組合"
    r"|(?<![a-z])(?:inc|ltd|llc|corp|co)(?![a-z])"
)
_WORD = re.compile(r"[^\W_]+")
_KANJI = re.compile("[一-鿿]")
_FAMILY = 3  # letters of a family name that no space sets apart, at most
_WHOLE = 4  # letters of a word that may be family and given name in one
_SHORTEST = 3  # letters of such a word before another given name; longer than most family names
_FULL = 2  # words of a family and a given name
_GLUED = range(3, 7)  # letters of a name that no space sets apart from a company


class PrintedName(NamedTuple):
    """A name, normalised. `nth`: its place among the names printed, from 1; 0 if signs set none apart.

    `likely`: it is of words that stand together.
    """

    name: str
    nth: int
    likely: bool


class _Part(NamedTuple):
    """A part between two signs that set names apart: its words. `bracketed`: it stands in brackets. `former`: 旧姓."""

    at: int
    words: tuple[str, ...]
    bracketed: bool
    former: bool = False

    @property
    def is_company(self) -> bool:
        """True if it bears the sign of a company."""
        return _COMPANY.search(self.words[0]) is not None


def printed_names(written: str, lines: Sequence[str] = ()) -> tuple[PrintedName, ...] | None:
    """The names in a written one and in further `lines`, at most MOST, the likeliest first.

    There is none if one name stands there. The result is None if too much is there.

    Texts are in one form (`letters.alike`). A name may stand in brackets, or beside a company. A lone given name takes
    the family name before it.
    """
    texts = [_SHORT.sub(lambda match: _LONG[match[1]], text) for text in (written, *lines)]
    if sum(map(len, texts)) > _LONGEST:
        return None
    names = _names(texts)
    if names is not None and (set_apart := [_JOINED.sub("、", text) for text in texts]) != texts:
        joined = _names(set_apart)
        names = None if joined is None else names + joined
    if names is None:
        return None
    read: dict[str, PrintedName] = {}
    for name in sorted(names, key=lambda name: not name.likely):
        if len(read) > MOST:
            break
        person = person_of(name.name)
        if len(person) > 1:
            read.setdefault(person, name._replace(name=person))
    read.pop(person_of(written), None)
    return tuple(read.values())[:MOST]


def _names(texts: Sequence[str]) -> list[PrintedName] | None:
    """The names in texts, of which the first is the written name; None if too much is there."""
    of_texts = [_parts(text) for text in texts]
    parts = [part for of_text in of_texts for part in of_text]
    if sum(len(part.words) for part in parts) > _MOST_WORDS:
        return None
    names = [name for nth, part in enumerate(parts, 1) for name in _alone(part, parts[: nth - 1], nth)]
    first = 1
    for text, of_text in zip(texts, of_texts, strict=True):
        names += _together(text, of_text, first)
        first += len(of_text)
    return names if len(parts) > 1 else [name._replace(nth=0) for name in names]


def people(written: str) -> tuple[tuple[str, ...], ...] | None:
    """The words of each person's name in a written one; None where nobody can tell which words are one name.

    The text is in one form (`letters.alike`). A lone given name takes the family name before it.
    """
    names: list[tuple[str, ...]] = []
    for part in _parts(_SHORT.sub(lambda match: _LONG[match[1]], written)):
        if part.bracketed or part.is_company or len(part.words) > _FULL:
            return None
        if len(part.words) == 1 and names:
            if len(names[-1]) == 1:
                return None
            names.append((names[-1][0], part.words[0]))
        else:
            names.append(part.words)
    return tuple(names) or None


def _parts(text: str) -> list[_Part]:
    """The parts of a text in the order of print; a bracket does not end the part around it."""
    outer = _BRACKETS.sub(lambda match: " " * len(match[0]), text)
    parts = [*_between(outer, 0, bracketed=False)]
    for match in _BRACKETS.finditer(text):
        inside = _between(match[1], match.start(1), bracketed=True)
        parts += (part._replace(former=match[1].lstrip().startswith("旧")) for part in inside)
    return sorted(parts)


def _between(text: str, at: int, *, bracketed: bool) -> Iterator[_Part]:
    start = 0
    for end, following in [*((cut.start(), cut.end()) for cut in _BETWEEN.finditer(text)), (len(text), 0)]:
        words: list[str] = []
        for match in _WORD.finditer(text, start, end):
            if not _COMPANY.search(match[0]):
                words.append(match[0])
                continue
            if words:
                yield _Part(at + start, tuple(words), bracketed)
            words = []
            if not _COMPANY.fullmatch(match[0]):
                yield _Part(at + match.start(), (match[0],), bracketed)
            start = match.end()
        if words:
            yield _Part(at + start, tuple(words), bracketed)
        start = following


def _alone(part: _Part, before: Sequence[_Part], nth: int) -> Iterator[PrintedName]:
    """Yields the name of a part. A lone word takes the family name before it, or the given name."""
    word = "".join(part.words)
    if not (part.former and len(word) <= _FAMILY):  # a family name alone is nobody's
        yield PrintedName(word, nth, likely=True)
    if len(part.words) > 1 or part.is_company:
        return
    for other in reversed(before):
        if other.bracketed or other.is_company:
            continue
        is_whole = len(other.words) > 1 or len(other.words[0]) > _FAMILY
        for family, given in _splits(other):
            yield PrintedName(family + word, nth, is_whole)
            if part.bracketed:
                yield PrintedName(word + given, nth, is_whole)
        if is_whole:
            return


def _splits(part: _Part) -> list[tuple[str, str]]:
    """The family and given names that a part may be."""
    first, *others = part.words
    return [(first, others[-1])] if others else _cuts(first)


def _cuts(word: str) -> list[tuple[str, str]]:
    """The family and given names that a word may be."""
    return [(word[:cut], word[cut:]) for cut in range(1, min(_FAMILY, len(word) - 1) + 1)]


def _together(text: str, parts: Sequence[_Part], first: int) -> Iterator[PrintedName]:
    """Yields the names that words of a text may be, whatever stands between them.

    `first`: the place of the first part.
    """
    likely = _COMPANY.search(text) is not None
    words = [(word, nth) for nth, part in enumerate(parts, first) for word in part.words]
    for (one, _), (other, nth) in combinations(words, 2):
        yield PrintedName(one + other, nth, likely)
        if len(one) >= _SHORTEST and _KANJI.search(one) and len(other) <= _FAMILY:  # 高橋一郎 花子
            for family, _ in _cuts(one):
                yield PrintedName(family + other, nth, likely)
    for word, nth in words:
        if len(words) > 1 and len(word) >= _WHOLE and _KANJI.search(word):
            yield PrintedName(word, nth, likely)
        for name in _beside_company(word):
            yield PrintedName(name, nth, likely)
    places = dict(words)
    for one, other in pairwise(match[0] for match in _WORD.finditer(text)):
        if _COMPANY.fullmatch(one) or _COMPANY.fullmatch(other):
            yield PrintedName(one + other, places.get(one, places.get(other, first)), likely)


def _beside_company(word: str) -> Iterator[str]:
    """Yields the names that a word may hold beside the sign of a company."""
    if (sign := _COMPANY.search(word)) is None:
        return
    head, tail = word[: sign.start()], word[sign.end() :]
    yield from filter(None, (head, tail))
    yield from (tail[-letters:] for letters in _GLUED if not head and len(tail) > letters)
    yield from (head[:letters] for letters in _GLUED if not tail and len(head) > letters)
