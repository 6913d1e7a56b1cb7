"""`gatekeeper worker`: judges sends until it is stopped."""

from __future__ import annotations

import click

from gatekeeper import log, settings
from gatekeeper.texts import text


@click.command(help=text("cli.worker"))
def command() -> None:
    """Runs the worker in the foreground."""
    loaded = settings.load()
    log.configure(loaded.log_level)
    from streams.worker import process

    process.run(loaded)
