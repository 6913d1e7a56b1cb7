"""`gatekeeper console`: the review queue in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.ground import log
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text


@click.command("console", help=text("cli.console"))
@click.option("--host", help=text("cli.console_host"))
@click.option("--port", type=click.IntRange(0, 65535), help=text("cli.console_port"))
@click.option("--users", type=click.Path(path_type=Path), help=text("cli.console_users"))
@json_option
def command(host: str | None, port: int | None, users: Path | None, as_json: bool) -> None:
    """Serves until it is interrupted; prints the address once the server answers."""
    from gatekeeper.console.app import EVERYBODY
    from gatekeeper.console.server import serve
    from gatekeeper.console.users import Users

    given = {"console_host": host, "console_port": port, "console_users": str(users) if users else None}
    settings = load().model_copy(update={name: value for name, value in given.items() if value is not None})
    log.configure(settings.log_level)
    if settings.console_users and settings.console_provider:
        raise UsageError("error.console_two_ways")
    people = Users(Path(settings.console_users)) if settings.console_users else None
    provider = None
    if settings.console_provider:
        from gatekeeper.console.identity_provider import Provider

        provider = Provider(Path(settings.console_provider))
    signs_in = people is not None or provider is not None

    def started(url: str) -> None:
        if as_json:
            show_json({"url": url, "sign_in": signs_in})
        else:
            click.echo(text("cli.console_runs", url=url))
        if not signs_in:
            note("cli.console_everybody", user=settings.user or EVERYBODY)

    serve(settings, users=people, provider=provider, started=started)
