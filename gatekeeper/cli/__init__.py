"""The command line: `gatekeeper VERB`. Data on stdout, messages on stderr, exit codes of gatekeeper.ground.errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
from io import TextIOWrapper
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from gatekeeper.cli.verbs import Verbs
from gatekeeper.ground import interruption
from gatekeeper.ground.errors import GatekeeperError, UnavailableError, UsageError
from gatekeeper.ground.texts import text

HEADINGS = {
    "cli.heading_try": {"demo": "demo", "broker": "broker"},
    "cli.heading_judge": {
        "check": "check",
        "decide": "decide",
        "import": "import_",
        "purpose": "purpose",
        "publish": "publish",
        "policy": "policy",
    },
    "cli.heading_review": {
        "review": "review",
        "console": "console",
        "campaign": "campaign",
        "handoff": "handoff",
        "reconcile": "reconcile",
    },
    "cli.heading_stop": {
        "withdraw": "withdraw",
        "correct": "correct",
        "request": "request",
        "suspend": "suspend",
        "resume": "resume",
        "source": "source",
        "erase": "erase",
        "readmit": "readmit",
    },
    "cli.heading_prove": {"audit": "audit", "letter": "letter", "report": "report", "keys": "keys"},
    "cli.heading_operate": {
        "doctor": "doctor",
        "config": "config",
        "topics": "topics",
        "backup": "backup",
        "restore": "restore",
        "schema": "schema",
        "worker": "worker",
        "serve": "serve",
        "webhooks": "webhooks",
        "status": "status",
        "partition": "partition",
        "deadletter": "deadletter",
        "tail": "tail",
    },
    "cli.heading_people": {"init": "init", "staff": "staff", "reference": "reference", "user": "user"},
}
"""Headings of the help, each with its verbs and their modules here; a module has a click command `command`."""
VERBS = {verb: module for verbs in HEADINGS.values() for verb, module in verbs.items()}
"""Every verb, and its module."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a stdout that takes no more. Verbs that write files report file errors themselves."""
UNREAD = 141
"""Exit code after the reader of our output closed it, as a shell reports an end by SIGPIPE."""


@click.group(
    cls=Verbs,
    package="gatekeeper.cli",
    headings=HEADINGS,
    help=text("cli.gatekeeper"),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    no_args_is_help=True,
)
@click.option("--version", "version", is_flag=True, help=text("cli.version"))
@click.option("--json", "as_json", is_flag=True, help=text("cli.version_json"))
@click.pass_context
def gatekeeper(context: click.Context, version: bool, as_json: bool) -> None:
    """Prints the version, or runs one verb."""
    if version:
        from gatekeeper.cli.version import show

        show(as_json=as_json)
        context.exit()
    if as_json:
        raise UsageError("usage.json_first")
    # not before: --version needs neither
    from gatekeeper.ground import log, settings

    settings.demand_known(os.environ)
    log.silence()


def _run() -> Any:
    """Runs one verb and returns its code; raises UnavailableError (3) where its output cannot be written."""
    try:
        return gatekeeper.main(standalone_mode=False)
    except OSError as error:
        if error.errno not in FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python writes again at its exit, with code 120
        raise UnavailableError("error.output", detail=error) from None


def main() -> None:
    """Runs the command line and exits with the documented code; an expected error is one sentence on stderr.

    Characters outside the terminal's encoding are escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    interruption.forget()
    interruption.listen((signal.SIGINT,))
    try:
        code = _run()
    except NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.UsageError as error:
        from gatekeeper.cli.usage import sentence

        click.echo(text("cli.error", message=sentence(error)), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except SystemExit as end:  # an orderly stop, or click's signal that nobody reads our output any more
        code = UNREAD if end.code else 0
    except GatekeeperError as error:
        click.echo(text("cli.error", message=str(error)), err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
