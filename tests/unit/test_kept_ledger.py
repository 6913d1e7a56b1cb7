"""The copy of a ledger on the disk: what it is used for, and what it is never used for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.ground.errors import RestartError
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry, ItemState
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from schemas.events import Send
from streams.worker import kept_ledger
from streams.worker.kept_ledger import FORMAT, TABLES, CopyPosition, KeptLedger, KeptLedgers, Misfit
from streams.worker.ledger import Ledger
from tests.support import invented
from tests.support.clearances import cleared

AT = invented.T
HOUR_MS = 3_600_000
OPEN = ItemState("open", "", "", offset=7, rejudge=AT + HOUR_MS)
ASKED = ItemState("asked", "a-1", "hanako", "D-2", offset=5)
LATER = AT + HOUR_MS


def send(**fields: Any) -> Send:
    return Send.model_validate_json(orjson.dumps(invented.send(**fields)))


EVERY_KIND = [
    cleared(),
    cleared(recipient_id="P-2", did="D2"),
    entries.ask("P-3", "Q-1", {"request_id": "Q-1"}),
    entries.release(send(), "D-1", {"decision_id": "D-1"}, until=LATER),
    entries.act("P-1", "D-9", OPEN, until=LATER),
    entries.act("P-4", "D-8", ASKED, until=LATER),
    entries.act("P-5", "D-7", ItemState("open", "", "", offset=3, rejudge=LATER), until=LATER),
    entries.erased("P-6", AT),
    entries.cancelled("K-1", None, AT, until=LATER),
    entries.seen("a-7", LATER),
]


def ledgers(home: Path, keep_ms: int = 12 * HOUR_MS) -> KeptLedgers:
    return KeptLedgers(home, identity=b"one", key=invented.KEY, keep_ms=keep_ms)


@contextmanager
def opened(home: Path, **more: Any) -> Iterator[KeptLedger]:
    copy = ledgers(home, **more).of_partition(3, {})
    asyncio.run(copy.open())
    try:
        yield copy
    finally:
        asyncio.run(copy.close())


def committed(copy: KeptLedger, head: Head, *, ledger: int = 100, manifest: int = 50, now: float = 0.0) -> None:
    """Acknowledges what was put in so far, as a transaction with this head."""

    async def work() -> None:
        cut = copy.cut(now)
        assert cut is not None
        copy.write(cut, CopyPosition(head, ledger, manifest))
        await copy._writing  # type: ignore[misc]

    asyncio.run(work())


def written(home: Path, *what: Entry, dead: bytes = b"dead/consents/0/7") -> Path:
    """Commits these entries and a dead letter, and returns the file that has them."""
    with opened(home) as copy:
        kept = Ledger(copy.tables)
        for entry in what:
            kept.state.put(entry)
        kept.apply(dead, b"{}")
        committed(copy, Head(sends=9, prev="00", at=AT))
    return home / "3" / "0" / "data.mdb"


def told(state: LedgerState) -> Any:
    """Returns the knowledge of a state, as those who ask it see it."""
    people = [f"P-{number}" for number in range(1, 7)]
    return (
        [state.about(send(recipient_id=name), AT) for name in people],
        [state.waiting(name, AT, answered=False) for name in people],
        [state.requests(name) for name in people],
        (sorted(filter(None, state.names())), state.asked, state.people, state.marks.seen("a-7")),
        state.marks.cancelled_at("K-1", "postal"),
        sorted(state.of_campaign("K-1")),
    )


def test_an_end_during_a_write_then_the_copy_goes_up_to_the_last_transaction(tmp_path: Path) -> None:
    first, last = (CopyPosition(Head(sends=sends, prev="00", at=AT), 100, sends) for sends in (9, 19))

    async def work() -> None:
        copy = ledgers(tmp_path).of_partition(3, {})
        await copy.open()
        state = Ledger(copy.tables).state
        state.put(EVERY_KIND[0])
        cut = copy.cut(0.0)
        assert cut is not None
        copy.write(cut, first)
        state.put(EVERY_KIND[1])
        copy.finish(last)
        await copy.close()

    asyncio.run(work())
    with opened(tmp_path) as copy:
        assert copy.demand_copied() == last
        assert sorted(LedgerState(copy.tables).names()) == ["P-1", "P-2"]


def test_every_kind_of_entry_then_a_restart_knows_it_and_the_items_in_their_order(tmp_path: Path) -> None:
    right = LedgerState()
    for entry in EVERY_KIND:
        right.put(entry)
    written(tmp_path, *EVERY_KIND)
    with opened(tmp_path) as copy:
        assert copy.demand_copied() == CopyPosition(Head(sends=9, prev="00", at=AT), 100, 50)
        asyncio.run(copy.demand_whole())
        kept = Ledger(copy.tables)
        assert kept.dead == {b"dead/consents/0/7"}
        assert told(kept.state) == told(right)
        assert list(kept.state.rejudged()) == ["P-5", "P-1"]
        for entry in EVERY_KIND:
            kept.state.put(Entry(entry.key, None))
        assert told(kept.state) == told(LedgerState())


def test_the_form_of_the_tables_then_it_is_that_of_the_format(tmp_path: Path) -> None:
    with opened(tmp_path) as copy:
        kept = Ledger(copy.tables)
        for entry in EVERY_KIND:
            kept.state.put(entry)
        kept.apply(b"dead/consents/0/7", b"{}")
        rows = sorted((name, *row) for name in TABLES for row in copy.tables.table(name).items())
    said = repr((rows, CopyPosition(Head(sends=9, prev="00", at=AT), 100, 50).encode()))
    digest = sha256(said.encode()).hexdigest()[:16]
    assert (FORMAT, digest) == (2, "88fb372cfbad00bd"), (
        "raise streams.worker.kept_ledger.FORMAT, as stored tables no longer fit"
    )


def test_a_flipped_byte_of_a_value_then_it_ends_the_turn_and_the_next_one_reads_anew(tmp_path: Path) -> None:
    file = written(tmp_path, cleared(recipient_id="P-1", did="WRONG"), cleared(recipient_id="P-2", did="RIGHT"))
    file.write_bytes(file.read_bytes().replace(b"WRONG", b"WRONH"))
    with opened(tmp_path) as copy:
        state = LedgerState(copy.tables)
        assert state.about(send(recipient_id="P-2"), AT).clearance is not None
        copy.demand_sound()
        assert state.about(send(recipient_id="P-1"), AT).clearance is None
        with pytest.raises(RestartError):
            copy.demand_sound()
        assert state.concerns("P-1"), "somebody must look at whom this may concern"
    with opened(tmp_path) as copy, pytest.raises(Misfit, match="incomplete"):
        copy.demand_copied()


@pytest.mark.parametrize("damaged", [b"P-050x", b"P-0400"], ids=["renamed", "doubled"])
def test_a_damaged_name_then_the_copy_is_not_used_as_the_entry_would_be_missing(tmp_path: Path, damaged: bytes) -> None:
    file = written(tmp_path, *(entries.ask(f"P-{n:04}", "Q", {}) for n in range(1000)))
    with opened(tmp_path) as copy:
        asyncio.run(copy.demand_whole())
    file.write_bytes(file.read_bytes().replace(b"P-0500", damaged))
    with opened(tmp_path) as copy, pytest.raises(Misfit, match="names"):
        asyncio.run(copy.demand_whole())


def test_a_copy_found_young_by_a_clock_that_was_wrong_then_the_next_turn_reads_anew(tmp_path: Path) -> None:
    written(tmp_path, cleared())
    with opened(tmp_path) as copy:
        copy.heed_broker(AT + 60 * 24 * HOUR_MS)  # nothing rests on its age
        copy.demand_young(AT, AT + HOUR_MS)
        copy.heed_broker(AT + 11 * HOUR_MS)
        copy.demand_young(AT, AT + HOUR_MS)  # by a clock that stood two months back, and was set right meanwhile
        with pytest.raises(RestartError):
            copy.heed_broker(AT + 60 * 24 * HOUR_MS)
    with opened(tmp_path) as copy:
        assert LedgerState(copy.tables).people == 0


def test_a_copy_in_the_folder_of_another_partition_then_it_is_not_used(tmp_path: Path) -> None:
    written(tmp_path, cleared())
    (tmp_path / "3").rename(tmp_path / "4")
    copy = ledgers(tmp_path).of_partition(4, {})
    asyncio.run(copy.open())
    assert LedgerState(copy.tables).people == 0
    asyncio.run(copy.close())


POSITION = CopyPosition(Head(sends=9, prev="00", at=invented.T), 100, 50)
HOLDER = """
import sys, lmdb
with lmdb.open(sys.argv[1], map_size=1 << 38, max_dbs=32).begin(write=True):
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds the lock of whoever writes to the file, so that all others wait."""


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Lets all writes to the file in a folder hang."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.kill()


def test_a_write_that_hangs_then_the_turn_ends_and_the_next_copy_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_ledger, "CLOSE_SECONDS", 0.2)

    async def work() -> None:
        copy, beside, again = (ledgers(tmp_path).of_partition(3, {}) for _ in range(3))
        await copy.open()
        LedgerState(copy.tables).put(cleared())
        cut = copy.cut(0.0)
        assert cut is not None
        with hanging(copy.tables.folder):
            copy.write(cut, POSITION)
            await copy.close()
            await beside.open()
            assert beside.tables.folder != copy.tables.folder
            with pytest.raises(Misfit, match="incomplete"):
                beside.demand_copied()
            await beside.close()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=20)
        await again.open()
        assert again.tables.folder == copy.tables.folder
        assert again.demand_copied() == POSITION
        await again.demand_whole()
        assert list(LedgerState(again.tables).names()) == ["P-1"]
        await again.close()

    asyncio.run(work())
