"""Acts about withheld sends, on real Kafka: each act is answered once, even if several people act at once."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from schemas.codec import encode
from schemas.topics import subject_key
from tests.support import roles, staff
from tests.support.invented import item_act
from tests.support.world import World, consent_of, eventually, send_to

NOW = {"at": "2026-01-01T09:00:00+09:00"}


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix, partitions=2, max_lag=30.0).create()


def young(world: World, count: int, **more: str) -> list[str]:
    """People of whom it is not known whether they are of age: a reviewer may release what is sent to them."""
    names = [f"y{number}" for number in range(count)]
    world.people(names, may_be_minor=True)
    world.put("sends", ((name, send_to(name, name, **more)) for name in names))
    return names


async def items(world: World, count: int) -> dict:
    await eventually(lambda: sum(world.ends("review")) >= count and len(world.items()) == count, f"{count} items")
    return world.items()


async def answered(world: World, count: int) -> None:
    def enough() -> bool:
        return sum(world.ends("audit")) >= count and len(world.acted()) >= count

    await eventually(enough, f"{count} acts answered")


@pytest.mark.main
def test_given_acts_good_and_bad_then_each_has_one_answer_and_nothing_stops(world):
    young(world, 4)
    world.put("sends", [("u1", send_to("u1", "u1"))])
    bad = [b"", b"{", b'{"v":1,"kind":"fly"}', b"x" * 70_000]
    outcomes = {
        "wrong-decision": ("refused", "item_differs"),
        "no-such-place": ("refused", "item_unknown"),
        "another-partition": ("refused", "item_elsewhere"),
        "hard": ("refused", "hard"),
        "good": ("cleared", None),
        "late": ("refused", "closed"),
        "expired": ("refused", "too_old"),
        "nobody": ("refused", "unsigned"),
        "upheld": ("upheld", None),
        "seen": ("recorded", None),
        "looked": ("recorded", None),
        "last": ("cleared", None),
    }

    async def run() -> None:
        async with world.worker():
            found = await items(world, 5)
            item, elsewhere = found["e-y0"], found["e-y1"]
            there = item["review"]["partition"]
            world.act("release", item, act_id="wrong-decision", decision_id="A" * 26)
            world.act("release", item, act_id="no-such-place", review={"partition": there, "offset": 99_999})
            value = item_act("release", item, act_id="another-partition", at=staff.now())
            world.put("acts", [("y0", value)], partition=1 - there)
            world.act("release", found["e-u1"], act_id="hard", evidence_ref="x")
            for each in bad:
                world.put("acts", [(None, each)], partition=there)
            world.act("release", item, act_id="good")
            world.act("release", item, act_id="late")
            world.put("acts", [("y1", item_act("release", elsewhere, act_id="expired") | NOW)],
                      partition=elsewhere["review"]["partition"])  # fmt: skip
            value = item_act("uphold", elsewhere, act_id="nobody", at=staff.now())
            world.put("acts", [("y1", orjson.dumps(value))], partition=elsewhere["review"]["partition"])
            world.act("uphold", elsewhere, act_id="upheld")
            world.act("reveal", elsewhere, act_id="seen")
            looked = {"v": 1, "kind": "reveal_topic", "act_id": "looked", "by": "hanako", "subject": "topic/sends"}
            world.put("acts", [("topic/sends", looked | {"at": staff.now()})], partition=there)
            world.act("release", found["e-y3"], act_id="last")
            await answered(world, len(outcomes) + len(bad))
            world.put("sends", [("y0", send_to("y0", "next"))])
            await eventually(lambda: "e-next" in world.verdicts(), "the next send")

    asyncio.run(run())
    assert world.outcomes() == outcomes
    assert Counter(a.act.outcome for a in world.acted().values())["unreadable"] == len(bad)
    letters = [dict(m.headers())["gate-source"] for m in world.read("deadletter")]
    assert sum(letter.startswith(b"acts/") for letter in letters) == len(bad)
    world.check(6)


def test_given_two_clients_racing_on_100_items_then_each_item_has_one_outcome(world):
    names = young(world, 100)

    def client(found: dict, who: str, kinds: list[str]) -> None:
        producer = world.producer()
        for number, name in enumerate(names):
            kind = kinds[number % len(kinds)]
            world.act(kind, found[f"e-{name}"], producer, act_id=f"{who}-{name}", by=who)

    async def run() -> None:
        async with world.worker():
            found = await items(world, 100)
            with ThreadPoolExecutor(2) as threads:
                loop = asyncio.get_running_loop()
                await asyncio.gather(
                    loop.run_in_executor(threads, client, found, "hanako", ["release", "uphold"]),
                    loop.run_in_executor(threads, client, found, "taro", ["uphold", "release", "release"]),
                )
            await answered(world, 200)

    asyncio.run(run())
    by_item = Counter(a.act.item for a in world.acted().values() if a.act.outcome in ("cleared", "upheld"))
    assert len(by_item) == 100
    assert set(by_item.values()) == {1}
    assert Counter(world.outcomes().values())["refused", "closed"] == 100
    world.check(100)


def test_a_script_of_single_releases_over_six_partitions_then_the_limit_counts_all(kafka, prefix):
    """500 releases, 83 a partition, each saying that it is one alone; and a forger who floods another's name."""
    world = World(kafka.bootstrap, prefix, partitions=6, max_lag=30.0).create()
    names = young(world, 501, campaign_id="K-1")[:-1]

    def script(found: dict) -> None:
        for partition in range(world.partitions):
            here = [one for one in found.values() if one["review"]["partition"] == partition]
            acts = [
                item_act("release", one, act_id=f"a-{one['recipient_id']}", at=staff.now(), by="kenji") for one in here
            ]
            forged = [{**act, "by": "yuki", "act_id": f"f-{act['act_id']}"} for act in acts]
            world.put("acts", [(act["recipient_id"], act) for act in acts], partition=partition)
            world.put("acts", [(act["recipient_id"], orjson.dumps(act)) for act in forged], partition=partition)

    async def run() -> None:
        async with world.worker():
            found = await items(world, len(names) + 1)
            own = found.pop("e-y500")
            script(found)
            await answered(world, 2 * len(names))
            world.act("release", own, act_id="yukis", by="yuki")
            await answered(world, 2 * len(names) + 1)

    asyncio.run(run())
    outcomes = Counter(outcome for name, outcome in world.outcomes().items() if name.startswith("a-"))
    assert outcomes["cleared", None] <= 100, outcomes
    assert outcomes.total() == outcomes["cleared", None] + outcomes["waiting", None] == len(names)
    assert {outcome for name, outcome in world.outcomes().items() if name.startswith("f-")} == {("refused", "unsigned")}
    assert world.outcomes()["yukis"] == ("cleared", None)
    alone = [one.act.counted for one in world.acted().values() if one.act.outcome == "cleared"]
    assert max(alone) <= 100 < max(one.act.counted or 0 for one in world.acted().values())


@pytest.mark.main
def test_given_a_withdrawal_acknowledged_before_the_release_then_it_wins_every_time(world):
    names = young(world, 200)

    def race(found: dict) -> None:
        producer = world.producer(**{"linger.ms": 0})
        for name in names:
            world.put("consents", [(name, consent_of(name, "Withdrawn"))], producer)  # acknowledged when it returns
            world.act("release", found[f"e-{name}"], producer, act_id=f"a-{name}")

    async def run() -> None:
        async with world.worker() as app:
            found = await items(world, 200)
            await eventually(lambda: app.gate.readiness()["ready"], "readiness")
            await asyncio.to_thread(race, found)
            await answered(world, 200)

    asyncio.run(run())
    assert Counter(world.outcomes().values()) == {("withheld", None): 200}
    reasons = Counter(code for a in world.acted().values() for code in (r.code for r in a.reasons))
    assert reasons["RELEASE_SUPERSEDED"] == reasons["CONSENT_WITHDRAWN"] == 200
    assert world.read("cleared") == []
    world.check(200)


ALLOWED = {
    **dict.fromkeys(("claim", "note", "reveal", "reveal_topic", "resume_partition"), ("recorded", None)),
    **dict.fromkeys(
        ("withdraw", "erase", "readmit", "suspend", "resume", "quarantine", "activate"), ("recorded", None)
    ),
    **dict.fromkeys(("release", "uphold", "ask", "redecide", "undo", "approve"), ("refused", "item_unknown")),
    **dict.fromkeys(("handoff", "cancel"), ("done", None)),
    "reemit": ("refused", "not_cleared"),
}
"""The answer to each act of somebody who may do it, where there is no such item, and no such piece."""


def test_every_act_of_every_role_then_the_worker_allows_those_of_the_table_alone(world):
    group, expected = world.settings.group, {}
    for said in roles.on_record():
        world.put("reference", staff.signed(said, "hanako", "taro", origin=group))
    producer = world.producer()
    for role, by in roles.PERSON.items():
        for kind in roles.KINDS:
            for vouched in (False, True):
                id_ = f"{role}.{kind}.{'word' if vouched else 'key'}"
                act = roles.act_of(kind, by, at=staff.now(), act_id=id_)
                header = staff.vouched(act, origin=group) if vouched else staff.header(act, origin=group)
                key = subject_key("acts", act).encode()
                producer.produce(world.topic("acts"), encode(act), key, partition=0, headers=[header])
                code = roles.refusal(role, kind, vouched=vouched)
                expected[id_] = ("refused", code) if code else ALLOWED[kind]
    assert producer.flush(30) == 0

    async def run() -> None:
        async with world.worker():
            await answered(world, len(expected))

    asyncio.run(run())
    found = world.outcomes()
    assert {id_: (found[id_], one) for id_, one in expected.items() if found[id_] != one} == {}
    for role in ("reviewer", "approver", "manager"):
        codes = {outcome for id_, outcome in expected.items() if id_.startswith(f"{role}.")}
        assert ("recorded", None) in codes
        assert {("refused", "role"), ("refused", "vouched_not_enough")} & codes
    world.check(0)
