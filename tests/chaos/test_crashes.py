"""Workers and brokers die, halt and come back while sends flow: each send has one output and one audit record.

Each test asserts that it hurt in mid-flow; `Flow.check`, that nothing was lost, doubled or decided wrongly, and that
the manifests are contiguous up to the ledger's head. The moments come from `chance`: `scripts/chaos` tries many, with
more sends than the short form has.
"""

import signal

from tests.chaos.conftest import Flow, Group, many
from tests.worlds import send, until


def test_given_five_kills_of_the_worker_amid_sends_then_each_is_decided_once(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(many(10_000))
    with flow.worker(tmp_path / "worker.log") as worker:
        for _ in range(5):
            with flow.publishing(many(4_000)):
                flow.await_more(chance.randrange(1, many(2_500)))
                worker.kill()
                assert flow.interrupted()
            worker.start()
        assert flow.sent == many(30_000)
        flow.check()


def test_given_a_kill_of_the_broker_while_sends_flow_then_each_is_decided_once(kafka, world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(many(5_000))
    with flow.worker(tmp_path / "worker.log") as worker:
        flow.await_more(chance.randrange(1, many(2_500)))
        with flow.publishing(many(5_000)):
            kafka.kill()
            kafka.start()
        codes = flow.check(worker)
    assert set(codes) <= {3, 70}, "a worker that cannot go on says so by its exit code, and may be started again"


def test_given_group_offsets_lost_or_wrong_running_and_stopped_then_each_is_decided_once(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(4_000)
    with Group(world) as group, flow.worker(tmp_path / "worker.log") as worker:
        flow.await_more(chance.randrange(1, 2_000))
        assert not group.delete_offsets(*group.partitions), "Kafka refuses it while a member is subscribed"

        def without_member(change):
            group.expel("worker-0")
            return change()

        until(lambda: without_member(group.delete), "a moment without a member, to delete the group in")
        flow.publish(4_000)
        flow.await_decided(flow.sent)
        until(lambda: without_member(group.falsify), "a moment without a member, to falsify offsets in")
        until(lambda: group.members() == 1, "the member is back, with the falsified offsets")
        with flow.publishing(10_000):
            flow.await_more(chance.randrange(1, 2_500))
            assert worker.stop() == 0, "a graceful stop, in mid-flow"
            assert flow.interrupted()
        flow.publish(2_000)
        assert without_member(group.falsify)
        worker.start()
        flow.check()


def test_given_one_of_two_workers_killed_or_halted_past_its_session_then_each_is_decided_once(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(4_000)
    first = flow.worker(tmp_path / "first.log", worker="worker-0")
    second = flow.worker(tmp_path / "second.log", worker="worker-1")
    with Group(world) as group, first as steady, second as hurt:

        def shared():
            return steady.owned() and hurt.owned() and len(steady.owned() + hurt.owned()) == world.partitions

        def halted_in_a_transaction():
            if world.decided() + 1_000 > flow.sent:
                flow.publish(1_000)
            hurt.signal(signal.SIGSTOP)
            if any(all(group.in_transaction(number) for _ in range(5)) for number in hurt.owned()):
                return True
            hurt.signal(signal.SIGCONT)
            return False

        until(shared, "both own partitions")
        with flow.publishing(10_000):
            flow.await_more(chance.randrange(1, 2_500))
            hurt.kill()
            assert flow.interrupted()
        hurt.start()
        until(shared, "both own partitions again")
        until(halted_in_a_transaction, "a halt in a transaction")
        flow.await_decided(flow.sent)  # by the other one, once the session has timed out
        hurt.signal(signal.SIGCONT)
        until(shared, "the zombie is one of two again")
        flow.publish(2_000)
        assert flow.check(steady, hurt) == []


def test_given_kills_of_the_worker_while_people_act_then_each_act_is_answered_once(world, chance, tmp_path):
    flow = Flow(world)
    young = [f"y{number}" for number in range(300)]
    world.people(young, may_be_minor=True)
    world.put("sends", ((name, send(name, name)) for name in young))
    with flow.worker(tmp_path / "worker.log") as worker:
        until(lambda: len(world.items()) == len(young), "items to act on")
        for number, (name, item) in enumerate(sorted(world.items().items())):
            world.act(chance.choice(("release", "uphold", "ask", "redecide")), item, act_id=f"a-{name}")
            world.act("release", item, act_id=f"b-{name}", by="taro")
            if number % 20 == 0:
                flow.publish(200)
            if number % 100 == 50:
                worker.kill()
                worker.start()
        until(lambda: len(world.acted()) == 2 * len(young), "every act answered")
        flow.await_decided(flow.sent + len(young))
    released = [a.act.item for a in world.acted().values() if a.act and a.stage == "release" and a.verdict == "clear"]
    assert len(released) == len(set(released)) > 0
    world.check(flow.sent + len(young))


def test_given_kills_of_the_worker_while_a_list_is_called_back_then_each_piece_is_recalled_once(
    world, chance, tmp_path
):
    people = [f"s{number}" for number in range(6_000)]
    world.people(people, batch_id="B1")
    world.put("sends", ((name, send(name, name)) for name in people))
    with world.process(tmp_path / "worker.log") as worker:
        until(lambda: world.decided() >= len(people), "decisions")
        world.put("reference", [("batch/B1", {"v": 1, "kind": "batch", "id": "B1", "state": "quarantined"})])
        for _ in range(2):
            before = len(world.read("recalls"))
            wanted = before + chance.randrange(1, 600)
            until(lambda wanted=wanted: sum(world.ends("recalls")) >= wanted, "more recalls")
            worker.kill()
            assert len(world.read("recalls")) < len(people), "in the middle"
            worker.start()
        until(lambda: len(world.read("recalls")) >= len(people), "every recall")
    world.check(len(people))
