"""A fact and its act: what `reference` says now of a controller is found, however it was written."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest

from gatekeeper.ground.settings import Settings
from schemas.events import Controller
from schemas.record import Record
from streams.client import fact_with_act
from streams.client.reader import Reader
from tests.support import invented


class Topics:
    """Stands for what reads a broker."""

    settings = Settings()

    def __init__(self, *records: tuple[bytes | None, dict[str, Any]]) -> None:
        self._records = records

    def read(self, topic: str) -> list[Record]:
        return [
            Record(topic, 0, n, invented.T, key, orjson.dumps(value), ())
            for n, (key, value) in enumerate(self._records)
        ]


@pytest.mark.parametrize("key", [b"controller/C1", None])
def test_the_newest_record_has_no_key_then_it_is_found_and_nothing_it_says_is_lost(key: bytes | None) -> None:
    suspended = invented.controller(suspended_since="2026-11-24T10:00:00+09:00")[1]
    other = invented.controller(id="C2")[1]
    told = Topics((b"controller/C1", invented.controller()[1]), (key, suspended), (None, other), (None, {"v": 1}))
    found = fact_with_act.newest(cast("Reader", told), Controller, "C1")
    assert found is not None
    assert (found.model.suspended_since, found.record and found.record.offset) == (suspended["suspended_since"], 1)
