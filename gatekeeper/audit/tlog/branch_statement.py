"""Reads a person's choice between two branches of a partition's manifests: a signed note under the log's key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gatekeeper.audit.tlog.canonical_json import MALFORMED, is_place, read_canonical, with_keys
from gatekeeper.audit.tlog.notes import Vkey, open_note

BRANCH = "gate/branch/1"
"""First line of a statement. No checkpoint begins like this, so neither can stand for the other."""
REASON = 200
"""Most characters of a reason."""
_WORDS = {
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "by": re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"),
    "at": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
    "reason": re.compile(rf".{{1,{REASON}}}"),
}


class Statement(NamedTuple):
    """A choice: the right branch of `partition` is the one with the manifest of this SHA-256 (hex).

    `choice`: the bytes that say so. `signed`: the signature of the person `by` over these bytes, None without one.
    `note`: the whole statement.
    """

    partition: int
    sha256: str
    by: str
    reason: str
    at: str
    choice: bytes
    signed: Mapping[str, Any] | None
    note: str


def statement_text(choice: bytes, signed: bytes | None) -> str:
    """The text of a statement, to be signed with the log's key: BRANCH, the choice, and the person's signature.

    `choice`, `signed`: canonical JSON; no signature if the person has no key.
    """
    return "".join(f"{line}\n" for line in (BRANCH, choice.decode(), *([signed.decode()] if signed else ())))


def statement_subject(partition: int) -> str:
    """The subject under which a person signs a choice."""
    return f"branch/{partition}"


def read_statement(note: str, keys: Iterable[Vkey], *, origin: str) -> Statement:
    """Reads a statement; raises ValueError for one of another form, of another log, or under no key of this log.

    `keys`: the log's public keys, former ones too. `origin`: the log's name.
    """
    try:
        opened = open_note(note)
        head, choice, *rest, end = opened.body.split("\n")
        fields = with_keys(read_canonical(choice.encode()), "v", "origin", "partition", *_WORDS)
        signed = read_canonical(rest[0].encode()) if rest else None
        shaped = all(shape.fullmatch(fields[name]) for name, shape in _WORDS.items()) and fields["reason"].isprintable()
        if (head, end, fields["v"], fields["origin"]) != (BRANCH, "", 1, origin) or len(rest) > 1:
            raise ValueError("another form")
        if not shaped or not is_place(fields["partition"]):
            raise ValueError("another form")
    except MALFORMED:
        raise ValueError("no statement") from None
    if not any(opened.signed(key) for key in keys if key.name == origin):
        raise ValueError("not under a key of this log")
    named = {name: fields[name] for name in ("partition", *_WORDS)}
    return Statement(**named, choice=choice.encode(), signed=signed, note=note)
