"""The entries of one person, as a value of lines: `kind/rest` and the entry's value.

A person's lines add almost no work for the garbage collector, and are decoded only when used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import orjson

from gatekeeper.ledger.entries import (
    ASKED,
    ENDING,
    REJUDGED,
    Clearance,
    clear_key,
    read_clearance,
    read_standing,
)
from schemas.codec import canonical
from schemas.events import Send

_TOKEN = re.compile(rb'"(t[1-9][0-9]?(?:k[1-9][0-9]*)?_[A-Za-z0-9_\-]{43})"')


class Remembered(NamedTuple):
    """Entries that bear on one send: its nearest live clearance, the asks of its person, the releases of its key.

    Asks and releases are in their redacted form, one per line. `erased`: the instant of the person's erasure,
    milliseconds.
    """

    clearance: Clearance | None = None
    asks: bytes = b""
    releases: bytes = b""
    erased: int | None = None


NOTHING_REMEMBERED = Remembered()


def bearing(send: Send, lines: bytes, *, at: int, erased: int | None) -> Remembered:
    """The entries in a person's lines that bear on this send at an instant (milliseconds)."""
    owner, asks, releases = send.recipient_id.encode(), [], []
    key = f"{send.campaign_id}/{send.channel}".encode()
    cleared, released = (b"clear/%b " % key, b"clear/%b/" % key), b"release/%b/" % key
    live: list[Clearance] = []
    for line in lines.split(b"\n"):
        if line.startswith(cleared):
            live.append(clearance_in(owner, line))
        elif line.startswith(b"ask/"):
            asks.append(_said(line))
        elif line.startswith(released):
            releases.append(_said(line))
    live = sorted((clearance for clearance in live if at < clearance.until), key=partial(_nearness, send), reverse=True)
    clearance = live[0] if live else None
    return Remembered(clearance, b"\n".join(sorted(asks)), b"\n".join(sorted(releases)), erased)


def clearance_in(owner: bytes, line: bytes) -> Clearance:
    """The clearance in a line of this person."""
    return read_clearance(key_of(owner, line), line.partition(b" ")[2])


def key_of(owner: bytes, line: bytes) -> bytes:
    """The key of the entry in a line of this person."""
    kind, rest = line.partition(b" ")[0].split(b"/", 1)
    return b"%b/%b/%b" % (kind, owner, rest)


def value_of(line: bytes) -> dict[str, Any]:
    """The decoded value of the entry in a line."""
    value: dict[str, Any] = orjson.loads(line.partition(b" ")[2])
    return value


def over(line: bytes, at: int) -> bool:
    """Tells whether the entry in a line no longer matters at an instant (milliseconds)."""
    ending = ENDING.search(line, max(0, len(line) - 40))
    return ending is not None and ending[1] != b"null" and int(ending[1]) <= at


def concerned(lines: bytes) -> bool:
    """Tells whether a person's lines hold a clearance or an ask."""
    return b"clear/" in lines or b"ask/" in lines


def tokens_in(lines: bytes) -> set[bytes]:
    """The tokens that the clearances in a person's lines name."""
    return {*_TOKEN.findall(lines)} if b"clear/" in lines else set()


def waiting_in(lines: Iterable[bytes], at: int, *, answered: bool) -> dict[str, int]:
    """The items in a person's lines that the gate may clear, as of `LedgerState.waiting`."""
    offsets = {}
    for line in lines:
        if line.startswith(b"act/") and (answered or ASKED in line or REJUDGED in line):
            name, _, value = line.partition(b" ")
            standing = read_standing(value)
            if standing.offset is not None and (answered or ASKED in line or at < (standing.rejudge or 0)):
                offsets[name[4:].decode()] = standing.offset
    return offsets


def _said(line: bytes) -> bytes:
    return canonical(value_of(line)["said"])


def _nearness(send: Send, clearance: Clearance) -> tuple[bool, bool, int, str]:
    """The rank of a clearance of the same recipient, campaign and channel: same key, then same event, then newest."""
    same = clearance.send.event_id == send.event_id
    return clearance.key == clear_key(send), same, clearance.at, clearance.did
