"""The stops that a row or a caller states by name and address: one event a person (domain rule 8.1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jiter

from gatekeeper.identity.stop_row import Bound, Unbound, stop_row
from gatekeeper.identity.token import SURE, Tokens
from schemas.events import Delivery
from schemas.events.sends import WRITTEN
from schemas.events.suppressions import Lack
from schemas.values import Channel

Cause = Unbound | str


MARKS = ("row", "lacks")
"""The fields of a stop that say how surely it binds. Only the door that reads name and address sets them."""
_MAY_MARK = (b'"row"', b'"lacks"', b"\\u")


class Stated(NamedTuple):
    """The people whom a name and address bind. `lacks`: of a wide row. `cause`: why the row is not right, else None."""

    bound: tuple[Bound, ...]
    lacks: Lack | None = None
    cause: str | None = None


def stated(tokens: Tokens, channel: Channel, delivery: Delivery, *, everybody: bool) -> Stated:
    """The people whom a contact value binds. `everybody`: it has no name, and stops its whole address."""
    if channel in WRITTEN:
        row = stop_row(tokens, delivery, everybody=everybody)
        return Stated(row.bound, row.lacks, row.cause)
    identified = tokens.of(channel, delivery)
    if identified is None:
        return Stated((), cause="contact_unreadable")
    return Stated((Bound(identified.token, tuple((token, SURE) for token in identified.same)),))


def given_mark(value: bytes) -> str | None:
    """The mark that a value from outside bears, for which it is refused; None without one."""
    if not any(sign in value for sign in _MAY_MARK):
        return None
    try:
        said: Any = jiter.from_json(value, allow_inf_nan=False)
    except ValueError:
        return None  # the contract refuses it
    return next((mark for mark in MARKS if mark in said), None) if isinstance(said, dict) else None


def stops_of(event: Mapping[str, Any], said: Stated) -> list[dict[str, Any]]:
    """The stops of an event, with a further number behind the id of each but the first.

    A person's own id is bound first. It is bound alone where the address cannot be read.
    """
    base = {name: value for name, value in event.items() if name not in ("recipient_id", "token", "readings")}
    row = (
        {"row": "certain"}
        if said.bound and said.lacks is None and said.cause is None
        else {"row": "wide", "lacks": said.cause or said.lacks}
    )
    return [
        {**base, **whom, **row, "suppression_id": base["suppression_id"] + (f".{number}" if number > 1 else "")}
        for number, whom in enumerate(_whom(event, said), start=1)
    ]


def rejected_stop(event: Mapping[str, Any], cause: str, said: Stated | None = None) -> dict[str, Any]:
    """The record of a row that is not right, which somebody has to mend. It binds as written, if that can be read."""
    lacks = cause if cause in _NAMED else "unreadable"
    if said and said.bound:
        return {**stops_of(event, said)[0], "row": "rejected", "lacks": lacks}
    kept = ("v", "kind", "suppression_id", "received_at", "scope", "recorded_at", "register_id")
    return {"v": 1, **{name: event[name] for name in kept if name in event}, "row": "rejected", "lacks": lacks}


_NAMED = ("name_missing", "place_unknown", "number_missing")


def _whom(event: Mapping[str, Any], said: Stated) -> Iterator[dict[str, Any]]:
    if "recipient_id" in event:
        yield {"recipient_id": event["recipient_id"]}
    for bound in said.bound:
        readings = [{"token": token, "score": score} for token, score in bound.readings]
        yield {"token": bound.token, **({"readings": readings} if readings else {})}
