"""Entries of clearances, as a worker writes them."""

from __future__ import annotations

from typing import Any

import orjson

from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from schemas.codec import parse
from schemas.topics import DAY_MS
from tests.support import invented

SRC = {"topic": "mail.sends.v1", "partition": 3, "offset": 7, "timestamp": invented.T}


def cleared(until: int = invented.T + DAY_MS, did: str = "D", **fields: Any) -> Entry:
    """Returns the entry of a cleared send with these fields."""
    sent = parse("sends", None, orjson.dumps(invented.send(**fields)))
    return entries.clearance(sent, did=did, at=invented.T, until=until, basis="S-1", released=False, src=SRC)
