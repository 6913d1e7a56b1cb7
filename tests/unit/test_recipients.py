"""An erased person leaves the read model at once: no page finds them, and no byte of its files names them."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import orjson
import pytest

from gatekeeper.console import given_reasons
from gatekeeper.index import items, recipients, record_places
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.index.model import Model
from gatekeeper.index.parts import PARTS
from gatekeeper.review.filter import parse
from schemas.codec import encode
from schemas.record import Record
from streams.operations import erasures
from tests.support import invented
from tests.support.desk import YOUNG, Desk

NOW, ERASED = 1_000, 2_000
ABOUT = {"act_id": "n1", "campaign_id": "K-1", "channel": "postal", "review": {"partition": 0, "offset": 7}}
COUNT = 400
"""Recipients enough for pages of the file to split, and to leave copies of moved rows behind."""


@cache
def withheld() -> tuple[Record, Record]:
    """One item on `review`, and its record on `audit`, of P-1."""
    desk = Desk(*YOUNG)
    desk.send()
    (one,) = desk.outputs["review"]
    audit = desk.records[0].model_dump_json(by_alias=True).encode()
    return (
        Record("review", 0, 0, NOW, one.key, one.value, one.headers),
        Record("audit", 0, 0, NOW, desk.records[0].did.encode(), audit, ()),
    )


def of(number: int, name: str, *, at: int = NOW, place: int | None = None) -> list[Record]:
    """The item, the audit record and a fact of one person, as the topics hold them."""
    did, place = f"{number:026d}".translate(str.maketrans("0189", "ABCD")), number if place is None else place
    found = []
    for one in withheld():
        old = withheld()[1].key or b""
        value = (one.value or b"").replace(b'"P-1"', f'"{name}"'.encode()).replace(old, did.encode())
        headers = tuple((key, told.replace(old, did.encode())) for key, told in one.headers)
        key = name.encode() if one.topic == "review" else did.encode()
        found.append(Record(one.topic, 0, place, at, key, value, headers))
    return [*found, Record("sources", 0, place, at, name.encode(), b"{}", ())]


def stop(name: str, place: int, at: int = ERASED) -> Record:
    (one,) = erasures.stops(name, [], act_id=f"{place:032x}", at="2026-11-24T00:00:00.000Z")
    return Record("suppressions", 0, place, at, name.encode(), encode(one), ())


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def found(model: Model, name: str) -> list[str]:
    """The items that a filter on a recipient finds."""
    with model.read() as db:
        search = ItemSearch(parse(f"recipient={name}"), NOW, "Asia/Tokyo")
        return [item.recipient for item in search.items(db)]


def test_people_erased_among_many_then_no_byte_of_the_files_names_them(tmp_path: Path) -> None:
    chance = random.Random(0)
    names = [f"RCP-{chance.randrange(10**9):09d}" for _ in range(COUNT)]
    model = Model(tmp_path, PARTS, zone="Asia/Tokyo")
    numbers = chance.sample(range(COUNT), COUNT)
    coming = [record for place, n in enumerate(numbers) for record in of(n, names[n], place=place)]
    for start in range(0, len(coming), 300):
        model.take(coming[start : start + 300])
    assert written(tmp_path).count(names[0].encode()) >= 1, "the search finds what is there"
    gone = set(chance.sample(names, 40))
    model.take([stop(name, place) for place, name in enumerate(sorted(gone))])
    data = written(tmp_path)
    assert [name for name in gone if name.encode() in data] == []
    for name in names[:100]:
        assert found(model, name) == ([] if name in gone else [name])
    with model.read() as db:
        assert all(record_places.of_person(db, name) == [] for name in gone)
        assert {recipients.erased(db, name) for name in gone} == {ERASED}


def test_a_page_that_reads_meanwhile_then_the_log_is_emptied_as_soon_as_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatekeeper.index.model.BUSY_SECONDS", 0.01)
    model = Model(tmp_path, PARTS, zone="Asia/Tokyo")
    model.take(of(7, "RCP-7"))
    with closing(sqlite3.connect(model.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM item").fetchone()
        model.take([stop("RCP-7", 0)])
        assert b"RCP-7" in written(tmp_path), "what the page reads stays readable"
    model.scrub()
    assert b"RCP-7" not in written(tmp_path)


def test_a_console_that_ended_before_then_its_next_start_empties_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "scrub", lambda model: None)
    killed = Model(tmp_path, PARTS, zone="Asia/Tokyo")
    killed.take(of(7, "RCP-7"))
    killed.take([stop("RCP-7", 0)])
    assert b"RCP-7" in written(tmp_path)
    assert Model(tmp_path, PARTS, zone="Asia/Tokyo").generation == killed.generation
    assert b"RCP-7" not in written(tmp_path)


def test_an_act_about_an_item_of_an_erased_person_then_its_reason_is_not_shown(tmp_path: Path) -> None:
    model = Model(tmp_path, PARTS, zone="Asia/Tokyo")
    model.take(of(7, "RCP-7"))
    with model.read() as db:
        (item,) = (row["id"] for row in db.execute("SELECT id FROM item"))
    noted = invented.item_act("note", {"decision_id": item, "recipient_id": "RCP-7"}, **ABOUT)
    model.take([Record("acts", 0, 0, NOW, None, orjson.dumps(noted), ())])
    with model.read() as db:
        assert given_reasons.places(db, ["n1"]) == {"n1": (0, 0)}
    model.take([stop("RCP-7", 0)])
    with model.read() as db:
        assert (given_reasons.places(db, ["n1"]), items.one(db, item), items.record(db, item)) == ({}, None, None)
