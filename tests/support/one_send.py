"""One record of `sends`, and a judge for it."""

from __future__ import annotations

from typing import Any

import orjson

from gatekeeper.engine.sends import Judge
from gatekeeper.policy.packs import load
from schemas.record import Record
from tests.support import invented

SEND_JUDGE = Judge(load("jp-pmark"), 8, tokens=invented.TOKENS, subjects=invented.SUBJECTS)
CLEAR = (invented.source(), invented.consent())
"""The facts by which the invented send is clear."""


def send_record(value: bytes | None = None, key: bytes | None = b"P-1", **fields: Any) -> Record:
    """Returns a record of `sends`, by default with the invented send; `fields`: of the record."""
    given = {"topic": "mail.sends.v1", "partition": 3, "offset": 41, "timestamp": invented.T, **fields}
    return Record(key=key, value=orjson.dumps(invented.send()) if value is None else value, **given)
