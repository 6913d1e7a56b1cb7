"""Workers and brokers die, halt and come back while sends flow: each send has one output and one audit record.

Each test asserts that it hurt in mid-flow, and `Flow.check` that nothing was lost, doubled, or decided wrongly, with
manifests contiguous up to the ledger's head. The moments come from `chance`; `scripts/chaos` tries many.
"""

import signal

from streams.broker import Broker
from tests.chaos.conftest import Flow, Group
from tests.worlds import World, until

MEMBER = "worker-0"


def test_given_five_kills_of_the_worker_in_30000_sends_then_each_is_decided_once(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(10_000)
    with world.process(tmp_path / "worker.log") as worker:
        for _ in range(4):
            flow.await_decided(world.decided() + chance.randrange(1, 2_500))
            worker.kill()
            assert flow.interrupted()
            worker.start()
            flow.publish(5_000)
        flow.await_decided(world.decided() + chance.randrange(1, 2_500))
        worker.kill()
        assert flow.interrupted()
        worker.start()
        assert flow.sent == 30_000
        flow.check()


def test_given_kills_of_the_broker_while_sends_flow_then_each_is_decided_once(prefix, chance, tmp_path):
    with Broker(tmp_path / "kafka") as broker:
        world = World(broker.bootstrap, prefix).create()
        flow = Flow(world)
        flow.publish(5_000)
        with world.process(tmp_path / "worker.log") as worker:
            flow.await_decided(chance.randrange(1, 2_500))
            with flow.publishing(5_000):
                broker.kill()
                broker.start()
            codes = flow.check(worker)
    assert set(codes) <= {3, 70}, "a worker that cannot go on says so by its exit code"


def test_given_sigterm_in_mid_flow_then_exit_0_and_the_next_start_goes_on(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(8_000)
    with world.process(tmp_path / "worker.log") as worker:
        flow.await_decided(chance.randrange(1, 2_500))
        assert worker.stop() == 0
        assert flow.interrupted()
        worker.start()
        flow.check()


def test_given_group_offsets_lost_or_wrong_then_nothing_is_repeated_or_lost(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(4_000)
    with Group(world) as group, world.process(tmp_path / "worker.log") as worker:
        flow.await_decided(chance.randrange(1, 2_000))
        assert not group.delete_offsets(*group.partitions), "Kafka refuses it while a member is subscribed"

        def without_member(change):
            group.expel(MEMBER)
            return change()

        until(lambda: without_member(group.delete), "a moment without a member to delete the group in")
        flow.publish(4_000)
        flow.await_decided(flow.sent)
        until(lambda: without_member(group.falsify), "a moment without a member to falsify offsets in")
        flow.publish(4_000)
        flow.await_decided(flow.sent - chance.randrange(1, 2_000))

        worker.kill()
        flow.publish(4_000)
        assert without_member(group.falsify)
        worker.start()
        flow.check()


def test_given_two_workers_and_one_killed_or_halted_past_its_session_then_each_is_decided_once(world, chance, tmp_path):
    flow = Flow(world)
    flow.publish(4_000)
    first = world.process(tmp_path / "first.log", worker="worker-0")
    second = world.process(tmp_path / "second.log", worker="worker-1")
    with Group(world) as group, first as steady, second as hurt:

        def owned():
            return hurt.events("partition_owned")

        def resumed():
            until(lambda: group.members() == 2 and hurt.events("assigned")[-1]["partitions"], "both own partitions")

        resumed()
        flow.publish(4_000)
        flow.await_decided(flow.sent - chance.randrange(1, 2_000))
        hurt.kill()
        flow.publish(4_000)
        hurt.start()
        flow.await_decided(flow.sent)

        def halted_in_a_transaction():
            flow.publish(1_000)
            hurt.signal(signal.SIGSTOP)
            mine = hurt.events("assigned")[-1]["partitions"]
            if any(all(group.in_transaction(p) for _ in range(5)) for p in mine):
                return True
            hurt.signal(signal.SIGCONT)
            return False

        until(halted_in_a_transaction, "a halt in a transaction")
        flow.publish(2_000)
        flow.await_decided(flow.sent)  # by the other one, once the session has timed out
        hurt.signal(signal.SIGCONT)
        assert hurt.wait() == 70
        hurt.start()
        flow.publish(2_000)
        assert flow.check(steady, hurt) == []
