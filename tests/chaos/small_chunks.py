"""The worker with chunks of at most 250 records, so that in the short form of these tests few sends are many chunks."""

import sys

import streams.chunks

streams.chunks.CHUNK_RECORDS = 250

from gatekeeper.cli import main  # noqa: E402 - whoever takes the number by its name takes this one

sys.argv = ["gatekeeper", "worker"]
main()
