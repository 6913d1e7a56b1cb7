"""The process of a worker, forked from one that has imported what it needs: it starts in a tenth of the time."""

from __future__ import annotations

import os
import runpy
import sys
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

CONTEXT: ForkServerContext = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.warm", __name__])


def worker(log: Path, environment: dict[str, str], script: Path | None) -> None:
    """Runs `gatekeeper worker`, or a script that does, with no other environment; what it says is added to `log`."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in (1, 2):
        os.dup2(out, number)
    os.environ.clear()
    os.environ.update(environment)
    if script is not None:
        runpy.run_path(str(script), run_name="__main__")
        return
    from gatekeeper.cli import main  # not imported before: it asks for the language

    sys.argv = ["gatekeeper", "worker"]
    main()
