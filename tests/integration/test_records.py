"""Any record on a topic is read, or set aside once; no worker stops, and its neighbours are decided."""

import asyncio
import hashlib
import itertools
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from random import Random

import kafka as kafka_python
import orjson
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.texts import text
from schemas.topics import INPUTS, logical_name
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from streams.worker import unread_facts
from tests.support import staff
from tests.support.bad_sends import BAD_SENDS
from tests.support.cluster import spoil
from tests.support.hostile import Attacker, Gate
from tests.support.invented import REFERENCE
from tests.support.world import World, consent_of, eventually, send_to, source_of, until

ZSTD = b"\x28\xb5\x2f\xfd"
"""The first bytes of what zstd compressed, as the worker's batches are."""
CODECS = ("gzip", "snappy", "lz4", "zstd")
HOSTILE = int(os.environ.get("HOSTILE_RECORDS", "1500"))
ATTACKS = int(os.environ.get("ATTACKS", "600"))
BOMBS = int(os.environ.get("BOMBS", "8"))
"""Each eighth inflates to 120 MB, the others to nearly what a reader takes of a batch."""
GROWTH_MB = 50
TEMPLATES = [(f"template/{one['id']}", one) for _, one in REFERENCE if one["kind"] == "template"]
"""The reference records that the bad sends name. Without them, some would be refused for another fault."""


@pytest.fixture(scope="module")
def kafka() -> Iterator[Broker]:
    """One of its own: its files are spoilt, and it is given bombs."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix, partitions=2).create()


class NotText(str):
    """The name of a header whose bytes are no UTF-8."""

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


def of_python(world: World, topic: str, key: str | None, value: bytes, headers: list) -> None:
    """Writes one record with headers that librdkafka would not write."""
    producer = kafka_python.KafkaProducer(bootstrap_servers=world.bootstrap, max_request_size=4_000_000)
    try:
        partition = partition_of(key.encode(), len(world.ends(topic))) if key else 0
        name = world.topic(topic)
        producer.send(name, value, key and key.encode(), headers=headers, partition=partition).get(30)
    finally:
        producer.close()


def compression(world: World, codec: str) -> None:
    """Changes how the input topics keep what they are sent."""
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        names = [world.topic(name) for name in INPUTS]
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {"compression.type": codec}) for name in names]
        assert set(admin.alter_configs(wanted)["topic"].values()) == {"OK"}
    # the broker applies changes one after the other, so that it knows of a later one when this one is done
    later, outside = f"{world.prefix}{uuid.uuid4().hex}", AdminClient({"bootstrap.servers": world.bootstrap})
    for made in outside.create_topics([NewTopic(later, 1, 1)]).values():
        made.result()
    until(lambda: not outside.list_topics(later, timeout=10).topics[later].error, "the change")


def note(person: str) -> dict:
    """Returns an act that only is recorded."""
    return {
        "v": 1, "kind": "withdraw", "act_id": f"a-{person}", "at": staff.now(), "by": "hanako",
        "recipient_id": person,
    }  # fmt: skip


def test_each_codec_on_each_input_topic_as_sent_and_as_kept_then_all_of_it_is_read(world):
    known, sent = sum(world.ends("reference")), list(itertools.product(("uncompressed", "producer"), CODECS))
    for kept, codec in sent:
        if (kept, codec) == ("producer", CODECS[0]):  # as a cluster's own default would have it, while nobody looked
            compression(world, kept)
        through = world.producer(**{"compression.type": codec, "linger.ms": 20})
        yes, no = f"yes-{codec}-{kept}", f"no-{codec}-{kept}"
        world.put("sources", [(name, source_of(name)) for name in (yes, no)], through)
        world.put("consents", [(name, consent_of(name)) for name in (yes, no)], through)
        stop = {
            "v": 1, "suppression_id": f"x-{codec}-{kept}", "recipient_id": no, "kind": "objection",
            "received_at": "2026-01-01T10:00:00+09:00",
        }  # fmt: skip
        world.put("suppressions", [(no, stop)], through)
        notice = {"v": 1, "kind": "notice", "id": f"N-{codec}-{kept}", "controller_id": "C1"}
        world.put("reference", [(f"notice/{notice['id']}", notice | {"purposes": [], "complete": True})], through)
        world.put("acts", [(yes, note(yes))], through)
        world.put("sends", [(name, send_to(name, f"{name}-{n}")) for n in range(20) for name in (yes, no)], through)
    compression(world, "uncompressed")

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == 41 * len(sent), "all sends and acts")
            assert not app.followers.store.unresolved.faults
            assert {f"notice/N-{codec}-{kept}" for kept, codec in sent} <= app.followers.store.reference.digests.keys()

    asyncio.run(run())
    assert world.check(40 * len(sent)) == {"clear": 20 * len(sent), "block": 20 * len(sent)}
    assert [one.act.outcome for one in world.acted().values()] == ["recorded"] * len(sent)
    with Reader(world.settings) as reader:  # commands read with another client
        assert {topic: sum(1 for _ in reader.read(topic)) for topic in INPUTS} == {
            "sends": 40 * len(sent), "sources": 2 * len(sent), "consents": 2 * len(sent),
            "suppressions": len(sent), "reference": known + 2 * len(sent), "acts": len(sent),
        }  # fmt: skip


def test_hostile_headers_and_bombs_then_sends_and_acts_are_refused_and_facts_hold(world, monkeypatch):
    monkeypatch.setattr(unread_facts, "UNREAD_KEPT", 5_000)
    world.people(["r1", "r2", "r3"])
    for number, (fault, headers) in enumerate(
        (
            ("header_not_text", [(NotText("x"), b"1")]),
            ("headers_too_many", [("", b"")] * 500_000),
            ("headers_too_many", [("n", b"1")] * 65),
            ("headers_too_long", [("x-note", b"n" * 15_000)] * 64),
        )
    ):
        person = f"no-{number}"
        world.people([person])
        of_python(world, "sends", "r1", orjson.dumps(send_to("r1", f"{fault}-{len(headers)}")), headers)
        of_python(world, "consents", None, orjson.dumps(consent_of(person, "Withdrawn")), headers)
        of_python(world, "acts", "r1", orjson.dumps(note("r1")), headers)
        world.put("sends", [(person, send_to(person, person))])
    of_python(world, "sends", "r1", orjson.dumps(send_to("r1", "many")), [(f"x-{n}", b"1") for n in range(60)])
    compression(world, "producer")
    wide = world.producer(**{"message.max.bytes": 100_000_000, "compression.type": "gzip"})
    for value in (b" " * 2_000_000, b" " * 60_000_000, orjson.dumps(send_to("r1", "last"))):
        world.put("sends", [("r1", value)], wide)  # a batch each
    world.put("sources", [("r3", b" " * 2_000_000)], wide)
    world.put("sources", [("r3", b"{" * 2_000)])
    compression(world, "uncompressed")
    world.put("sends", [("r3", send_to("r3", "withheld"))])

    async def run() -> None:
        async with world.worker():
            await eventually(lambda: len(world.audits()) == 13 + 4, "all sends and acts")
            await eventually(lambda: len(world.read("deadletter")) == 6 + 4 + 2, "dead letters")

    asyncio.run(run())
    assert world.check(13) == {"clear": 2, "block": 11}
    verdicts = world.verdicts()
    assert {verdicts[f"e-no-{number}"] for number in range(4)} == {("block", "CONSENT_WITHDRAWN")}
    assert verdicts["e-withheld"] == ("block", "FACTS_UNAVAILABLE")
    letters = [(dict(m.headers()), m) for m in world.read("deadletter")]
    faults = Counter((of["gate-source"].split(b"/")[0].decode(), of["gate-fault"].decode()) for of, _ in letters)
    of_headers = {"header_not_text": 1, "headers_too_many": 2, "headers_too_long": 1}
    expected = {(topic, fault): n for topic in ("sends", "acts") for fault, n in of_headers.items()}
    assert faults == {
        **expected, ("sends", "value_too_long"): 1, ("sends", "batch_too_long"): 1, ("sources", "value_too_long"): 1,
        ("sources", "not_json"): 1,
    }  # fmt: skip
    assert all(len(of) < 12 for of, _ in letters), "a refused record's headers are copied nowhere"
    refused = [m for of, m in letters if of["gate-fault"].startswith(b"header")]
    assert {m.value() for m in refused} == {None}, "nor is anything else of it"
    unread = {
        of["gate-size"]: (m.key(), m.value(), of["gate-sha256"].decode())
        for of, m in letters
        if of["gate-source"].startswith(b"sources")
    }
    assert unread == {
        b"2000000": (b"r3", b" " * 4096, hashlib.sha256(b" " * 2_000_000).hexdigest()),
        b"2000": (b"r3", None, hashlib.sha256(b"{" * 2_000).hexdigest()),
    }, "beyond what is kept of all of them, a dead letter has key, size and SHA-256"
    assert max(len(m.value() or b"") for of, m in letters if of["gate-source"].startswith(b"s")) <= 4096
    with Reader(world.settings) as reader:  # what the gate writes has more headers than what it takes
        found = {len(record.headers): record.refused for record in reader.read("cleared")}
    assert max(found) > 64
    assert set(found.values()) == {None}


def test_thousands_of_hostile_records_then_one_dead_letter_each_and_memory_stays(world, tmp_path):
    world.put("reference", TEMPLATES)
    world.people(["r1"])
    wrong = next(n for n in range(world.partitions) if n != partition_of(b"r1", world.partitions))
    world.put("sends", [("r1", send_to("r1", "elsewhere"))], partition=wrong)
    world.put("sends", [(None, send_to("r1", "keyless-elsewhere"))], partition=wrong)
    world.put("sends", [(None, send_to("r1", "keyless"))], partition=partition_of(b"r1", world.partitions))
    with world.process(tmp_path / "log") as worker:
        world.await_audits(3)
        before = resident_mb(worker.process.pid)
        kinds = list(itertools.islice(itertools.cycle(BAD_SENDS), HOSTILE))
        world.put("sends", ((key, value) for _, key, value, _ in kinds))
        world.put("sends", [("r1", send_to("r1", "last"))])
        world.await_audits(HOSTILE + 4)
        assert resident_mb(worker.process.pid) - before < GROWTH_MB
        assert worker.stop() == 0
    assert len(BAD_SENDS) >= 30
    assert world.check(HOSTILE + 4) == {"clear": 2, "block": HOSTILE + 2}
    letters = world.read("deadletter")
    found = Counter(dict(m.headers())["gate-fault"].decode() for m in letters)
    assert found == Counter(fault for _, _, _, fault in kinds) + Counter(partition_wrong=2)
    placed = [m for m in letters if dict(m.headers())["gate-fault"] == b"partition_wrong"]
    assert {dict(m.headers())["gate-remedy"] for m in placed} == {b"partitioner=murmur2_random"}
    values = Counter(m.value() or b"" for m in letters if m not in placed)
    assert values == Counter(value or b"" for _, _, value, _ in kinds), "a dead letter is the record as it came"

    compression(world, "producer")  # as it was before the brokers unpacked batches
    wide = world.producer(**{"message.max.bytes": 200_000_000, "compression.type": "gzip", "linger.ms": 0})
    for number in range(BOMBS):
        world.put("consents", [(f"bomb-{number}", b" " * (120_000_000 if number % 8 == 7 else 7_500_000))], wide)
    compression(world, "uncompressed")
    world.put("sends", [("r1", send_to("r1", "behind"))])
    with world.process(tmp_path / "log") as worker:
        until(lambda: len(world.read("deadletter")) == len(letters) + BOMBS, "a dead letter for each bomb")
        world.await_audits(HOSTILE + 5)
        assert resident_mb(worker.process.pid) - before < GROWTH_MB
        assert worker.stop() == 0
    assert world.verdicts()["e-behind"] == ("block", "FACTS_UNAVAILABLE")
    bombs = [dict(m.headers()) for m in world.read("deadletter") if m.key() and m.key().startswith(b"bomb-")]
    assert Counter(one["gate-fault"] for one in bombs) == {b"value_too_long": BOMBS - BOMBS // 8}, "its key is read"
    assert {one["gate-size"] for one in bombs} == {b"7500000"}


@pytest.mark.main
def test_hostile_records_readably_signed_then_one_answer_each_and_no_partition_stops(
    world,
):
    made, written = Gate(), Counter[str]()
    made.at = int(time.time() * 1000)
    attacker, producer = Attacker(Random(1), world.settings.group), world.producer()
    for offset in range(ATTACKS):
        record = attacker.record(made, offset)
        topic = logical_name(record.topic)
        producer.produce(world.topic(topic), record.value, record.key, headers=list(record.headers))
        written[topic] += 1
    assert not producer.flush(60)

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == written["sends"] + written["acts"], "an answer each")
            before = len(world.audits())
            world.put("sends", [(f"r{number}", send_to(f"r{number}", f"r{number}")) for number in range(40)])
            await eventually(lambda: len(world.audits()) == before + 40, "the next sends of all partitions")
            assert app.gate.readiness()["refused"] == {}

    asyncio.run(run())
    places = Counter((one.src.topic, one.src.partition, one.src.offset) for one in world.audits())
    assert max(places.values()) == 1
    assert not [one for one in world.acted().values() if one.act.outcome == "failed"]
    assert not [one for one in world.audits() if "DECISION_FAILED" in [reason.code for reason in one.reasons]]
    assert len(written) == len(INPUTS)


def test_a_batch_of_consents_that_a_disk_spoilt_then_all_wait_for_two_managers(kafka, world):
    world.people(["r1", "r2"])
    world.put("consents", [("r3", consent_of("r3", "Withdrawn"))])
    place = next((m.partition(), m.offset()) for m in world.read("consents") if m.key() == b"r3")
    spoil(kafka, world, place[0], b"Withdrawn-r3")
    world.put("sends", [(name, send_to(name, name)) for name in ("r1", "r2")])

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == 2, "two sends")
            await eventually(lambda: len(world.read("deadletter")) == 1, "the dead letter")
            (told,) = app.gate.readiness()["withholding"]
            assert (told["record"], told["withholds"]) == ("consents/{}/{}".format(*place), "everybody")
            resolution = {
                "v": 1, "kind": "resolution", "id": "x1", "topic": "consents", "partition": place[0],
                "offset": place[1], "by": "hanako", "reason": "entered again", "at": "2026-01-01T09:00:00+09:00",
            }  # fmt: skip
            world.put("reference", [("resolution/x1", resolution)])
            await eventually(lambda: app.gate.readiness()["withholding"][0]["resolved"] == 1, "one manager's word")
            assert app.followers.store.withhold_everybody
            world.put("reference", [("resolution/x1", resolution | {"by": "taro"})])
            world.put("sends", [("r1", send_to("r1", "again"))])
            await eventually(lambda: len(world.read("cleared")) == 3, "the send behind the resolution, and all before")

    asyncio.run(run())
    withheld = ("block", "FACTS_UNAVAILABLE")
    assert world.verdicts() == {"e-r1": withheld, "e-r2": withheld, "e-again": ("clear", None)}
    (letter,) = (dict(m.headers()) for m in world.read("deadletter"))
    assert letter["gate-fault"] == b"batch_corrupt"

    number = partition_of(b"r1", world.partitions)
    spoil(kafka, world, number, ZSTD, "ledger")

    async def refused() -> None:
        async with world.worker() as app:
            (found,) = (await eventually(lambda: app.gate.readiness()["refused"], "a refusal")).items()
            assert found[0] == str(number)
            spoilt = text("error.ledger_spoilt", place=f"{world.topic('ledger')}/{number}/", sha256="")
            assert found[1].startswith(spoilt.partition("/")[0])
            world.put("sends", [(name, send_to(name, "behind")) for name in ("r1", other)])
            await eventually(lambda: "e-behind" in world.verdicts(), "the other partitions go on")

    other = next(f"o{n}" for n in itertools.count() if partition_of(f"o{n}".encode(), world.partitions) != number)
    asyncio.run(refused())


def resident_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
