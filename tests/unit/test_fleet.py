"""The fleet: who owns what, and what needs a person, from what Kafka and the log show."""

from __future__ import annotations

import pytest

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.head import Head
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


@pytest.mark.parametrize(
    ("waited", "written", "silent"),
    [
        (BOUND, None, False),
        (BOUND + 1, None, True),
        (BOUND + 1, LastWrite("worker-0", NOW - BOUND), False),
        (BOUND + 1, LastWrite("worker-9", NOW), True),
    ],
)
def test_sends_wait_then_an_owner_that_is_silent_for_too_long_is_not_deciding(
    waited: int, written: LastWrite | None, silent: bool
) -> None:
    found = seen(waits(None), waits(NOW - waited, written))
    assert [each.number for each in found.undecided] == ([1] if silent else [])
    assert found.troubles == (("not_deciding",) if silent else ())


def test_a_log_that_cannot_be_read_then_that_needs_a_person() -> None:
    wrong = SealStatus(error=IntegrityError("error.log_checkpoint_wrong"))
    assert seen(InputPartition(0, 0), seal=wrong).troubles == ("log_unreadable",)
    assert seen(InputPartition(0, 0), seal=SealStatus(3, NOW)).troubles == ()
    assert seen(waits(None, LastWrite("worker-0", 0)), InputPartition(0, 0)).troubles == (), "silent, and nothing waits"
