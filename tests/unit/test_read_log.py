"""A log is known again by what was read of it: the last record, and a hash over all below a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.ledger.fact_logs import Content, FactLogs, combined, vanished
from schemas.record import Record
from streams.client.read_log import NOTHING, ReadLog
from streams.client.record_hash import record_hash

RECORDS = [Record("suppressions", 0, offset, 1000 + offset, b"P-1", b"no %d" % offset) for offset in (0, 1, 4, 7)]


def read(records: Sequence[Record], *noted: int) -> ReadLog:
    log = ReadLog(0, 0)
    log.note(noted)
    for record in records:
        log.take(record)
        log.position = record.offset + 1
    return log


@pytest.mark.parametrize(
    "changed", [{"value": b"no 2"}, {"offset": 2}, {"timestamp": 1}, {"key": b"P-1no", "value": b" 1"}], ids=str
)
def test_another_record_then_its_hash_and_that_of_all_behind_it_differ(changed: dict[str, Any]) -> None:
    other = replace(RECORDS[1], **changed)
    assert record_hash(other) != record_hash(RECORDS[1])
    log = read([RECORDS[0], other, *RECORDS[2:]])
    assert log.content.hash != read(RECORDS).content.hash
    assert log.last == read(RECORDS).last, "the last record alone does not show it"


def test_positions_noted_before_then_what_is_below_them_is_known_behind_them() -> None:
    log = read(RECORDS, 0, 1, 3, 4, 5, 9)
    wanted = {0: 0, 1: 1, 3: 2, 4: 2, 5: 3}
    assert {at: log.below(at) for at in wanted} == {at: read(RECORDS[:n]).content for at, n in wanted.items()}
    assert log.below(0) == NOTHING
    assert log.below(8) == log.content
    assert log.below(2) is None, "nobody asked for it"
    assert log.below(9) is None, "it was not read that far"
    log.position = 9
    assert log.below(9) == log.content, "behind the last record there were only markers"


def test_the_row_of_a_log_then_a_restart_goes_on_as_if_it_had_not_ended() -> None:
    log = ReadLog.decode(read(RECORDS[:2]).encode())
    log.note([1, 5])
    for record in RECORDS[2:]:
        log.take(record)
    assert (log.content, log.last) == (read(RECORDS).content, read(RECORDS).last)
    assert log.below(1) is None, "that was read before"
    assert log.below(5) == read(RECORDS[:3]).content


class Logs:
    """Two partitions of one topic, as a process read them."""

    def __init__(self, *logs: ReadLog) -> None:
        self.logs = logs

    def begins(self, topic: str) -> list[int]:
        return [one.begin for one in self.logs]

    def below(self, topic: str, positions: Sequence[int]) -> list[Content] | None:
        found = [one.below(at) for one, at in zip(self.logs, positions, strict=False)]
        return None if None in found else [one for one in found if one is not None]

    def short_of(self, topic: str, positions: Sequence[int]) -> bool:
        return any(one.position < at for one, at in zip(self.logs, positions, strict=False))


def known(*logs: ReadLog) -> FactLogs:
    content = combined([one.content for one in logs])
    return {"suppressions": {"begin": [0, 0], "at": [one.position for one in logs], "hash": content}}


WAS = known(read(RECORDS), read(RECORDS[:1]))


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        ([read([*RECORDS, replace(RECORDS[0], offset=11)], 8), read(RECORDS, 1)], False),
        ([read([RECORDS[0], *RECORDS[2:]], 8), read(RECORDS[:1], 1)], True),
        ([read(RECORDS[:3], 8), read(RECORDS[:1], 1)], True),
        ([read(RECORDS, 8), read([replace(RECORDS[0], value=b"yes")], 1)], True),
        ([read(RECORDS, 8)], True),
    ],
    ids=["more", "one gone", "end gone", "other", "partition gone"],
)
def test_a_head_and_the_logs_as_they_are_then_facts_that_are_gone_are_found(now: list[ReadLog], gone: bool) -> None:
    assert vanished(WAS, Logs(*now), ended=True) == (["suppressions"] if gone else [])


def test_a_process_that_did_not_note_the_position_then_it_finds_what_bounds_show() -> None:
    assert vanished(WAS, Logs(read([*RECORDS[1:], replace(RECORDS[0], offset=11)]), read(RECORDS)), ended=True) == []
    assert vanished(WAS, Logs(read(RECORDS[:3]), read(RECORDS)), ended=False) == [], "it may only be behind"
    assert vanished(WAS, Logs(read(RECORDS[:3]), read(RECORDS)), ended=True) == ["suppressions"]
