"""Each alert about worker, facts and proof fires for its cause: the real worker in virtual time, by its real page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.simulation.scraped import WELL_MINUTES, Scraped, scraped
from tests.simulation.worker import Wall
from tests.support import invented
from tests.support.scrapes import demand_promtool

NOT_READY = 'ProcessNotReady{job="gatekeeper-worker",instance="worker"}'
REFUSED = 'PartitionRefused{partition="0",reason="error.sends_expired"}'
Cause = Callable[[Scraped], Any]
Raises = Callable[..., None]


@pytest.fixture
def raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raises:
    """Has a cause come upon a gate in health; exactly these alerts must fire at its end, and none before it."""
    demand_promtool()

    def check(cause: Cause, *firing: str) -> None:
        found = scraped(tmp_path, monkeypatch, cause)
        said = found.wrong({WELL_MINUTES - 1: [], found.minutes - 1: firing})
        assert not said, said

    return check


def test_more_sends_than_slow_machine_and_brokers_decide_then_sends_wait_too_long(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        processor = Wall.processor
        it.patch.setattr(Wall, "processor", lambda self: processor(self) + it.now())
        it.patch.setattr(it.it.network, "latency", lambda: 0.8)
        await it.minutes(14, lambda: it.sends(100))

    raises(cause, *(f'SendsWaitTooLong{{partition="{one}"}}' for one in ("0", "1")))


def test_sends_behind_a_transaction_that_nobody_ends_then_nothing_is_decided(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.transacted("platform")
        await it.minutes(5, it.sends)
        await it.minutes(12)

    raises(cause, "NothingDecided")


def test_sends_deleted_before_they_were_read_then_refused_and_at_length_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand_promtool()

    async def cause(it: Scraped) -> None:
        it.worker.kill()
        log = it.it.kafka.logs[it.tp("sends")]
        it.it.kafka.produce(None, None, log.tp, [(b"P-1", b"{}", ())] * 3)
        log.delete(log.end - 1)
        await it.minutes(14)

    found = scraped(tmp_path, monkeypatch, cause)
    said = found.wrong({WELL_MINUTES - 1: [], WELL_MINUTES + 7: [REFUSED], found.minutes - 1: [REFUSED, NOT_READY]})
    assert not said, said


def test_a_worker_that_died_then_its_partitions_are_without_one(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.patch.setattr(it.it, "_again", lambda _: None)
        it.worker.kill()
        await it.minutes(8)

    raises(cause, "PartitionWithoutWorker", *(f'PartitionWithoutWorker{{partition="{one}"}}' for one in ("0", "1")))


def test_a_ledger_that_comes_a_record_at_a_time_then_the_take_over_is_long(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        log = it.it.kafka.logs[it.tp("ledger")]
        fetch = log.fetch

        def slowly(offset: int, most: int, **more: Any) -> Any:
            it.unheard("ledger", 28)
            return fetch(offset, min(most, 1), **more)

        await it.minutes(1, lambda: it.sends(60))
        it.worker.kill()
        shutil.rmtree(it.folder / it.worker.name)
        it.patch.setattr(log, "fetch", slowly)
        await it.minutes(12)

    raises(cause, 'TakeOverLong{partition="0"}', NOT_READY)


def test_a_stop_under_a_token_key_that_the_worker_lacks_then_it_is_not_ready(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        topic, value = invented.suppression(token="cp-1", key=2)
        it.fact(topic, orjson.dumps(value))
        await it.minutes(12, it.sends)

    raises(cause, NOT_READY, 'SendsWithheldWidely{withholds="everybody"}')


def test_a_clock_that_is_wrong_by_forty_seconds_then_it_is_off(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.worker.machine.skew_ms = 40_000
        await it.minutes(8, it.sends)

    raises(cause, 'ClockOff{instance="worker"}')


def test_withdrawals_that_come_forty_seconds_late_then_they_bind_slowly(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        def withdrawn() -> None:
            for topic in ("consents", "suppressions"):
                it.unheard(topic, 45)
            it.withdraw()

        await it.minutes(9, withdrawn)

    raises(cause, "WithdrawalsBindSlowly")


def test_a_withdrawal_that_does_not_reach_the_worker_then_its_facts_are_old(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        for topic in ("consents", "suppressions"):
            it.unheard(topic, 3_600)
        it.withdraw()
        await it.minutes(6)

    raises(cause, 'FactsOld{instance="worker"}')


def test_a_feed_that_stops_then_it_is_late_and_then_silent_and_ends_with_a_delivery(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.it.company.register()
        await it.minutes(14, it.sends)

    raises(cause, 'FeedLate{state="silent"}')


def test_a_fact_that_nobody_can_read_then_it_waits_for_a_person(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.fact("consents", b"{", b"P-1")
        await it.minutes(13, it.sends)

    raises(cause, "FactsUnreadable")


def test_a_sealer_that_stands_still_while_sends_are_decided_then_the_seal_is_late(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.sealing = False
        await it.minutes(22, it.sends)

    raises(cause, "SealLate")


def test_a_witness_that_stands_still_while_the_log_grows_then_it_is_late(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.witnessing = False
        await it.minutes(22, it.sends)

    raises(cause, "WitnessLate")


def test_witness_and_sealer_stand_still_and_nothing_is_decided_then_neither_is_late(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.witnessing = it.sealing = False
        await it.minutes(25)

    raises(cause)


def test_a_log_that_is_damaged_then_it_is_unreadable_and_nobody_knows_of_a_seal(raises: Raises) -> None:
    async def cause(it: Scraped) -> None:
        it.witnessing = it.sealing = False
        (it.folder / "proof/log/checkpoint").write_bytes(b"no checkpoint")
        await it.minutes(8)

    raises(cause, 'LogUnreadable{job="gatekeeper-seal",instance="seal"}', "SealLate")
