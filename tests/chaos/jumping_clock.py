"""The worker on a machine whose clock jumps by an hour, and back, every three seconds."""

import sys
import time

from gatekeeper.cli import main

JUMP_NS, EVERY_NS = 3600 * 10**9, 3 * 10**9
_real, _began = time.time_ns, time.monotonic_ns()


def _jumped() -> int:
    return _real() + (JUMP_NS if (time.monotonic_ns() - _began) // EVERY_NS % 2 else 0)


time.time_ns = _jumped
time.time = lambda: _jumped() / 10**9

sys.argv = ["gatekeeper", "worker"]
main()
