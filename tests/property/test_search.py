"""The console's read model is the queue, and its search means what the filter means, in whatever order it was read."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.engine.item import WAITING
from gatekeeper.index import items
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.index.model import Model
from gatekeeper.review.filter import parse
from gatekeeper.review.queue import urgent
from schemas.record import Record
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import TWO, YOUNG
from tests.support.watched import REVIEWER_ACTS, Read, Watched, queue_of

ZONE = "Asia/Tokyo"
QUERIES = st.lists(
    st.sampled_from(
        [
            *("state=any", "state=open,asked", "state=released", "verdict=block", "reason=AGE_UNCERTAIN"),
            *("primary=SOURCE_CONFLICT", "campaign=K-1", "campaign=K-2", "channel=postal", "channel=email"),
            *("source=S-1", "recipient=P-1", "controller=C1", "older_than=1m", "before=2026-12-02"),
            *("reason=DUPLICATE_SEND", "run=r0", "run=r0,r2&state=any", "origin=notice/OK", "origin=batch/B-1,none"),
        ]
    ),
    max_size=3,
)


def record(read: Read) -> Record:
    topic, offset, what = read
    if topic == "review":
        return Record(topic, 3, offset, 0, what.key, what.value, tuple(what.headers))
    return Record(topic, 3, offset, 0, None, what, ())


def topics_shuffled(read: list[Read], chance: random.Random) -> list[Read]:
    """Returns the topics interleaved at random, each in its own order."""
    by_topic: dict[str, list[Read]] = {}
    for one in read:
        by_topic.setdefault(one[0], []).append(one)
    names = [one[0] for one in read]
    chance.shuffle(names)
    left = {name: iter(found) for name, found in by_topic.items()}
    return [next(left[name]) for name in names]


@given(
    facts=st.sampled_from([YOUNG, TWO]),
    sends=st.lists(st.sampled_from(["K-1", "K-2", "K-3"]), min_size=1, max_size=4),
    acts=st.lists(REVIEWER_ACTS, max_size=8),
    query=QUERIES,
    seed=st.integers(0, 999),
)
@settings(max_examples=20)
def test_any_history_and_any_filter_then_the_model_finds_what_the_queue_means(
    facts: tuple[invented.Event, ...], sends: list[str], acts: list[Any], query: list[str], seed: int
) -> None:
    desk = Watched(*facts)
    for number, campaign in enumerate(sends):
        date = {"mail_date": "2026-12-01"} if number % 2 else {}
        desk.send(event_id=f"E-{number}", campaign_id=campaign, **date)
    for number, (kind, item, by, evidence, bulk) in enumerate(acts):
        of = {"bulk": bulk} if kind == "release" else {}
        name = f"r{number % 2}.a{number % 6}"
        desk.act(kind, item % len(desk.review), act_id=name, by=by, evidence_ref=evidence, **of)
    read = desk.topics()
    whole = queue_of(read)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        model = Model(Path(folder), (items.PART,), zone=ZONE)
        shuffled = [record(one) for one in topics_shuffled(read, chance)]
        while shuffled:
            size = chance.randint(1, len(shuffled))
            model.take(shuffled[:size])
            model.take(shuffled[:1])  # what comes twice changes nothing
            shuffled = shuffled[size:]
        now = invented.T + 300_000
        search = ItemSearch(parse(*query), now, ZONE)
        with model.read() as db:
            found = list(search.items(db))
            meant = [one for one in whole.items() if search.query.matches(one, now=now, zone=ZONE, states=WAITING)]
            assert found == urgent(meant, ZONE)
            groups = search.groups(db)
            assert search.count(db) == len(found) == sum(group.n for group in groups)
            later = ItemSearch(search.query, now + 3 * DAY_MS, ZONE)
            assert [group.today for group in groups] == [group.n for group in groups], "all of the last minutes"
            assert {group.today for group in later.groups(db)} <= {0}
            assert search.verdicts(db) == Counter(one.verdict for one in meant)
            for item in whole.items():
                assert items.doings(db, item.id) == [replace(one, reason=None) for one in whole.doings(item.id)]
                standing = desk.state.standing("P-1", item.id)
                assert item.state == (standing.state if standing else "open"), "as the worker remembers"
                # who took an act back is no longer who left the item in its state
                assert item.by == (standing.by if standing and standing.state != "open" else None)
