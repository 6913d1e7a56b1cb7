"""A call of ours as files of others write it, read by our own command line without running it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gatekeeper.cli import gatekeeper


def read_call(words: Sequence[str]) -> dict[str, object]:
    """Returns the values of a command's options and arguments; raises click.UsageError where it would not start."""
    command: click.Command = gatekeeper
    context: click.Context | None = None
    name: str | None = "gatekeeper"
    rest = list(words)
    while True:
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group):
            return context.params
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
