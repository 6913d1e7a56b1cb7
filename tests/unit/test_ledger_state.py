"""A ledger's state finds its entries, removes those that no longer matter, and stops at strange ones."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import orjson
import pytest

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from gatekeeper.ledger.topic_ids import ORDER
from schemas.events import Send
from schemas.topics import DAY_MS
from tests.support import canaries, invented
from tests.support.clearances import cleared

FOREIGN = [f"{canaries.NARUMI[name]}{end}".encode() for name in ("name", "email", "phone") for end in ("", "/x/y")]
"""Keys that somebody else wrote on the ledger."""
AT = invented.T


def send(**fields: Any) -> Send:
    return Send.model_validate_json(orjson.dumps(invented.send(**fields)))


def held(*written: Entry) -> LedgerState:
    found = LedgerState()
    for entry in written:
        found.put(entry)
    return found


def test_days_over_then_what_ended_is_due_at_most_so_many_at_a_time_and_asks_stay() -> None:
    found = held(*(cleared(recipient_id=f"P-{number}") for number in range(25)), entries.ask("P-1", "Q", {}))
    assert found.expiry.due(AT, 10) == []
    swept = []
    while due := found.expiry.due(AT + 3 * DAY_MS, 10):
        assert len(due) <= 10
        for entry in due:
            found.put(entry)
        swept += due
    assert sorted(entry.key for entry in swept) == sorted(f"clear/P-{n}/K-1/postal".encode() for n in range(25))
    assert found.people == 1
    assert found.about(send(), AT).asks


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (b"later/P-1", b'{"until":null,"v":1}', "error.ledger_newer"),
        *((key, b'{"until":null,"v":1}', "error.ledger_unreadable") for key in FOREIGN),
        (b"clear/P-1/K-1/postal", b'{"until":null,"v":2}', "error.ledger_unreadable"),
        (b"clear/P-1", b'{"until":null,"v":1}', "error.ledger_unreadable"),
    ],
)
def test_entry_that_this_engine_did_not_write_then_it_stops(key: bytes, value: bytes, error: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        LedgerState().take(key, value)
    assert caught.value.key == error
    assert not canaries.found(str(caught.value).encode())


IDS = {name: str(uuid5(NAMESPACE_DNS, name)) for name in ORDER}
OTHER = str(uuid5(NAMESPACE_DNS, "made again"))


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        ({"sends": OTHER, "cleared": OTHER}, ["sends", "cleared"]),
        (dict.fromkeys(IDS, OTHER), []),
        ({"salts": None}, []),
    ],
)
def test_a_head_that_names_its_topics_then_it_tells_which_were_made_again(
    now: dict[str, str | None], gone: list[str]
) -> None:
    ids = {name: id_ for name, id_ in (IDS | now).items() if id_}
    head = Head.decode(Head(sends=3).with_topics(IDS).encode())
    assert head.made_again(ids) == gone
    assert Head.decode(Head(sends=3).encode()).made_again(ids) == [], "an earlier release named none"
