"""Words click's usage errors as one sentence of the catalogue, without the typed value."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

import click

from gatekeeper.cli.output import printable
from gatekeeper.ground.texts import near, text


class Number(click.FloatRange):
    """A number in a range, as `click.FloatRange` takes it; `nan` and `inf` are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; raises click.BadParameter (2) for anything else."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail("not finite", param, ctx)
        return number


def sentence(error: click.UsageError) -> str:
    """The fault of the call as a sentence, with the command that shows help."""
    context = error.ctx
    path = context.command_path if context else "gatekeeper"
    return text("usage.see", what=_what(error, context), command=path)


def _what(error: click.UsageError, context: click.Context | None) -> str:
    command = context.command if context else None
    if isinstance(error, click.NoSuchOption):
        options = [name for parameter in command.params for name in parameter.opts] if command else []
        return _unknown("usage.no_such_option", error.option_name, options)
    if isinstance(error, click.BadOptionUsage):
        return text("usage.option", name=error.option_name)
    if isinstance(error, click.BadParameter):
        name = error.param.get_error_hint(context) if error.param and context else str(error.param_hint or "-")
        if isinstance(error, click.MissingParameter):
            return text("usage.missing", name=name.strip("'"))
        return text("usage.value", name=name.strip("'")) + _wanted(error.param.type if error.param else None)
    if isinstance(command, click.Group) and context:
        typed = match[1] if (match := re.search("'(.*)'", error.message)) else ""
        return _unknown("usage.no_such_command", typed, command.list_commands(context))
    return text("usage.too_many")


def _unknown(key: str, name: str, names: list[str]) -> str:
    return text(key, name=printable(name.encode()), near=near(name, names) or text("usage.alone"))


def _wanted(kind: click.ParamType | None) -> str:
    """The values that a parameter takes, in words; '' for other types."""
    if isinstance(kind, click.Choice):
        return text("usage.one_of", names=", ".join(map(str, kind.choices)))
    if isinstance(kind, click.IntRange | click.FloatRange):
        low, high = ("" if end is None else f"{end:g}" for end in (kind.min, kind.max))
        key = "usage.whole" if isinstance(kind, click.IntRange) else "usage.number"
        return text(key, range=f"{low}…{high}" if low or high else "")
    if isinstance(kind, click.Path):
        return text("usage.file" if not kind.dir_okay else "usage.path")
    return ""
