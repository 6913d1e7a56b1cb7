"""The metrics of the sealed log, read from its files."""

from __future__ import annotations

from time import time

import structlog

from gatekeeper.audit.log import seal_status
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.metrics import (
    LOG_ENTRIES,
    LOG_READABLE,
    SEAL_AGE,
    SEALING_HELD,
    WITNESSED_AGE,
    WITNESSED_ENTRIES,
    Labels,
    Metric,
    Values,
)
from gatekeeper.keys import Keys

log = structlog.get_logger(__name__)


def values(files: AtomicStore, keys: Keys) -> Values:
    """The values now. Of a log that cannot be read they say only that, and the log of this process says why."""
    try:
        return {LOG_READABLE: {(): 1.0}, **_told(files, keys)}
    except Exception as error:  # whatever it is, silence would look like health
        log.warning("log_unreadable", error=type(error).__name__)
        return {LOG_READABLE: {(): 0.0}}


def _told(files: AtomicStore, keys: Keys) -> Values:
    seal = seal_status.read(files, log=keys.public("log"), witnesses=keys.public("witness"))
    if seal is None:
        return {}

    def age(at: int) -> dict[Labels, float]:
        return {(): max(0.0, time() - at / 1000)}

    figures: dict[Metric, dict[Labels, float]] = {
        LOG_ENTRIES: {(): float(seal.size)},
        SEAL_AGE: age(seal.at),
        SEALING_HELD: {(str(held.partition),): 1.0 for held in seal.held},
    }
    if seal.witnessed is not None:
        size, at = seal.witnessed
        figures |= {WITNESSED_ENTRIES: {(): float(size)}, WITNESSED_AGE: age(at)}
    return figures
