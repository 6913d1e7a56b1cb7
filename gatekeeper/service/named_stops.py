"""Stops that a caller states by name and address: each becomes those of its people, or is refused (rule 8.1.37)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jiter
import orjson
from pydantic import ValidationError

from gatekeeper.identity import Tokens, rejected_stop, stated, stops_of
from schemas.events import Delivery
from schemas.events.sends import WRITTEN

DELIVERY = "delivery"


class NamedStop(NamedTuple):
    """The values that stand for a stop, one a person, and how surely they bind.

    `cause`: why nobody can be bound, a key of texts/row.toml; then the value is the record of a duty. `field`: where.
    """

    values: tuple[bytes, ...]
    row: str
    lacks: str | None
    cause: str | None = None
    field: str = ""


def named_stop(value: bytes, tokens: Tokens) -> NamedStop | None:
    """The stops of a value that has a `delivery` in place of a token; None for any other value.

    `channel` is `postal` if the value names none. A stop of a whole address has no name.
    """
    try:
        said: Any = jiter.from_json(value, allow_inf_nan=False, catch_duplicate_keys=True)
        if not isinstance(said, dict) or DELIVERY not in said or "token" in said or not said.get("suppression_id"):
            return None
        if not isinstance(said["suppression_id"], str) or not said.get("recipient_id", "-"):
            return None
        everybody = said.get("whole_address") is True
        channel, written = said.pop("channel", "postal"), said.pop(DELIVERY)
        if everybody and isinstance(written, dict):
            written = {"name": "-", **written}
        delivery = Delivery.model_validate_json(orjson.dumps(written))
        stop = stated(tokens, channel, delivery, everybody=everybody and channel in WRITTEN)
    except (ValueError, TypeError, ValidationError):
        return None  # the contract refuses it
    if stop.cause and "recipient_id" not in said:
        field = f"{DELIVERY}.name" if stop.cause == "name_missing" else f"{DELIVERY}.lines"
        field = field if channel in WRITTEN else DELIVERY
        return NamedStop((orjson.dumps(rejected_stop(said, stop.cause, stop)),), "rejected", None, stop.cause, field)
    made = stops_of(said, stop)
    return NamedStop(tuple(map(orjson.dumps, made)), made[0]["row"], made[0].get("lacks"))
