"""The index of people in the read model: the same in whatever order topics are read, and erasure leaves no tie."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from gatekeeper.index import recipients, record_places
from gatekeeper.index.model import Model
from schemas.codec import encode
from schemas.events import PairedAct, Suppression
from schemas.record import Record
from streams.operations import erasures
from tests.support.desk import YOUNG, Desk
from tests.support.roles import act_of

WHO = "P-1"


def record(topic: str, offset: int, value: bytes, *, key: str, at: int = 0) -> Record:
    return Record(topic, 0, offset, at, key.encode(), value, ())


@cache
def desk() -> Desk:
    """A piece that was withheld and released, and one of another person."""
    found = Desk(*YOUNG)
    found.send()
    found.act("release", evidence_ref="form-7")
    found.send(recipient_id="P-2", campaign_id="K-2")
    return found


def audits() -> list[Record]:
    values = [(one.did, one.model_dump_json(by_alias=True).encode()) for one in desk().records]
    return [record("audit", n, value, key=did) for n, (did, value) in enumerate(values)]


def letters(topic: str, at: int) -> list[Record]:
    """Returns what the desk put on `review` or `cleared`."""
    found = desk().outputs[topic]
    return [Record(topic, 0, n, at, one.key, one.value, one.headers) for n, one in enumerate(found)]


BACK = {
    by: cast("PairedAct", act_of("readmit", by, at="2026-11-25T00:00:00.000Z", evidence_ref="form-91"))
    for by in ("hanako", "taro")
}


def stop(act: str, *, back: str | None = None) -> bytes:
    (one,) = erasures.stops(WHO, [], act_id=act, at="2026-11-24T00:00:00.000Z")
    made: Suppression = erasures.taken_back([one], BACK[back])[0] if back else one
    return encode(made)


def read(folder: Path, *topics: list[Record]) -> Model:
    model = Model(folder, (record_places.PART,), zone="Asia/Tokyo")
    for records in topics:
        model.take(records)
    return model


def test_one_letter_of_a_person_then_the_others_are_found_by_the_pseudonym(tmp_path: Path) -> None:
    first, release, other = (one.key.decode() for one in audits() if one.key)
    with read(tmp_path, audits(), letters("cleared", 1), letters("review", 1)[1:]).read() as db:
        places = [set(record_places.of_person(db, who)) for who in (WHO, "P-2", "P-3")]
        assert (places, record_places.whose(db, [first])) == ([{first, release}, {other}, set()], (WHO, False))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_erasure_then_no_letter_from_before_it_is_anybodys_in_whatever_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    first = audits()[0].key
    assert first is not None
    erasing = [record("suppressions", 0, stop("a1"), key=WHO, at=2_000)]
    topics = (audits(), letters("review", 1_000), erasing)
    with read(tmp_path, *(topics[n] for n in order)).read() as db:
        assert recipients.erased(db, WHO) == 2_000
        assert record_places.whose(db, [first.decode()]) == (None, True)
        assert record_places.of_person(db, WHO) == []


def test_a_person_taken_back_in_then_only_letters_after_the_erasure_are_theirs(tmp_path: Path) -> None:
    first, release, _ = (one.key.decode() for one in audits() if one.key)
    sent = [*letters("review", 1_000), *letters("cleared", 4_000)]
    stops = [
        record("suppressions", 0, stop("a1"), key=WHO, at=2_000),
        *(record("suppressions", n, stop("a1", back=by), key=WHO, at=3_000) for n, by in enumerate(BACK, 1)),
    ]
    with read(tmp_path / "by one", sent, stops[:-1]).read() as db:
        assert recipients.erased(db, WHO) == 2_000
    for number, topics in enumerate(itertools.permutations((sent, stops))):
        with read(tmp_path / str(number), *topics).read() as db:
            assert recipients.erased(db, WHO) is None
            assert record_places.of_person(db, WHO) == []  # nothing of `audit` is read yet
            assert record_places.whose(db, [first]) == (None, True)
            assert record_places.whose(db, [release]) == (WHO, False)
