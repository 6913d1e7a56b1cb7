"""Releases counted by person, campaign and hour, however they are spread over partitions and workers."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.release_count import HOUR_MS, ReleaseCount
from schemas.record import Record
from tests.support import invented

PLACE = {"recipient_id": "R1", "campaign_id": "C1", "channel": "postal", "review": {"partition": 0, "offset": 1}}
LIMIT = 5


def release(number: int, *, at: int = 0, by: str = "kenji", **fields: object) -> Record:
    said = {**PLACE, "decision_id": f"{number:026}", "act_id": f"a{number}", "by": by, "reasons": ["X"], "had": ["X"]}
    value = orjson.dumps(invented.item_act("release", {**said, **fields}))
    return Record("acts", number % 6, number, at, None, value)


def counted(asked: Record, *others: Record, counts: object = None) -> int:
    found = ReleaseCount()
    for one in (*others, asked):
        found.take(one)
    return found.around(ActRecord.of(asked), counts or (lambda one: True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "number"),
    [
        (release(2), 2),
        (release(2, by="KENJI"), 2),
        (release(2, by="yuki"), 1),
        (release(2, campaign_id="C2"), 1),
        (release(1, at=9), 1),
        (release(2, at=HOUR_MS - 1), 2),
        (release(2, at=HOUR_MS), 1),
        (release(2, at=-HOUR_MS), 1),
    ],
)
def test_the_releases_of_a_person_for_a_campaign_within_an_hour_are_counted(other: Record, number: int) -> None:
    assert counted(release(1), other) == number


def test_a_release_spelled_with_escapes_then_it_counts_as_well() -> None:
    other = release(2)
    hidden = replace(other, value=(other.value or b"").replace(b'"release"', b'"rel\\u0065ase"'))
    assert ActRecord.of(hidden).act == ActRecord.of(other).act
    assert counted(release(1), hidden) == 2


def test_releases_of_nobody_then_they_make_nobodys_number_larger() -> None:
    forged = [release(number) for number in range(2, 200)]
    assert counted(release(1), *forged, counts=lambda one: one.offset == 1) == 1


def test_a_release_that_raises_when_it_is_weighed_then_it_alone_does_not_count() -> None:
    def counts(one: ActRecord) -> bool:
        return bool(1 / (one.offset - 2))

    assert counted(release(1), release(2), release(4), counts=counts) == 2


@pytest.mark.parametrize("seed", range(2))
def test_a_script_spreads_releases_over_partitions_then_no_hour_exceeds_the_limit(seed: int) -> None:
    """Six workers read and judge side by side, each at its own pace, and their brokers' clocks differ by a minute."""
    draw = random.Random(seed)
    logs: list[list[Record]] = [[] for _ in range(6)]
    counts, read = [ReleaseCount() for _ in logs], [[0] * len(logs) for _ in logs]
    judged, alone = [0] * len(logs), list[tuple[int, Record]]()
    skew = [draw.randrange(60_000) for _ in logs]
    for step in range(600):
        place, now = draw.randrange(6), step * 20_000
        if draw.random() < 0.5:
            logs[place].append(release(step, at=now + skew[place]))
        elif judged[place] < len(logs[place]):
            for other, records in enumerate(logs):
                for one in records[read[place][other] :]:
                    counts[place].take(one)
                read[place][other] = len(records)
            one = logs[place][judged[place]]
            judged[place] += 1
            if counts[place].around(ActRecord.of(one), lambda _: True) <= LIMIT:
                alone.append((one.timestamp, one))
    for began, _ in alone:
        assert sum(began <= at < began + HOUR_MS for at, _ in alone) <= LIMIT
