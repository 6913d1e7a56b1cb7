"""Ledger entries can be read back, and hold nothing of a delivery."""

from __future__ import annotations

import orjson
import pytest

from gatekeeper.ledger import entries
from schemas.codec import parse
from tests.support import invented

SRC = {"topic": "mail.sends.v1", "partition": 3, "offset": 7, "timestamp": invented.T}


def test_clearance_of_a_send_with_a_delivery_then_none_is_kept() -> None:
    sent = parse("sends", None, orjson.dumps(invented.send(delivery={"name": "見本 花子"})))
    found = entries.clearance(
        sent, did="D", at=invented.T, until=invented.T + 1, basis="S-1", released=False, src=SRC
    ).value
    assert found is not None
    assert b"delivery" not in found
    assert "見本".encode() not in found


def test_entry_that_could_not_be_read_back_then_it_is_not_made() -> None:
    with pytest.raises(ValueError, match="sort"):
        entries.ask("P-1", "Q", {}, window=1)
