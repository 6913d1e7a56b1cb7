"""The command line: `gatekeeper VERB`. Data on stdout, messages on stderr, exit codes of gatekeeper.errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from gatekeeper import interruption
from gatekeeper.errors import GatekeeperError, UnavailableError
from gatekeeper.texts import text

VERBS = {
    "demo": "demo",
    "broker": "broker",
    "topics": "topics",
    "worker": "worker",
    "check": "check",
    "publish": "publish",
    "import": "import_",
    "withdraw": "withdraw",
    "decide": "decide",
    "policy": "policy",
    "review": "review",
    "console": "console",
    "user": "user",
    "handoff": "handoff",
    "campaign": "campaign",
    "reconcile": "reconcile",
    "suspend": "suspend",
    "resume": "resume",
    "source": "source",
    "erase": "erase",
    "readmit": "readmit",
    "report": "report",
    "keys": "keys",
    "audit": "audit",
    "deadletter": "deadletter",
    "partition": "partition",
    "tail": "tail",
    "status": "status",
}
"""Verb to the module of this package that holds it, as a click command named `command`."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What stdout answers where it takes no more; verbs that write files tell of those themselves."""
UNREAD = 141
"""The exit code where whoever reads our output has closed it: what a shell calls an end by SIGPIPE."""


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for: `modules`, by verb, lie in `package`."""

    def __init__(self, *arguments: Any, package: str, modules: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._package, self._modules = package, modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs, in order."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a verb's command, None where there is no such verb."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(f"{self._package}.{self._modules[cmd_name]}").command
        return command


@click.group(
    cls=Verbs,
    package="gatekeeper.cli",
    modules=VERBS,
    help=text("cli.gatekeeper"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="direct-mail-gatekeeper")
def gatekeeper() -> None:
    """Runs one verb."""
    from gatekeeper import log  # not before: --help needs no log

    log.silence()


def _run() -> Any:
    """Runs one verb and returns its code; raises UnavailableError (3) where its output cannot be written."""
    try:
        return gatekeeper.main(standalone_mode=False)
    except OSError as error:
        if error.errno not in FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again at its end, and its code is 120
        raise UnavailableError("error.output", detail=error) from None


def main() -> None:
    """Runs the command line and exits with the documented code; an expected error is one sentence on stderr.

    What the terminal's encoding does not have is escaped.
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
    except SystemExit as end:  # stopped in order, or click's way to say that nobody reads our output any more
        code = UNREAD if end.code else 0
    except GatekeeperError as error:
        click.echo(text("cli.error", message=str(error)), err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
