"""The worker with chunks of at most 250 records, so that in the short form of these tests few sends are many chunks."""

import sys

from gatekeeper.cli import main
from streams.worker import chunks, turn

chunks.CHUNK_RECORDS = turn.CHUNK_RECORDS = 250

sys.argv = ["gatekeeper", "worker"]
main()
