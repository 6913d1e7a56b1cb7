"""Who acts, and a word before it is done: what the verbs share that write what a person decided."""

from __future__ import annotations

import re
import sys

import click

from gatekeeper.errors import UsageError
from gatekeeper.review.actions import TYPED_ABOVE
from gatekeeper.settings import Settings
from gatekeeper.texts import text
from schemas.values import ID_PATTERN


def _said(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A reason as it was typed; raises UsageError (2) where it says nothing."""
    if value is not None and not value.strip():
        raise UsageError("error.option_invalid", option=parameter.opts[0])
    return value


reason_option = click.option("--reason", required=True, callback=_said, help=text("cli.act_reason"))
reason_if_done_option = click.option("--reason", callback=_said, help=text("cli.act_reason"))
by_option = click.option("--by", help=text("cli.by"))
evidence_option = click.option("--evidence", help=text("cli.evidence"))
yes_option = click.option("--yes", is_flag=True, help=text("cli.yes"))


def person(settings: Settings, by: str | None) -> str:
    """The id of who acts: as given, else of the setting; raises UsageError (2) without or of another form."""
    if not (found := by or settings.user):
        raise UsageError("error.user_missing")
    return named(found, "--by")


def named(id_: str, argument: str, form: str = ID_PATTERN) -> str:
    """An id as it was typed; raises UsageError (2) that names the argument, for the value may be anybody."""
    if not re.fullmatch(form, id_):
        raise UsageError("error.option_invalid", option=argument)
    return id_


def confirmed(question: str, count: int, *, yes: bool) -> None:
    """Where it shall be done; else aborts (130), or raises UsageError (2) where there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("error.needs_yes")
    if count <= TYPED_ABOVE:
        click.confirm(question, abort=True, err=True)
    elif click.prompt(f"{question} {text('cli.type_count', count=count)}", err=True, default="") != str(count):
        raise click.Abort
