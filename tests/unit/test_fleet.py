"""The fleet: who owns what, and what needs a person, from what Kafka and the log show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.audit.log.branch_files import Held
from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.management.fleet import PATIENCE_MS, ConsumerGroup, Fleet, InputPartition, LastWrite, Member, fleet

NOW, SESSION = 1_000_000, 10_000
BOUND = SESSION + PATIENCE_MS
ONE = Member("worker-0", "worker-0-uuid", "10.0.0.7", (0, 1))


def waits(since: int | None, written: LastWrite | None = None) -> InputPartition:
    return InputPartition(0, 5, Head(sends=3), since, written)


def seen(
    *places: InputPartition, members: tuple[Member, ...] = (ONE,), state: str = "Stable", seal: SealStatus | None = None
) -> Fleet:
    return fleet(ConsumerGroup(state, members), dict(enumerate(places)), at=NOW, session_ms=SESSION, seal=seal)


def test_every_partition_owned_and_nothing_waits_then_no_trouble() -> None:
    found = seen(InputPartition(0, 0), waits(None))
    assert found.troubles == ()
    assert [each.owner for each in found.partitions] == [ONE, ONE]


def test_no_member_then_no_partition_has_an_owner_even_where_nothing_waits() -> None:
    found = seen(InputPartition(0, 0), InputPartition(0, 0), members=(), state="Dead")
    assert found.troubles == ("no_owner",)
    assert [each.number for each in found.unowned] == [0, 1]


def test_a_member_without_a_partition_then_the_partition_has_no_owner() -> None:
    found = seen(InputPartition(0, 0), InputPartition(0, 0), InputPartition(0, 0))
    assert [each.number for each in found.unowned] == [2]


def test_a_partition_that_is_refused_then_that_is_the_trouble_and_not_its_silence() -> None:
    note = Refused("error.sends_expired", {}, NOW - 60_000)
    found = seen(replace(waits(NOW - BOUND - 1), refused=note), InputPartition(0, 0))
    assert found.troubles == ("refused",)
    assert [each.number for each in found.refused] == [0]


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance"])
def test_partitions_being_shared_out_then_that_is_told_apart_from_a_dead_worker(state: str) -> None:
    found = seen(InputPartition(0, 0), members=(Member("worker-0", "id", "10.0.0.7", ()),), state=state)
    assert (found.troubles, found.sharing_out) == (("no_owner",), True)


@pytest.mark.parametrize(
    ("waited", "written", "silent"),
    [
        (BOUND, None, False),
        (BOUND + 1, None, True),
        (BOUND + 1, LastWrite("worker-0", NOW - BOUND), False),
        (BOUND + 1, LastWrite("worker-0", NOW - BOUND - 1), True),
        # a take-over writes a manifest first: what the former owner wrote says nothing of this one
        (BOUND + 1, LastWrite("worker-9", NOW), True),
        # decided after the heads were read
        (-500, LastWrite("worker-0", NOW + 600), False),
    ],
)
def test_sends_wait_then_an_owner_that_is_silent_for_too_long_is_not_deciding(
    waited: int, written: LastWrite | None, silent: bool
) -> None:
    found = seen(waits(None), waits(NOW - waited, written))
    assert [each.number for each in found.undecided] == ([1] if silent else [])
    assert found.troubles == (("not_deciding",) if silent else ())


def test_an_owner_that_is_silent_and_nothing_waits_then_no_trouble() -> None:
    assert seen(waits(None, LastWrite("worker-0", 0)), InputPartition(0, 0)).troubles == ()


def test_sends_wait_on_a_partition_without_an_owner_then_that_is_said_once() -> None:
    assert seen(waits(0), members=()).troubles == ("no_owner",)


def test_no_head_then_all_that_is_kept_lags_and_expired_sends_do_not() -> None:
    found = seen(InputPartition(40, 100), InputPartition(0, 5, Head(sends=3)))
    assert [each.place.lag for each in found.partitions] == [60, 2]
    assert found.lag == 62


def test_workers_then_each_with_what_it_owns_and_wrote_last_also_one_that_is_gone() -> None:
    places = (
        InputPartition(0, 0, written=LastWrite("worker-0", 7)),
        InputPartition(0, 0, written=LastWrite("worker-0", 9)),
        InputPartition(0, 0, written=LastWrite("worker-5", 4)),
    )
    idle = Member("worker-1", "id", "10.0.0.8", ())
    found = seen(*places, members=(idle, ONE))
    assert [(each.name, each.host, each.partitions, each.written_at) for each in found.workers] == [
        ("worker-0", "10.0.0.7", (0, 1), 9),
        ("worker-1", "10.0.0.8", (), None),
        ("worker-5", None, (), 4),
    ]


def test_members_without_a_name_then_kafkas_name_tells_them_apart() -> None:
    members = (Member("", "faust-a", "h", (0,)), Member("", "faust-b", "h", (1,)))
    found = seen(
        InputPartition(0, 0, written=LastWrite("", 7)), InputPartition(0, 0, written=LastWrite("", 9)), members=members
    )
    assert [(each.name, each.written_at) for each in found.workers] == [("faust-a", 7), ("faust-b", 9)]
    assert seen(waits(0, LastWrite("", NOW)), members=members).troubles == ()


def test_a_log_that_cannot_be_read_then_that_needs_a_person() -> None:
    wrong = SealStatus(error=IntegrityError("error.log_checkpoint_wrong"))
    assert seen(InputPartition(0, 0), seal=wrong).troubles == ("log_unreadable",)
    assert seen(InputPartition(0, 0), seal=SealStatus(3, NOW)).troubles == ()


def test_a_partition_whose_sealing_waits_for_a_choice_then_that_needs_a_person() -> None:
    held = SealStatus(3, NOW, held=(Held(partition=2, offset=70, sealed="a" * 64, head="b" * 64),))
    assert seen(InputPartition(0, 0), seal=held).troubles == ("sealing_held",)
