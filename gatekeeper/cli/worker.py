"""`gatekeeper worker`: judges sends until it is stopped, in one process or several."""

from __future__ import annotations

import click

from gatekeeper.cli.cores import cores
from gatekeeper.ground import log, settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text

AUTO = "auto"


@click.command(help=text("cli.worker"))
@click.option("--processes", default="1", metavar=f"N|{AUTO}", help=text("cli.worker_processes"))
def command(processes: str) -> None:
    """Runs the worker in the foreground."""
    loaded = settings.load()
    count = _count(processes, most=loaded.partitions)
    log.configure(loaded.log_level)
    if count == 1:
        from streams.worker import process

        process.run(loaded)
    else:
        from streams.worker import workers

        click.get_current_context().exit(workers.run(loaded, count))


def _count(asked: str, *, most: int) -> int:
    """The number of processes; raises UsageError (2) for none, and for more than partitions."""
    if asked == AUTO:
        return min(cores(), most)
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= most):
        raise UsageError("error.worker_processes", most=most)
    return int(asked)
