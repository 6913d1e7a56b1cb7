"""`gatekeeper serve`: the gate over HTTP, for programs."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.cli.version import release
from gatekeeper.ground import log
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text


@click.command("serve", help=text("cli.serve"))
@click.option("--host", help=text("cli.serve_host"))
@click.option("--port", type=click.IntRange(0, 65535), help=text("cli.serve_port"))
@click.option("--callers", type=click.Path(path_type=Path), help=text("cli.serve_callers"))
@json_option
def command(host: str | None, port: int | None, callers: Path | None, as_json: bool) -> None:
    """Serves until it is interrupted; prints the address once the service answers."""
    from gatekeeper.service.service import serve

    given = {"serve_host": host, "serve_port": port, "serve_callers": str(callers) if callers else None}
    settings = load().model_copy(update={name: value for name, value in given.items() if value is not None})
    log.configure(settings.log_level)

    def started(url: str, everybody: bool) -> None:
        if as_json:
            show_json({"url": url, "callers": not everybody})
        else:
            click.echo(text("cli.serve_runs", url=url))
        if everybody:
            note("cli.serve_everybody")

    serve(settings, release=release(), started=started)
