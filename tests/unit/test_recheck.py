"""A record held against the topics: what a worker of our key makes up about people's acts is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.archive import Archive
from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.recheck import Recheck
from gatekeeper.audit.checks.replay import replay
from gatekeeper.audit.records.record import did
from gatekeeper.audit.records.releases import RULES
from gatekeeper.ground.times import instant
from gatekeeper.ledger.entries import SALT_BYTES, release, salt
from gatekeeper.policy.packs import load
from schemas.codec import canonical, decode
from schemas.record import Record
from tests.support import invented
from tests.support.desk import YOUNG
from tests.support.facts import fact
from tests.support.records import Recorded, named

AT = {topic: [100] for topic in ("sources", "consents", "suppressions", "reference")}
SENT = invented.send()
NO = invented.suppression()


class Kept:
    """A send, and what else stands on the topics."""

    def __init__(self, *records: Record) -> None:
        self.records = (Record("mail.sends.v1", 3, 1, invented.T, None, orjson.dumps(SENT)), *records)

    def at(self, topic: str, partition: int, offset: int, era: int = 0) -> Record | None:
        place = f"mail.{topic}.v1", partition, offset
        return next((one for one in self.records if (one.topic, one.partition, one.offset) == place), None)

    def expired(self, topic: str, partition: int, offset: int, era: int = 0) -> bool:
        return False


class Told(Recorded):
    """A desk that keeps what stands on the topics."""

    def __init__(self, *facts: invented.Event) -> None:
        super().__init__(*facts)
        self.acts: list[Record] = []

    def judged(self, value: dict[str, Any] | bytes) -> tuple[str, str | None]:
        data = value if isinstance(value, bytes) else orjson.dumps(value)
        self.acts.append(Record("mail.acts.v1", 3, self._acts + 1, self.at, None, data))
        return super().judged(value)

    def campaign(self, kind: str, **fields: Any) -> list[tuple[str, str]]:
        found = super().campaign(kind, **fields)
        src, act = self.records[-1].src, {"v": 1, "kind": kind, "act_id": f"{kind}-1", "by": "hanako"}
        value = orjson.dumps({**act, "subject": "campaign/K-1", "at": instant(self.at), **fields})
        self.acts.append(Record("mail.acts.v1", 3, src.offset, self.at, None, value))
        return found

    @property
    def kept(self) -> list[Record]:
        items = [replace(one, topic="mail.review.v1", partition=3, offset=n) for n, one in enumerate(self.review)]
        return [*self.acts, *items]


def recheck(
    *records: Record,
    facts: tuple[invented.Event, ...] = YOUNG,
    unread: tuple[Record, ...] = (),
    ours: Mapping[str, str] | None = None,
) -> Recheck:
    archive = Archive(ours=ours)
    for offset, (topic, value) in enumerate([*invented.REFERENCE, *facts]):
        archive.apply(fact(topic, 0, offset, None, orjson.dumps(value)))
    archive.apply(fact(NO[0], 0, 500, None, orjson.dumps(NO[1])))
    for one in unread:
        archive.apply(one)
    inputs = Kept(*records)
    return Recheck(ByHash(named()), archive, inputs, load("jp-pmark"), tokens=invented.TOKENS, whole=True, partitions=8)


@pytest.fixture
def released() -> dict[str, Any]:
    """The record of a release that cleared the send."""
    desk = Recorded(*YOUNG)
    desk.send(SENT)
    assert desk.act("release") == ("cleared", None)
    found: dict[str, Any] = orjson.loads(desk.values[-1])
    return found


@pytest.fixture
def desk() -> Told:
    """A piece that two people released, and that was handed off, and called back since."""
    found = Told(*YOUNG)
    found.send(SENT)
    assert found.act("release", bulk=101) == ("waiting", None)
    assert found.act("approve", 0, by="taro") == ("cleared", None)
    assert found.campaign("handoff")[-1][0] == "done"
    found.learn(NO)
    assert len(found.weigh()) == 1
    return found


def test_acts_of_people_then_their_records_follow(desk: Told) -> None:
    check = recheck(*desk.kept)
    positions = [AT] * (len(desk.values) - 1) + [AT | {"suppressions": [1000]}]
    found = [check.replay(value, at) for value, at in zip(desk.values, positions, strict=True)]
    assert {one.replayed.finding for one in found} == {"same", "silent"}
    assert {one.unseen for one in found} == {None}
    assert [one.replayed.stage for one in found if one.replayed.finding == "same"][-2:] == ["handoff", "recall"]


@pytest.mark.parametrize("rules", [RULES, RULES + 1])
def test_a_release_that_nobody_wrote_then_no_number_of_rules_excuses_it(released: dict[str, Any], rules: int) -> None:
    released["src"]["offset"] = 9
    released["did"] = did("mail.acts.v1", 3, 9, "release")
    released["engine"]["rules"] = rules
    found = recheck().replay(canonical(released), AT).replayed
    assert (found.finding, found.place) == ("drift", "src")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"act": {"by": "saburo"}}, "act.by"),
        ({"act": {"item": "A" * 26}}, "act.item"),
        ({"releases": {"had": ["AGE_UNCERTAIN", "SOURCE_CONFLICT"]}}, "facts.releases.had[1]"),
        ({"releases": {"by": "saburo"}}, "facts.releases.by"),
    ],
)
def test_another_release_than_the_act_then_the_first_field_that_differs_is_named(
    released: dict[str, Any], changed: dict[str, dict[str, Any]], place: str
) -> None:
    act = Told(*YOUNG)
    act.send(SENT)
    act.act("release")
    released["act"] |= changed.get("act", {})
    released["facts"]["releases"][0] |= changed.get("releases", {})
    released["src"]["offset"] = 1
    found = recheck(*act.kept).replay(canonical(released), AT).replayed
    assert (found.finding, found.place) == ("drift", place)


@pytest.mark.parametrize(
    ("changed", "whose", "finding"),
    [
        *(({}, "theirs", "same"), ({"campaign_id": "K-9"}, "theirs", "drift")),
        *(({"by": "saburo"}, "theirs", "drift"), ({}, "another's", "drift")),
    ],
)
def test_a_release_that_a_later_record_stands_on_then_it_is_the_one_that_was_made(
    desk: Told, changed: dict[str, Any], whose: str, finding: str
) -> None:
    sent = invented.send(event_id="E-9", campaign_id=changed.get("campaign_id", "K-1"))
    said = orjson.loads(desk.values[-1])["facts"]["releases"][0] | changed
    other = Recorded(*YOUNG)
    if whose == "theirs":
        kept = desk.state.salts.of(SENT["recipient_id"].encode()) or b""
        other.state.put(salt(SENT["recipient_id"], int(kept[SALT_BYTES:]), kept[:SALT_BYTES]))
    other.state.put(release(decode("sends", None, orjson.dumps(sent)), said["decision_id"], said, until=invented.T * 2))
    other.send(invented.send(event_id="E-8", campaign_id="K-8"))
    other.send(sent)
    check = recheck(*desk.kept, Record("mail.sends.v1", 3, 2, invented.T, None, orjson.dumps(sent)))
    for value in desk.values:
        check.passed(value)
    found = check.replay(other.values[-1], AT).replayed
    assert (found.finding, found.place) == (finding, "" if finding == "same" else "facts.releases[0]")


@pytest.mark.parametrize(
    ("act", "place"),
    [
        *((None, "src"), ({"by": "saburo"}, "act.by"), ({"subject": "campaign/K-2"}, "act")),
        *(({"channel": "email"}, "act"), ({"channel": "postal"}, "")),
    ],
)
def test_a_hand_off_then_its_act_is_the_one_that_it_tells_of(
    desk: Told, act: dict[str, Any] | None, place: str
) -> None:
    written = [replace(one, value=orjson.dumps(orjson.loads(one.value or b"") | (act or {}))) for one in desk.acts[-1:]]
    desk.acts[-1:] = written if act else []
    check = recheck(*desk.kept)
    number = next(n for n, one in enumerate(desk.records) if one.stage == "handoff")
    for value in desk.values[:number]:
        check.passed(value)
    found = check.replay(desk.values[number], AT).replayed
    assert (found.finding, found.place) == ("drift" if place else "same", place)


def test_a_release_the_worker_counted_then_its_record_alone_shows_if_it_took_two(released: dict[str, Any]) -> None:
    by_hash = ByHash(named())
    assert replay(canonical(released), by_hash).finding == "same"
    hidden = released | {"act": released["act"] | {"counted": 250}}
    assert replay(canonical(hidden), by_hash).place == "act.counted"
    made = [one | {"bulk": 250} for one in released["facts"]["releases"]]
    alone = replay(canonical(hidden | {"facts": released["facts"] | {"releases": made}}), by_hash)
    assert (alone.place, alone.recorded) == ("verdict", '"clear"')


@pytest.mark.parametrize(
    ("topic", "value", "key"),
    [
        ("suppressions", b"{}", invented.token("cp-9").replace("t1_", "t1k9_").encode()),
        ("sources", b"{}", b"P-2"),
        ("consents", orjson.dumps(invented.gap("method/web", "C1")[1]), None),
    ],
    ids=["of an unknown key", "of P-2", "a gap of its company"],
)
def test_an_unreadable_fact_or_a_gap_then_whom_it_withholds_is_derived_again(
    topic: str, value: bytes, key: bytes | None
) -> None:
    ours = invented.TOKENS.prints
    desk, unread = Recorded(*YOUNG), fact(topic, 1, 600, key, value)
    desk.store.token_keys.ours = ours
    desk.store.apply(unread)
    desk.send(SENT)
    (record,) = desk.values
    assert (b"FACTS_UNAVAILABLE" in record) == (key != b"P-2")
    known = {topic: [100, 601] for topic in AT} | {"reference": [100]}
    for held in (ours, {}, {**ours, "t1k9": "00112233445566aa"}):
        found = recheck(ours=held, unread=(unread,)).replay(record, known)
        assert found.replayed.finding == "same", found
        assert found.unseen in ((None, "no_key") if held != ours and key and key.startswith(b"t1") else (None,))
    other = recheck(ours=ours).replay(record, known).replayed.finding
    assert other == ("same" if key == b"P-2" else "drift"), "a worker that makes it up is found"
