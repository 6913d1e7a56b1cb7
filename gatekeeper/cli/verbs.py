"""A group of commands, listed under headings, each imported when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from gatekeeper.ground.texts import text

_FIRST_SENTENCE = re.compile(r".*?(?:。|\.(?= |$)|$)", re.DOTALL)


class Verbs(click.Group):
    """A group whose help lists its verbs under headings.

    `headings` is a table: a heading's key in the catalogue, then verb to the module in `package` with its `command`.
    """

    def __init__(self, *arguments: Any, package: str, headings: Mapping[str, Mapping[str, str]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._package, self._headings = package, headings
        self._modules = {verb: module for verbs in headings.values() for verb, module in verbs.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in order."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb's command, None for an unknown verb."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(f"{self._package}.{self._modules[cmd_name]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes each heading with its verbs, and the first sentence of each verb's help."""
        for heading, verbs in self._headings.items():
            with formatter.section(text(heading)):
                formatter.write_dl([(verb, self._summary(ctx, verb)) for verb in verbs], col_spacing=2)

    def _summary(self, ctx: click.Context, verb: str) -> str:
        command = self.get_command(ctx, verb)
        match = _FIRST_SENTENCE.match(command.help or "") if command else None
        return match[0] if match else ""
