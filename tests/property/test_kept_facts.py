"""Facts on the disk: a store that begins again, however often, knows what one in memory knows that never ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.identity import printed
from gatekeeper.knowledge.store import FactStore
from schemas.events import Send
from schemas.record import Record, Refusal
from streams.client.read_log import ReadLog
from streams.worker.kept_facts import KeptFacts, name_of
from tests.support import invented, people, staff
from tests.support.copied_topic import AHEAD, copied_records, founded
from tests.support.facts import fact

MEMORY = Path("/dev/shm")
"""A folder in which a commit costs no wait."""
TOKEN = re.compile(rb"(?m)^t([^ ]+) [^ ]* [^ ]+ (?!0 )")  # not that of text beside an address: it is nobody's own
NAMED = re.compile(rb'"(notice_id|batch_id|terms_id)":"([^"]+)"')
KINDS = {b"notice_id": "notice", b"batch_id": "batch", b"terms_id": "joint_use_terms"}
Streams = dict[TopicPartition, list[Record]]
COPIED = copied_records(AHEAD, invented.consent(recorded_at="2026-11-20")[1], days=(9, 5))
ERASED = [
    invented.suppression(suppression_id="X-E", kind="erasure", state=state, received_at=at)
    for state, at in (("active", "2026-11-01"), ("corrected", "2026-11-24T09:59:00+09:00"))
]
TOKEN_NINE = "t1k9_" + "A" * 43
NINE = [
    {**invented.suppression(suppression_id="X-9", token="cp-1", **more)[1], "token": token}
    for token, more in (
        *((TOKEN_NINE, {}), (TOKEN_NINE, {"scope": {"controller": "C1"}})),
        (invented.token("cp-9"), {"scope": {"controller": "C1"}}),
    )
]
"""A stop under a key that nobody holds, with two scopes, and the same stop under a known key."""
DELIVERIES = [
    invented.delivery(delivery_id=f"F-{day}", feed=feed, at=f"2026-11-{day}T06:00:00+09:00")
    for feed in ("crm", "shop")
    for day in (20, 23)
]
"""Deliveries of a registered feed and of one that is not."""
RESOLVED = [(by, topic, n) for by in staff.MANAGERS for topic in ("consents", "suppressions") for n in (0, 1)]
OURS = invented.gate(1).prints
JUNK = (
    ("consents", b"P-1", b"{", None),
    ("suppressions", invented.token("cp-1").encode(), b"{}", None),
    ("sources", b"P-2", b'{"recipient_id":"P-1"}', None),
    ("consents", b"?", b"{", None),
    ("suppressions", b"P-1", None, Refusal("record_unreadable", "00" * 32)),
    ("sources", None, None, Refusal("batch_corrupt", "00" * 32, what="batch", base=0)),
)


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    """Facts of one person and of tokens, with unreadable ones, over two partitions a topic, and reference data."""
    found: Streams = {}

    def put(topic: str, number: int, record: Record) -> None:
        found.setdefault(TopicPartition(f"mail.{topic}.v1", number), []).append(record)

    for one in COPIED if draw(st.booleans()) else ():
        put("consents", 0, one)
    events = [*draw(people.people()), *draw(people.people()), *draw(people.other_ids())]
    feeds = [invented.feed()] if draw(st.booleans()) else []
    reference = [(topic, 0, None, orjson.dumps(value), None) for topic, value in (*invented.REFERENCE, *feeds)]
    wide = draw(st.lists(people.unknown_nos(), max_size=2))
    events += draw(st.lists(st.sampled_from(DELIVERIES), max_size=2))
    events += [*wide, *(ERASED if draw(st.booleans()) else ())]
    unsigned = draw(st.booleans())
    junk = draw(st.lists(st.sampled_from(JUNK), max_size=3))
    nine = [one for one in NINE if draw(st.booleans())]
    resolved = draw(st.lists(st.sampled_from(RESOLVED), max_size=4))
    numbers = st.integers(0, 1)
    rows: list[Any] = [(topic, draw(numbers), None, orjson.dumps(value), None) for topic, value in events]
    rows += [(topic, draw(numbers), key, value, refused) for topic, key, value, refused in junk]
    rows += [("suppressions", draw(numbers), None, orjson.dumps(one), None) for one in nine]
    for topic, number, key, value, refused in [*reference, *draw(st.permutations(rows))]:
        topic = topic if topic in ("sources", "consents", "suppressions", "reference") else "consents"
        offset = len(found.get(TopicPartition(f"mail.{topic}.v1", number), ()))
        record = fact(topic, number, offset, key, value, refused)
        said = orjson.loads(value) if value and key is None and refused is None else {}
        headers = staff.corrected(topic, said, at=staff.instant(invented.T)) if said and not unsigned else ()
        put(topic, number, Record(topic, number, offset, record.timestamp, key, value, headers, refused))
    last = found[TopicPartition("mail.reference.v1", 0)]
    for one in founded(COPIED):
        put("reference", 0, Record("reference", 0, len(last), one.timestamp, one.key, one.value, one.headers))
    for by, topic, number in resolved:
        said = {"v": 1, "kind": "resolution", "id": "r", "by": by, "reason": "-", "at": "2026-11-24T10:00:00+09:00"}
        place = {"topic": f"mail.{topic}.v1", "partition": number, "offset": 0}
        for key, value in staff.signed({**said, **place}, by, at=staff.instant(invented.T)):
            put("reference", 0, Record("reference", 0, len(last), invented.T, key.encode(), value))
    return found


def known(store: FactStore, sends: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that others ask a store."""
    read = [Send.model_validate_json(orjson.dumps(send)) for send in sends]
    return {
        "views": [store.view(send, printed(invented.TOKENS, send), **invented.NOW) for send in read],
        "person": store.person("P-1"),
        "people": store.people,
        "nos_without_token": store.nos_without_token,
        "of_another": store.people_of_another,
        "stop_rows": dict(store.row_counts),
        "keys": sorted(store.token_keys.uses()),
        "wide": sorted((one.name, one.people) for one in store.named_by_refusals.unregistered(store.reference)),
        "unresolved": dict(sorted(store.unresolved.faults.items())),
        "withholding": store.withholding(100),
        "everybody": store.withhold_everybody,
        "copies": sorted((place, run.count, run.sha256, run.open) for place, run in store.copies.runs.items()),
        "named": {name: sorted(found) for name, found in mentioned(store).items()},
        "mentions": [store.may_name("P-1", {name}) for name in (b"S-1", b"Withdrawn", invented.token("cp-1").encode())],
    }


def mentioned(store: FactStore) -> dict[str, list[str]]:
    """The people by each name in anybody's facts, as the index has them."""
    return {name: list(store.mentions.people(name)) for name in walked(store)}


def walked(store: FactStore) -> dict[str, set[str]]:
    """The people by each name in anybody's facts, as a look at everybody finds them."""
    found: dict[str, set[str]] = {invented.token("nobody's"): set(), "notice/unknown": set()}
    for person, lines in store._people.items():
        names = [token.decode() for token in TOKEN.findall(lines)]
        names += [f"{KINDS[field]}/{id_.decode()}" for field, id_ in NAMED.findall(lines)]
        for name in names:
            found.setdefault(name, set()).add(person)
    return found


@settings(max_examples=15)
@given(streams(), st.randoms(use_true_random=False))
def test_any_history_then_the_index_gives_whom_a_look_at_everybody_finds_once_each(given: Streams, rng: Any) -> None:
    store, records = FactStore(staff.ORIGIN), [record for some in given.values() for record in some]
    for _ in range(2):  # every record comes twice
        rng.shuffle(records)
        for record in records:
            store.apply(record)
    assert {name: sorted(people) for name, people in mentioned(store).items()} == {
        name: sorted(people) for name, people in walked(store).items()
    }


def followed(given: Streams, home: Path, rng: Random, ends: int) -> FactStore:
    """The store of a worker that follows these streams and ends so often, each time without a last commit."""
    end = {tp: len(records) for tp, records in given.items()}

    def begun() -> tuple[KeptFacts, dict[TopicPartition, int], dict[TopicPartition, ReadLog]]:
        kept = KeptFacts(home, origin=staff.ORIGIN, identity=b"one", key=bytes(32), ours=OURS)
        known = kept.known()
        logs = {tp: known.get(name_of(tp)) or ReadLog(0, 0) for tp in given}
        return kept, {tp: one.position for tp, one in logs.items()}, logs

    kept, positions, logs = begun()
    while left := [tp for tp in given if positions[tp] < end[tp]]:
        tp = rng.choice(left)
        kept.store.apply(given[tp][positions[tp]])
        logs[tp].take(given[tp][positions[tp]])
        positions[tp] += 1
        if rng.random() < 0.2:
            kept.cut(0, positions, logs)()
        if ends and rng.random() < 0.1:
            ends -= 1
            kept.close()
            kept, positions, logs = begun()
    kept.cut(0, positions, logs)()
    kept.close()
    kept, positions, logs = begun()
    assert [tp.topic for tp in given if positions[tp] < end[tp]] == ["mail.reference.v1"]
    for record in given[TopicPartition("mail.reference.v1", 0)]:
        kept.store.apply(record)
    return kept.store


@settings(max_examples=15)
@given(
    streams(), st.lists(people.sends(), min_size=1, max_size=3), st.randoms(use_true_random=False), st.integers(0, 6)
)
def test_any_runs_with_ends_between_then_the_same_is_known_as_in_one(
    given: Streams, sends: Any, rng: Any, ends: int
) -> None:
    whole = FactStore(staff.ORIGIN, ours=OURS)
    for records in given.values():
        for record in records:
            whole.apply(record)
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
        assert known(followed(given, Path(home), rng, ends), sends) == known(whole, sends)
