"""The end of a process that may not go on."""

from __future__ import annotations

import os
import sys

import structlog

from gatekeeper.engine.failures import frames
from gatekeeper.ground.errors import GatekeeperError, UsageError
from streams.worker.partition import FORBIDDEN

log = structlog.get_logger(__name__)


def fail(error: BaseException) -> None:
    """Ends the process at once, before anything can commit; a restart resumes from the ledger's head.

    The log names the error's type and place. It quotes only messages of our own errors, as others may quote a record.
    """
    if isinstance(error, FORBIDDEN):  # a restart would not help
        error = UsageError("error.worker_rights", what=type(error).__name__)
    if isinstance(error, GatekeeperError):
        log.critical("stopped", error=type(error).__name__, reason=str(error), code=error.exit_code)
        code = error.exit_code
    else:
        log.critical("stopped", error=type(error).__name__, frames=frames(error), code=70)
        code = 70
    sys.stderr.flush()
    os._exit(code)
