"""Each alert about worker, facts and proof fires for its cause: the real worker in virtual time, by its real page."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
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
Cause = Callable[[Scraped], Awaitable[None]]
CAUSES: dict[str, tuple[Cause, tuple[str, ...], dict[int, list[str]]]] = {}


def fires(*alerts: str, before: dict[int, list[str]] | None = None) -> Callable[[Cause], Cause]:
    """Enters a cause, with the alerts that fire at its end; `before`: those of minutes before that."""

    def entered(cause: Cause) -> Cause:
        CAUSES[cause.__name__] = cause, alerts, before or {}
        return cause

    return entered


@fires(*(f'SendsWaitTooLong{{partition="{one}"}}' for one in ("0", "1")))
async def more_sends_than_slow_machine_and_brokers_decide(it: Scraped) -> None:
    processor = Wall.processor
    it.patch.setattr(Wall, "processor", lambda self: processor(self) + it.now())
    it.patch.setattr(it.it.network, "latency", lambda: 0.8)
    await it.minutes(14, lambda: it.sends(100))


@fires("NothingDecided")
async def sends_behind_a_transaction_that_nobody_ends(it: Scraped) -> None:
    it.transacted("platform")
    await it.minutes(5, it.sends)
    await it.minutes(12)


@fires(REFUSED, NOT_READY, before={7: [REFUSED]})
async def sends_deleted_before_they_were_read(it: Scraped) -> None:
    it.worker.kill()
    log = it.it.kafka.logs[it.tp("sends")]
    it.it.kafka.produce(None, None, log.tp, [(b"P-1", b"{}", ())] * 3)
    log.delete(log.end - 1)
    await it.minutes(14)


@fires("PartitionWithoutWorker", *(f'PartitionWithoutWorker{{partition="{one}"}}' for one in ("0", "1")))
async def a_worker_that_died(it: Scraped) -> None:
    it.patch.setattr(it.it, "_again", lambda _: None)
    it.worker.kill()
    await it.minutes(8)


@fires('TakeOverLong{partition="0"}', NOT_READY)
async def a_ledger_that_comes_a_record_at_a_time(it: Scraped) -> None:
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


@fires(NOT_READY, 'SendsWithheldWidely{withholds="everybody"}')
async def a_stop_under_a_token_key_that_the_worker_lacks(it: Scraped) -> None:
    topic, value = invented.suppression(token="cp-1", key=2)
    it.fact(topic, orjson.dumps(value))
    await it.minutes(12, it.sends)


@fires('ClockOff{instance="worker"}')
async def a_clock_that_is_wrong_by_forty_seconds(it: Scraped) -> None:
    it.worker.machine.skew_ms = 40_000
    await it.minutes(8, it.sends)


@fires("WithdrawalsBindSlowly")
async def withdrawals_that_come_forty_seconds_late(it: Scraped) -> None:
    def withdrawn() -> None:
        for topic in ("consents", "suppressions"):
            it.unheard(topic, 45)
        it.withdraw()

    await it.minutes(9, withdrawn)


@fires('FactsOld{instance="worker"}')
async def a_withdrawal_that_does_not_reach_the_worker(it: Scraped) -> None:
    for topic in ("consents", "suppressions"):
        it.unheard(topic, 3_600)
    it.withdraw()
    await it.minutes(6)


@fires('FeedLate{state="silent"}')
async def a_feed_that_stops(it: Scraped) -> None:
    it.it.company.register()
    await it.minutes(14, it.sends)


@fires("FactsUnreadable")
async def a_fact_that_nobody_can_read(it: Scraped) -> None:
    it.fact("consents", b"{", b"P-1")
    await it.minutes(13, it.sends)


@fires("SealLate")
async def a_sealer_that_stands_still_while_sends_are_decided(it: Scraped) -> None:
    it.sealing = False
    await it.minutes(22, it.sends)


@fires("WitnessLate")
async def a_witness_that_stands_still_while_the_log_grows(it: Scraped) -> None:
    it.witnessing = False
    await it.minutes(22, it.sends)


@fires()
async def witness_and_sealer_stand_still_and_nothing_is_decided(it: Scraped) -> None:
    it.witnessing = it.sealing = False
    await it.minutes(25)


@fires('LogUnreadable{job="gatekeeper-seal",instance="seal"}', "SealLate")
async def a_log_that_is_damaged(it: Scraped) -> None:
    it.witnessing = it.sealing = False
    (it.folder / "proof/log/checkpoint").write_bytes(b"no checkpoint")
    await it.minutes(8)


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_upon_a_gate_in_health_then_exactly_its_alerts_fire(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand_promtool()
    cause, alerts, before = CAUSES[name]
    found = scraped(tmp_path, monkeypatch, cause)
    early = {WELL_MINUTES + minute: firing for minute, firing in before.items()}
    said = found.wrong({WELL_MINUTES - 1: [], **early, found.minutes - 1: alerts})
    assert not said, said
