"""A leader is believed once enough replicas name it that one of them knows every acknowledgement."""

import asyncio
from itertools import combinations
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from streams.client.leaders import Answer, Cluster, Leader, Leaders, needed, newest, partitions

TP = TopicPartition("t", 0)
THREE = frozenset({1, 2, 3})
OLD, NEW = Leader(5, 1, THREE), Leader(6, 2, THREE)


def found(told: dict[int, Leader], min_insync: int = 2, known: Leader | None = None) -> Leader | None:
    answers = frozenset((node, Answer({TP: leader}, {"t": min_insync})) for node, leader in told.items())
    return newest((TP,), answers, (known,))[0]


@pytest.mark.parametrize("replicas", [1, 3, 4, 5])
def test_so_many_answers_then_one_is_of_a_replica_that_knows_any_acknowledgement(replicas):
    for min_insync in range(1, replicas + 1):
        for knowing in combinations(range(replicas), min_insync):
            for asked in combinations(range(replicas), needed(replicas, min_insync)):
                assert set(knowing) & set(asked)


@pytest.mark.parametrize("brokers", [1, 3, 4])
def test_enough_brokers_then_they_know_a_partition_that_was_just_added(brokers):
    everybody, added = frozenset(range(brokers)), TopicPartition("t", 1)
    for min_insync in range(1, brokers + 1):
        for knowing in combinations(everybody, min_insync):
            for asked in combinations(everybody, needed(brokers, min_insync)):
                own = [(TP, added) if node in knowing else (TP,) for node in asked]
                told = [
                    (node, Answer({tp: Leader(5, 0, frozenset({node})) for tp in tps}, {"t": min_insync}, everybody))
                    for node, tps in zip(asked, own, strict=True)
                ]
                assert partitions(frozenset(told), frozenset()) == {TP, added}
                assert partitions(frozenset(told[1:]), everybody) is None


def test_given_two_of_three_then_the_newest_epoch_is_believed():
    assert found({1: OLD}) is None, "a deposed leader alone"
    assert found({1: OLD, 2: NEW}) == NEW
    assert found({1: OLD, 3: OLD}) == OLD


def test_given_an_epoch_known_before_then_older_answers_do_not_replace_it():
    assert found({1: OLD, 3: OLD}, known=NEW) == NEW


def test_given_min_insync_1_then_every_replica_must_answer():
    assert found({1: OLD, 2: NEW}, min_insync=1) is None
    assert found({1: OLD, 2: NEW, 3: NEW}, min_insync=1) == NEW


def test_given_a_broker_with_a_lower_min_insync_then_that_counts():
    answers = frozenset({(1, Answer({TP: OLD}, {"t": 2})), (2, Answer({TP: NEW}, {"t": 1}))})
    assert newest((TP,), answers, (None,)) == (None,)


def test_given_a_reassignment_then_old_and_new_replicas_must_answer():
    both = Leader(5, 1, frozenset({1, 2, 3, 4, 5, 6}))
    assert found({1: OLD, 2: both, 3: both, 4: both}) is None
    assert found({1: OLD, 2: both, 3: both, 4: both, 5: both}) == both


def test_given_answers_of_brokers_without_a_copy_then_they_do_not_count():
    assert found({1: OLD, 7: OLD, 8: OLD}) is None
    assert found({1: OLD, 7: NEW, 8: OLD}, known=OLD) is None


def test_a_topic_made_again_then_its_epochs_start_over_and_all_must_name_it():
    again = Leader(0, 3, THREE, of="again")
    assert found({1: OLD, 2: again}) is None, "one has not heard of it yet"
    assert found({1: OLD, 2: again}, known=OLD) is None
    assert found({2: again, 3: again}, known=NEW) == again
    leaders = Leaders()
    leaders.learn({TP: NEW}, 1.0)
    leaders.learn({TP: again}, 2.0)
    assert leaders.get(TP) == again


def metadata(leader: int) -> SimpleNamespace:
    partitions = [(0, 0, leader, [1, 2, 3], [1, 2, 3])]
    brokers = [(node, "h", 1, None) for node in THREE]
    return SimpleNamespace(API_VERSION=1, brokers=brokers, controller_id=1, topics=[(0, "t", False, partitions)])


def test_a_leader_found_after_any_broker_told_one_then_clients_go_to_it_at_once():
    async def run() -> None:
        leaders, now = Leaders(), asyncio.get_running_loop().time()
        cluster = Cluster(leaders)
        assert cluster.leader_for_partition(TP) is None
        leaders.learn({TP: NEW}, now)
        assert cluster.leader_for_partition(TP) == 2
        cluster.update_metadata(metadata(3))
        assert cluster.leader_for_partition(TP) == 3, "told later, and it may have been elected since"
        leaders.learn({TP: NEW}, asyncio.get_running_loop().time() + 1)
        assert cluster.leader_for_partition(TP) == 2
        leaders.learn({TP: OLD}, asyncio.get_running_loop().time() + 2)
        assert cluster.leader_for_partition(TP) == 2, "an older epoch"

    asyncio.run(run())
