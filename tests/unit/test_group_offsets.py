"""The group's offsets are written once a second at most, and once more when traffic ends."""

from aiokafka import TopicPartition

from streams.worker.group_offsets import GroupOffsets

SENDS = TopicPartition("sends", 0)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


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
