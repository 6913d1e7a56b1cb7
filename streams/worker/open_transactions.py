"""Holders of the barrier: while facts stay behind, the log names the open transactions that block them."""

from __future__ import annotations

import asyncio

import structlog

from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from streams.client import transactions
from streams.worker.facts import Followers

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""Seconds until the same transaction is logged again."""


async def tell(settings: Settings, followers: Followers) -> None:
    """Logs open transactions from time to time, until cancelled; asks Kafka only while facts are behind."""
    loop = asyncio.get_running_loop()
    told_at: dict[tuple[str, int, int, int], float] = {}
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not followers.behind:
            continue
        try:
            opened = await asyncio.to_thread(transactions.opened, settings, followers.behind)
        except GatekeeperError as error:
            log.warning("holders_unknown", reason=str(error))
            continue
        for transaction in opened:
            key = (transaction.topic, transaction.partition, transaction.offset, transaction.producer)
            if loop.time() - told_at.get(key, float("-inf")) >= AGAIN_SECONDS:
                told_at[key] = loop.time()
                log.warning(
                    "transaction_open",
                    topic=transaction.topic,
                    partition=transaction.partition,
                    offset=transaction.offset,
                    producer=transaction.producer,
                    transaction=transaction.transaction,
                    seconds=transaction.age_ms // 1000,
                    command=transaction.abort(settings),
                )
