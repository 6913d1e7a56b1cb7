"""The group's offsets are written once a second, and once more when traffic ends."""

from aiokafka import TopicPartition

from streams.worker.group_offsets import GroupOffsets

SENDS = TopicPartition("sends", 0)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_given_many_transactions_then_offsets_ride_with_one_a_second():
    time = Time()
    group, written = GroupOffsets(time), []
    for offset in range(300):
        if riding := group.riding({SENDS: offset}):
            written.append((time.now, riding[SENDS]))
        time.now += 0.01
    assert [offset for _, offset in written] == [0, 100, 200]


def test_given_the_end_of_traffic_then_the_last_offset_is_written_within_a_second():
    time = Time()
    group = GroupOffsets(time)
    assert group.riding({SENDS: 1}) == {SENDS: 1}
    assert group.seconds is None
    time.now += 0.25
    assert group.riding({SENDS: 2}) == {}
    assert group.seconds == 0.75
    assert group.left() == {}
    time.now += 0.75
    assert group.left() == {SENDS: 2}
    assert group.seconds is None
    assert group.left() == {}


def test_given_a_silent_hour_then_the_first_transaction_carries_its_offsets():
    time = Time()
    group = GroupOffsets(time)
    group.riding({SENDS: 1})
    time.now += 3600
    assert group.riding({SENDS: 2}) == {SENDS: 2}
