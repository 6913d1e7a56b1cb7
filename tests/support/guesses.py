"""An attacker who holds the list of customers, and tries each of its values against each token that was written.

A token is made of letters and digits, as ids, hashes and codes are. The attacker knows our code, and so how we begin a
hash. He has no key. He makes unkeyed hashes of each value: alone, beside another value of the same person, and beside
each id that stands in the same record. He makes sends from the list as well, as a platform sends them.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations, product
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from gatekeeper.identity import normalise
from schemas.codec import canonical
from schemas.events import Delivery

LEAST = 8
"""Letters of a token that is tried."""
SURE = 5
"""Bytes of a token that nobody meets by chance; shorter ones are tried with single values alone."""
_CODE = Path(__file__).parents[2]
_TOKEN = re.compile(rb"[A-Za-z0-9+/_=-]{8,}")
_PART = re.compile(rb"[A-Za-z0-9+/]{8,}")
_ID = re.compile(rb'"((?=[^"]*[0-9])[A-Za-z0-9][A-Za-z0-9._:-]{2,39})"(?!:)')
_BEGUN = re.compile(r"""["'](gate[-/][a-z-]+(?:/[a-z]+)?(?:/[0-9])?)(?=[\\/"'{\n])""")
_BETWEEN = ("", "\0", "\n", "|", ":", "/", " ")
_WAYS: tuple[Callable[[bytes], Any], ...] = (
    *(hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.sha512, hashlib.sha3_256, hashlib.blake2b, hashlib.blake2s),
    *(lambda data, size=size: hashlib.blake2b(data, digest_size=size) for size in (6, 16, 20, 32)),
)
_USUAL = _WAYS[:3]
"""The hashes that are tried with pairs, of which there are many."""


class Person(NamedTuple):
    """A customer, as the list has them: `values` of its columns, and `documents` made of these, such as sends."""

    values: tuple[str, ...]
    documents: tuple[Mapping[str, Any], ...] = ()


class Guess(NamedTuple):
    """A token that names somebody: where it stands, and from what it was made."""

    place: str
    token: str
    made_of: str


def customer(number: str, person: Mapping[str, Any], born: str, *documents: Mapping[str, Any]) -> Person:
    """Somebody as a list of customers has them, and as the gate reads their address."""
    delivery = {name: person[name] for name in ("name", "postcode", "lines") if name in person}
    written = (person.get(name) for name in ("name", "postcode", "email", "phone"))
    read = normalise("postal", Delivery(**delivery))
    return Person((number, born, *person["lines"], *filter(None, written), read), documents)


@cache
def begun() -> tuple[str, ...]:
    """The words with which our code begins a hash, found in the code itself."""
    files = [file for room in ("gatekeeper", "streams", "schemas") for file in (_CODE / room).rglob("*.py")]
    found = {word for file in files for word in _BEGUN.findall(file.read_text("utf-8"))}
    assert {"gate/did/1", "gate/recall/1", "gate/webhook/1"} <= found, "the search finds them"
    return ("gate/why/1", *sorted(word for word in found if "/" in word))


def guessed(
    written: Mapping[str, Iterable[bytes]],
    people: Collection[Person],
    *,
    known: Collection[str] = (),
    beside: Iterable[bytes] | None = None,
) -> list[Guess]:
    """The tokens that name somebody. `written`: by place its records, each with all that stands in it.

    `known`: words that an attacker knows or guesses at once, such as the ids of callers. `beside`: the records whose
    ids are hashed beside values; by default all.
    """
    tokens, ids = defaultdict[bytes, dict[bytes, tuple[str, str]]](dict), set[str]()
    for place, records in written.items():
        for record in records:
            for token, data in _tokens(record):
                tokens[data[:4]].setdefault(data, (place, token))
            if beside is None:
                ids.update(_ids(record))
    for record in beside or ():
        ids.update(_ids(record))
    found = dict[str, Guess]()
    for made_of, text, ways in _made(people, known, ids):
        single, content = ways is _WAYS, text.encode("utf-8", "surrogatepass")
        for way in ways:
            digest: bytes = way(content).digest()
            for data, (place, token) in tokens.get(digest[:4], {}).items():
                if digest.startswith(data) and (single or len(data) >= SURE):
                    found.setdefault(token, Guess(place, token, made_of))
        for check in (zlib.crc32(content), zlib.adler32(content)) if single else ():
            for place, token in tokens.get(check.to_bytes(4), {}).values():
                found.setdefault(token, Guess(place, token, made_of))
    return sorted(found.values())


def _ids(record: bytes) -> Iterator[str]:
    return (word.decode() for word in _ID.findall(record))


def _tokens(record: bytes) -> Iterator[tuple[str, bytes]]:
    """The tokens of a record, and the bytes that each stands for in every alphabet that may be meant."""
    for word in {*_TOKEN.findall(record), *_PART.findall(record)}:
        text = word.decode().rstrip("=")
        for part in {text, re.sub(r"^[a-z0-9]{1,8}[_-]", "", text)}:
            for decoded in _DECODED:
                try:
                    data = decoded(part)
                except ValueError:
                    continue
                if len(data) >= 4:
                    yield part, data
            if part.isdecimal() and LEAST <= len(part) <= 10 and int(part) < 2**32:
                yield part, int(part).to_bytes(4)


_DECODED: tuple[Callable[[str], bytes], ...] = (
    lambda text: bytes.fromhex(text[: len(text) & -2]),
    lambda text: base64.b64decode(text[: len(text) & -4], altchars=b"-_", validate=True),
    lambda text: base64.b64decode(text[: len(text) & -4], validate=True),
    lambda text: base64.b32decode(text[: len(text) & -8], casefold=True),
)
"""Each stops before a letter that stands for no whole byte."""


def _made(
    people: Collection[Person], known: Collection[str], ids: Collection[str]
) -> Iterator[tuple[str, str, Sequence[Callable[[bytes], Any]]]]:
    """Yields each text that is hashed, before it a name of it, and behind it the hashes to try."""
    for person in people:
        texts = [*person.values, *(text for one in person.documents for text in _written(one))]
        for text in texts:
            yield text, text, _WAYS
            for word, between in product(begun(), ("\0", "\n", "/")):
                yield f"{word} {text}", f"{word}{between}{text}", _USUAL
            for count, between in product((1, 2), _BETWEEN):
                for words in permutations(known, count):
                    yield f"{words} {text}", between.join((*words, text)), _USUAL
        for (one, other), between in product(permutations(person.values, 2), _BETWEEN):
            yield f"{one} {other}", f"{one}{between}{other}", _USUAL
        for id_, value in product(ids, person.values):
            for between in ("", "\0", "|", ":"):
                yield f"{id_} {value}", f"{id_}{between}{value}", _USUAL[:1]
                yield f"{value} {id_}", f"{value}{between}{id_}", _USUAL[:1]
            for word in begun():
                yield f"{word} {id_} {value}", f"{word}\0{id_}\0{value}", _USUAL[:1]


def _written(document: Mapping[str, Any]) -> Iterator[str]:
    """A document as JSON, as programs usually write it."""
    for ordered, ascii_, short in product((True, False), repeat=3):
        separators = (",", ":") if short else None
        yield dumps(document, sort_keys=ordered, ensure_ascii=ascii_, separators=separators)
    yield canonical(dict(document)).decode()
