"""Options for actor, reason and evidence, and the question before an act; shared by verbs that write acts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from gatekeeper.review.actions import TYPED_ABOVE
from gatekeeper.staff import roles
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.values import ID_PATTERN, Surrogate
from streams.client import signatory


def _said(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The reason as typed; raises UsageError (2) if it is blank."""
    if value is not None and not value.strip():
        raise UsageError("error.option_invalid", option=parameter.opts[0])
    return value


F = TypeVar("F", bound=Callable[..., Any])
_ID = TypeAdapter[str](Surrogate)

reason_if_done_option = click.option("--reason", callback=_said, help=text("cli.act_reason"))
by_option = click.option("--by", help=text("cli.by"))
evidence_option = click.option("--evidence", help=text("cli.evidence"))
yes_option = click.option("--yes", is_flag=True, help=text("cli.yes"))


def act_options(kind: str, *, previews: bool = False) -> Callable[[F], F]:
    """The options for the fields of a kind of act, as its row says: `--reason` and `--evidence`, and always `--by`.

    `previews`: the command may show a preview alone. It then demands a reason by itself where it acts.
    """
    row = ACT_KINDS[kind]
    needed: dict[str, Any] = {"required": not previews, "callback": _said} if row.needs_reason else {"default": ""}
    options = {"evidence": evidence_option, "reason": click.option("--reason", help=text("cli.act_reason"), **needed)}

    def add(function: F) -> F:
        for option in (by_option, *(option for field, option in options.items() if field in row.fields)):
            function = option(function)
        return function

    return add


def person(settings: Settings, by: str | None, *, unnamed: str | None = None) -> str:
    """The actor's id, as given, else the holder of the key, else from the setting, else `unnamed`.

    Raises UsageError (2) if it is missing or malformed, or names another person than the key.
    """
    key = signatory.own_key(settings)
    if not (name := by or (key.by if key else settings.user or unnamed)):
        raise UsageError("error.user_missing")
    try:
        id_ = _ID.validate_python(name)
    except ValidationError:
        raise UsageError("error.option_invalid", option="--by") from None  # it may be a telephone number
    if key and roles.person(key.by) != roles.person(id_):
        raise UsageError("error.key_of_other_person", by=key.by, named=id_)
    return id_


def named(id_: str, argument: str, form: str = ID_PATTERN) -> str:
    """The id as typed; raises UsageError (2) with the argument's name, as a malformed value may be personal data."""
    if not re.fullmatch(form, id_):
        raise UsageError("error.option_invalid", option=argument)
    return id_


def confirmed(question: str, count: int, *, yes: bool) -> None:
    """Asks for confirmation unless `yes`. Aborts (130) on a no; raises UsageError (2) if nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("error.needs_yes")
    if count <= TYPED_ABOVE:
        click.confirm(question, abort=True, err=True)
    elif click.prompt(f"{question} {text('cli.type_count', count=count)}", err=True, default="") != str(count):
        raise click.Abort
