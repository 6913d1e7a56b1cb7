"""A worker that does not wait for the facts: chaos must find it out (`scripts/chaos --worker` runs it)."""

import sys

from gatekeeper.cli import main
from streams.worker.facts import Followers


async def barrier(self: Followers, timeout: float) -> bool:
    return True


Followers.barrier = barrier  # type: ignore[method-assign]

sys.argv = ["gatekeeper", "worker"]
main()
