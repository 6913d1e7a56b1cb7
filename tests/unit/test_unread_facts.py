"""Facts that could not be read: a dead letter may hold their values, the worker's disk may not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.worker.unread_facts import UnreadFacts

PLACE = ("consents", 0, 7)
RECORD: Any = SimpleNamespace(key=b"P-1", value='{"name":"見本 花子","lines":["見本県見本市1-2-3"]}'.encode())


def test_a_restart_then_the_fact_is_known_by_its_digest_and_its_value_is_not_kept() -> None:
    journal: dict[str, bytes] = {}
    found = UnreadFacts(journal)
    found.add(PLACE, RECORD, None, "field_unknown at name", needed=1)
    assert found[PLACE].value == RECORD.value
    again = UnreadFacts(journal)[PLACE]
    assert (again.fault, again.key, again.size) == ("field_unknown at name", b"P-1", len(RECORD.value))
    assert (again.sha256, again.value) == (found[PLACE].sha256, None)
    assert "花子".encode() not in b"".join(row for _, row in journal.items())
