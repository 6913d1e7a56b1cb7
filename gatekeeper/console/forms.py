"""The forms and notices that a person was shown, as registered, with their pictures.

A picture is a file in GATEKEEPER_FORMS, named by the SHA-256 of its bytes. It is shown only if its bytes have the hash
that the registered form names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
"""Kinds of pictures, by the end of the file's name."""
MAX_BYTES = 4 << 20
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ShownForm:
    """A form that a person was shown: `known` is its registered record, None without one.

    `covers`: it states the purpose of the send in question. `picture`: the hash of its picture, None without a file.
    """

    id: str
    known: Mapping[str, Any] | None
    covers: bool
    picture: str | None


def shown(
    facts: Mapping[str, Any], notices: Collection[Mapping[str, Any]], purpose: str, folder: str
) -> Iterator[ShownForm]:
    """The forms behind the sources and consents of an audit record's facts, each once.

    `notices`: the registered ones. `purpose`: of the send. `folder`: GATEKEEPER_FORMS, '' without pictures.
    """
    records = [*facts.get("sources", ()), *facts.get("consents", ())]
    registered = {notice["id"]: notice for notice in notices}
    for id_ in dict.fromkeys(record["notice_id"] for record in records if record.get("notice_id")):
        notice = registered.get(id_)
        named = (notice or {}).get("image_sha256")
        there = named is not None and picture(folder, named) is not None
        yield ShownForm(id_, notice, purpose in notice["purposes"] if notice else False, named if there else None)


def picture(folder: str, hash_: str) -> tuple[bytes, str] | None:
    """The bytes of a picture and their media type, None if no file has both name and hash."""
    if not folder or not _HASH.fullmatch(hash_):
        return None
    for end, kind in TYPES.items():
        with suppress(OSError), Path(folder, hash_ + end).open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
            return (content, kind) if sha256(content).hexdigest() == hash_ else None
    return None
