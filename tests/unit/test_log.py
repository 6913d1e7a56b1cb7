"""The log holds our own events with the allowed keys, and nothing of others that quotes a record."""

from __future__ import annotations

import subprocess
import sys

from tests.support import canaries

TALK = """
import asyncio, gc, logging, structlog
from gatekeeper.ground import log
from tests.support.canaries import NARUMI

log.configure("debug")
structlog.get_logger("gatekeeper").debug("chunk_judged", n=1, name=NARUMI["name"], delivery=NARUMI)

async def failing():
    raise ValueError(str(NARUMI))

async def unseen():
    await asyncio.wait([asyncio.create_task(failing())])
    gc.collect()

asyncio.run(unseen())
foreign = logging.getLogger("faust.agent")
foreign.error("agent raised %r", ValueError(NARUMI["name"]))
foreign.error("cannot reach %s: %s", "node 1", OSError(111, "Connection refused"))
foreign.error("at offset %d", NARUMI["phone"])
try:
    raise LookupError(NARUMI["phone"])
except LookupError:
    foreign.exception("died")
"""


def test_errors_that_quote_a_record_then_the_log_tells_of_them_and_names_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", TALK], capture_output=True, check=True)
    said = done.stderr.decode()
    for event in ("chunk_judged", "exception was never retrieved", "'ValueError'", "Connection refused", "died"):
        assert event in said
    assert '"event":"unloggable","level":"error","logger":"faust.agent"' in said
    assert not canaries.found(done.stdout + done.stderr), said
