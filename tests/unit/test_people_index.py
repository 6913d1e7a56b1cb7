"""The index of people in the read model: the same in whatever order topics are read, and erasure leaves no tie."""

from __future__ import annotations

import itertools
from pathlib import Path

import orjson
import pytest

from gatekeeper.console import people
from gatekeeper.console.model import Model
from schemas.codec import encode
from schemas.events import Suppression
from streams import erasures
from streams.client import Record
from tests.desk import YOUNG, Desk

WHO = "P-1"


def record(topic: str, offset: int, value: bytes, *, key: str, did: str = "", at: int = 0) -> Record:
    headers = (("gate-decision", orjson.dumps({"id": did})),) if did else ()
    return Record(topic, 0, offset, at, key.encode(), value, headers)


def audits() -> list[Record]:
    """Returns the records of a piece that was withheld and released, and of one of another person."""
    desk = Desk(*YOUNG)
    desk.send()
    desk.act("release", evidence_ref="form-7")
    desk.send(recipient_id="P-2", campaign_id="K-2")
    values = [one.model_dump_json(by_alias=True).encode() for one in desk.records]
    return [record("audit", n, value, key=desk.records[n].did) for n, value in enumerate(values)]


def stop(act: str, *, back: bool = False) -> bytes:
    (one,) = erasures.stops(WHO, [], act_id=act, at="2026-11-24T00:00:00.000Z")
    made: Suppression = erasures.taken_back([one], at="2026-11-25T00:00:00.000Z")[0] if back else one
    return encode(made)


def read(folder: Path, *topics: list[Record]) -> Model:
    model = Model(folder, (people.PART,), zone="Asia/Tokyo")
    for records in topics:
        model.take(records)
    return model


def test_any_record_of_a_piece_then_all_of_it_and_nothing_of_others(tmp_path: Path) -> None:
    first, release, other = (one.key.decode() for one in audits() if one.key)
    with read(tmp_path, audits()).read() as db:
        for did in (first, release):
            assert [one.did for one in people.piece(db, [did])] == [first, release]
        assert [one.did for one in people.piece(db, [other])] == [other]
        assert people.beginning(db, first[:10]) == [first]
        assert people.beginning(db, "A" * 10) == []


def test_one_letter_of_a_person_then_the_others_are_found_by_the_pseudonym(tmp_path: Path) -> None:
    first, release, other = (one.key.decode() for one in audits() if one.key)
    letters = [record("cleared", 0, b"{}", key=WHO, did=release), record("cleared", 1, b"{}", key="P-2", did=other)]
    with read(tmp_path, audits(), letters).read() as db:
        assert set(people.of_person(db, WHO)) == {first, release}
        assert people.of_person(db, "P-2") == [other]
        assert people.whose(db, [first]) == (WHO, False)
        assert people.of_person(db, "P-3") == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_erasure_then_no_letter_from_before_it_is_anybodys_in_whatever_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    first = audits()[0].key
    assert first is not None
    letters = [record("review", 0, b"{}", key=WHO, did=first.decode(), at=1_000)]
    erasing = [record("suppressions", 0, stop("a1"), key=WHO, at=2_000)]
    topics = (audits(), letters, erasing)
    with read(tmp_path, *(topics[n] for n in order)).read() as db:
        assert people.erased(db, WHO) == 2_000
        assert people.whose(db, [first.decode()]) == (None, True)
        assert people.of_person(db, WHO) == []


def test_a_person_taken_back_in_then_only_letters_after_the_erasure_are_theirs(tmp_path: Path) -> None:
    first, release, _ = (one.key.decode() for one in audits() if one.key)
    letters = [
        record("cleared", 0, b"{}", key=WHO, did=first, at=1_000),
        record("cleared", 1, b"{}", key=WHO, did=release, at=4_000),
    ]
    stops = [
        record("suppressions", 0, stop("a1"), key=WHO, at=2_000),
        record("suppressions", 1, stop("a1", back=True), key=WHO, at=3_000),
    ]
    for number, topics in enumerate(itertools.permutations((letters, stops))):
        with read(tmp_path / str(number), *topics).read() as db:
            assert people.erased(db, WHO) is None
            assert people.of_person(db, WHO) == []  # nothing of `audit` is read yet
            assert people.whose(db, [first]) == (None, True)
            assert people.whose(db, [release]) == (WHO, False)


def test_facts_then_their_places_by_person_token_and_reference(tmp_path: Path) -> None:
    token, reading = "t1_" + "A" * 43, "t1_" + "B" * 43
    value = orjson.dumps(
        {
            "v": 1,
            "kind": "objection",
            "suppression_id": "S",
            "received_at": "2026-01-01",
            "token": token,
            "readings": [{"token": reading, "score": 900}],
        }
    )
    without_key = Record("sources", 0, 3, 0, None, b'{"recipient_id":"P-1"}', ())
    records = [
        record("suppressions", 0, value, key=token),
        record("consents", 1, b"{broken", key=WHO),
        without_key,
        record("reference", 2, b"{}", key="notice/N1"),
        record("acts", 4, b'{"kind":"withdraw"}', key=WHO),
        record("acts", 5, b'{"kind":"release"}', key=WHO),
    ]
    with read(tmp_path, records).read() as db:
        assert people.facts(db, [WHO]) == {"consents": {(0, 1)}, "sources": {(0, 3)}, "acts": {(0, 4)}}
        assert people.facts(db, [reading]) == people.facts(db, [token]) == {"suppressions": {(0, 0)}}
        assert people.facts(db, ["notice/N1"]) == {"reference": {(0, 2)}}
