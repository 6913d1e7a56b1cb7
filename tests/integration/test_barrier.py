"""The first promise: no send is cleared after a withdrawal was acknowledged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import orjson
import pytest
from structlog.testing import capture_logs

from gatekeeper.ground.errors import RestartError
from streams.worker import open_transactions, ownership_epoch, reevaluation
from streams.worker.facts import Followers
from streams.worker.kept_facts import KeptFacts
from tests.support.world import World, consent_of, controller_record, eventually, send_to

LAG = 30.0
"""Seconds for which a chunk waits for the facts here; nothing else waits."""


class WithoutBarrier(Followers):
    """The switch that exists only here: facts are followed, and nobody waits for them."""

    async def barrier(self, timeout: float) -> bool:
        return True


class Watched(Followers):
    """Notes what readiness says while the barrier is passed."""

    gate = None
    waiting: ClassVar[list] = []

    async def barrier(self, timeout: float) -> bool:
        if self.gate:
            self.waiting += self.gate.readiness()["waiting"].values() or [None]
        return await super().barrier(timeout)


@pytest.fixture
def world(kafka, prefix) -> World:
    world = World(kafka.bootstrap, prefix, max_lag=LAG).create()
    world.people(["r1", "r2"])
    return world


@contextlib.asynccontextmanager
async def held(followers: Followers) -> AsyncIterator[Callable[[], None]]:
    """Stops a follower between two reads; yields what lets it go on."""
    read, reached, go = followers._reader.getmany, asyncio.Event(), asyncio.Event()

    async def waiting(*args, **kwargs):
        reached.set()
        await go.wait()
        return await read(*args, **kwargs)

    followers._reader.getmany = waiting
    await reached.wait()
    yield go.set
    go.set()


def withdrawal(world: World) -> None:
    world.put("consents", [("r1", consent_of("r1", "Withdrawn"))])


def transactional_withdrawal(world: World) -> None:
    with world.transaction() as through:
        world.put("consents", [("r1", consent_of("r1", "Withdrawn"))], through)
        through.commit_transaction(30)


def suspension(world: World) -> None:
    world.put("reference", [controller_record(suspended_since="2026-01-01T09:00:00+09:00")])


def objection_of(name: str) -> dict[str, Any]:
    said = {"v": 1, "kind": "objection", "received_at": "2026-01-01"}
    return {**said, "suppression_id": f"x-{name}", "recipient_id": name}


def objection(world: World) -> None:
    world.put("suppressions", [("r1", objection_of("r1"))])


FACTS = {transactional_withdrawal: "CONSENT_WITHDRAWN", suspension: "SENDING_SUSPENDED", objection: "SUBJECT_OBJECTED"}


async def send_after(world: World, fact: Callable[[World], None], followers: type[Followers], *, waits: bool) -> None:
    async with world.worker(followers=followers) as app:
        await eventually(lambda: app.followers.store.people == 2 and app.gate.readiness()["partitions"], "facts")
        world.put("sends", [("r2", send_to("r2", "before"))])
        await eventually(lambda: len(world.audits()) == 1, "a send before")
        async with held(app.followers) as let_go:
            await asyncio.to_thread(fact, world)  # acknowledged when this returns
            world.put("sends", [("r1", send_to("r1", "after"))])
            if waits:
                await eventually(lambda: "facts" in app.gate.readiness()["waiting"].values(), "the barrier holds")
                assert not app.gate.readiness()["ready"]
                assert len(world.audits()) == 1, "judged although a fact was not applied"
                let_go()
            await eventually(lambda: len(world.audits()) == 2, "the send after")


@pytest.mark.main
@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_given_an_acknowledged_fact_then_the_send_waits_for_it_and_is_withheld(world, fact):
    asyncio.run(send_after(world, fact, Followers, waits=True))
    assert world.verdicts() == {"e-before": ("clear", None), "e-after": ("block", FACTS[fact])}


def test_given_no_barrier_then_the_same_send_is_cleared_so_the_test_above_can_fail(world):
    asyncio.run(send_after(world, transactional_withdrawal, WithoutBarrier, waits=False))
    assert world.verdicts()["e-after"] == ("clear", None)


def test_an_older_copy_of_the_facts_below_a_worker_then_it_ends_and_clears_nothing(world, tmp_path):
    kept = KeptFacts(tmp_path, origin=world.settings.group, identity=b"one", key=bytes(32))
    file = tmp_path / "0" / "data.mdb"

    async def committed(app) -> bytes:
        followers = app.followers
        await eventually(lambda: kept._last == followers._positions and followers._commit.done(), "all is committed")
        return file.read_bytes()

    async def run() -> None:
        async with world.worker(kept=kept) as app:
            await eventually(lambda: app.followers.store.people == 2 and app.gate.readiness()["partitions"], "facts")
            older = await committed(app)
            await asyncio.to_thread(withdrawal, world)
            await eventually(lambda: app.followers.store.may_name("r1", {b"Withdrawn"}), "the withdrawal")
            assert await committed(app) != older
            with file.open("r+b") as below:  # the same inode, as `rsync --inplace` leaves it
                below.write(older)
            world.put("sends", [("r1", send_to("r1", "after"))])
            await eventually(lambda: app.failures, "it ends")

    with pytest.raises(RestartError):
        asyncio.run(run())
    assert world.audits() == []


def test_a_partition_added_to_facts_then_what_is_on_it_binds_before_a_send_is_judged(
    world,
):
    names = [f"p{number}" for number in range(30)]
    world.people(names)

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: app.gate.readiness()["ready"], "readiness")
            added = await asyncio.to_thread(world.grow, "suppressions")
            world.put("suppressions", [(name, objection_of(name)) for name in names], partition=added)
            world.sends(names)
            await eventually(lambda: app.failures, "it ends")

    with pytest.raises(RestartError, match=r"suppressions.*new partitions"):
        asyncio.run(run())
    assert world.audits() == []

    async def again() -> None:
        async with world.worker():
            await eventually(lambda: len(world.audits()) == len(names), "the sends")

    asyncio.run(again())
    assert {*world.verdicts().values()} == {("block", "SUBJECT_OBJECTED")}


def test_an_open_foreign_transaction_then_sends_are_withheld_until_it_is_aborted(world, monkeypatch):
    monkeypatch.setattr(reevaluation, "AGAIN_SECONDS", 0.5)
    world.max_lag = 2.0
    stale = [f"p{number}" for number in range(150)]
    world.people(stale)
    monkeypatch.setattr(open_transactions, "LOOK_SECONDS", 0.1)

    def named() -> bool:
        held = [one for one in logs if one["event"] == "transaction_open"]
        return [one["transaction"] for one in held] == [f"{world.prefix}foreign"] and "abort" in held[0]["command"]

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: app.gate.readiness()["ready"], "readiness")
            with world.transaction() as through:
                world.put("consents", [("r2", consent_of("r2", "Withdrawn"))], through)
                world.put("sends", [(name, send_to(name, name)) for name in stale])
                await eventually(lambda: "facts" in app.gate.readiness()["waiting"].values(), "the barrier holds")
                assert not app.gate.readiness()["ready"]
                await eventually(named, "the log names who holds the barrier")
                await eventually(lambda: len(world.verdicts()) == len(stale), "the sends, withheld")
                assert not world.acted(), "nothing is judged again while facts are late"
                await asyncio.to_thread(through.abort_transaction, 30)
            await eventually(lambda: len(world.read("cleared")) == len(stale), "all of them, cleared")
            world.put("sends", [("r1", send_to("r1", "later"))])
            await eventually(lambda: "e-later" in world.verdicts(), "the send after")
            await eventually(lambda: app.gate.readiness()["ready"], "readiness again")

    with capture_logs() as logs:
        asyncio.run(run())
    withheld = {f"e-{name}": ("block", "FACTS_STALE") for name in stale}
    assert world.verdicts() == {**withheld, "e-later": ("clear", None)}
    done = [a.act for a in world.acted().values()]
    assert [(act.by, act.outcome) for act in done] == [("gatekeeper", "cleared")] * len(stale)
    assert len({act.item for act in done}) == len(stale)
    assert not world.read("acts"), "nobody did anything"
    world.check(len(stale) + 1)


def test_given_a_race_of_600_withdrawals_and_sends_then_none_is_cleared(world, monkeypatch):
    monkeypatch.setattr(ownership_epoch, "LATE_SECONDS", 60.0)  # a slow machine is no busy worker
    names = [f"p{i}" for i in range(600)]
    world.people(names)

    def race() -> None:
        producer = world.producer(**{"linger.ms": 0})

        def acknowledged(name: str) -> Callable:
            def then(error, message) -> None:
                assert error is None
                producer.produce(world.topic("sends"), encoded[name], name)

            return then

        for name in names:
            fact = withdrawals[name]
            producer.produce(world.topic("consents"), fact, name, on_delivery=acknowledged(name))
            producer.poll(0)
        assert producer.flush(60) == 0
        assert producer.flush(60) == 0  # what the last acknowledgements sent

    encoded = {name: orjson.dumps(send_to(name, name)) for name in names}
    withdrawals = {name: orjson.dumps(consent_of(name, "Withdrawn")) for name in names}

    async def run() -> None:
        async with world.worker(followers=Watched) as app:
            await eventually(lambda: app.gate.readiness()["ready"], "readiness")
            app.followers.gate = app.gate
            world.sends(names[:300], first=10_000)  # a flood before them
            await asyncio.to_thread(race)
            # the flood's pieces are called back besides, as their people withdrew
            await eventually(lambda: sum(a.stage == "intake" for a in world.audits()) == 900, "all sends")
            assert set(Watched.waiting) == {None}, "a busy worker is ready"

    asyncio.run(run())
    verdicts = world.verdicts()
    raced = [verdicts[f"e-{name}"] for name in names]
    assert raced == [("block", "CONSENT_WITHDRAWN")] * len(names)
    assert sum(verdict == "clear" for verdict, _ in verdicts.values()) > 0, "the flood before was cleared"
