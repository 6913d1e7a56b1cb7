"""The worker that reads all facts again all the time, not once a week."""

import sys

from gatekeeper.cli import main
from streams.worker import rereading

rereading.EVERY_MS, rereading.LOOK_SECONDS = 0, 0.2

sys.argv = ["gatekeeper", "worker"]
main()
