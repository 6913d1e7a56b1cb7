"""People whose name, address, e-mail and phone are nobody else's, and the search for them in whatever was written."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

import orjson

NARUMI: dict[str, Any] = {
    "name": "金糸雀 鳴海",
    "postcode": "100-0000",
    "lines": ["緑山県若葉市囀町7-8-9", "止まり木荘303"],
    "email": "narumi.kanaria@mail.example",
    "phone": "090-7777-1234",
}
HALF_WIDTH: dict[str, Any] = {
    "name": "ｶﾅﾘﾔ ﾅﾙﾐ",
    "lines": ["緑山県若葉市ｻｴｽﾞﾘ町7-8-9"],
    "phone": "０９０７７７７１２３４",
}
DECOMPOSED: dict[str, Any] = {
    "name": unicodedata.normalize("NFD", "ガナリヤ がなみ"),
    "lines": [unicodedata.normalize("NFD", "緑山県若葉市さえずり町7-8-9")],
}
COMPOSED: dict[str, Any] = {"name": "ガナリヤ がなみ", "lines": ["緑山県若葉市さえずり町7-8-9"]}
PEOPLE = (NARUMI, HALF_WIDTH, DECOMPOSED, COMPOSED)
VALUES = ("金糸雀", "鳴海", "囀町", "止まり木荘", "ｶﾅﾘﾔ", "ﾅﾙﾐ", "ｻｴｽﾞﾘ", "ガナリヤ", "がなみ", "さえずり",
          "narumi.kanaria", "090-7777-1234", "09077771234", "9077771234")  # fmt: skip
"""Parts of their data that no other text holds."""

CHANCE = 7
"""Fewer letters of base64 stand in keys and hashes by chance."""


def found(written: bytes, values: Iterable[str] = VALUES) -> list[str]:
    """Returns which values stand in what was written, in whatever form and encoding."""
    return [value for value in values if any(form in written for form in forms(value))]


@cache
def forms(value: str) -> frozenset[bytes]:
    """Returns a value as it might be written: every Unicode form; plain, escaped, URL-encoded, in hex, in base64."""
    plain = {unicodedata.normalize(form, value) for form in ("NFC", "NFD", "NFKC", "NFKD")} | {value}
    return frozenset(way for text in plain for way in _ways(text))


def _ways(text: str) -> Iterator[bytes]:
    yield orjson.dumps(text)[1:-1]
    for code in ("utf-8", "cp932", "utf-16-le", "utf-16-be"):
        try:
            data = text.encode(code)
        except UnicodeEncodeError:
            continue
        if len(data) >= 4:  # fewer bytes stand among random ones by chance, and their hex in hashes
            yield data
            yield data.hex().encode()
            yield data.hex().upper().encode()
        yield quote(data).encode()
        yield quote(data).lower().encode()
        for before in range(3):  # what stands before it moves it against the letters of base64
            whole = base64.b64encode(bytes(before) + data)
            inside = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
            if len(inside) >= CHANCE:
                yield inside
                yield inside.translate(bytes.maketrans(b"+/", b"-_"))
    escaped = ascii(text)[1:-1].replace("\\U000", "\\u")
    yield escaped.encode()
    yield escaped.upper().replace("\\U", "\\u").replace("\\X", "\\x").encode()
