"""The worker whose consumer raises once a file is there, as aiokafka does now and then while brokers are put back."""

import os
import sys
from pathlib import Path

from gatekeeper.cli import main
from streams.worker import chunks

WORD = "brokers-down"
"""The file beside the worker's log that ends the consumer, once."""


class Fragile(chunks.ConsumerThread):
    """Faust's consumer thread, which raises at a word."""

    async def getmany(self, active_partitions, timeout):
        word = Path(os.readlink("/proc/self/fd/1")).with_name(WORD)
        if word.exists():
            word.unlink()
            raise AssertionError
        return await super().getmany(active_partitions, timeout)


if __name__ == "__main__":
    chunks.ConsumerThread = Fragile
    sys.argv = ["gatekeeper", "worker"]
    main()
