"""`gatekeeper user`: the people who use the console, in its user file."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from gatekeeper.cli.output import json_option, show_json, show_table
from gatekeeper.console import passwords, users
from gatekeeper.console.users import User
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.index.access import ROLES, Grant, Role
from schemas.values import ID_PATTERN

FILE = ".gatekeeper/users.json"
users_option = click.option("--users", "path", type=click.Path(path_type=Path), help=text("cli.console_users"))


@click.group("user", help=text("cli.user"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("add", help=text("cli.user_add"))
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help=text("cli.user_role"))
@click.option("--controller", "controllers", multiple=True, help=text("cli.user_controller"))
@click.option("--campaign", "campaigns", multiple=True, help=text("cli.user_campaign"))
@click.option("--password-stdin", is_flag=True, help=text("cli.user_stdin"))
@users_option
@json_option
def add(
    name: str,
    roles: tuple[Role, ...],
    controllers: tuple[str, ...],
    campaigns: tuple[str, ...],
    password_stdin: bool,
    path: Path | None,
    as_json: bool,
) -> None:
    """Writes the file anew with this person in it."""
    if not re.fullmatch(ID_PATTERN, name):
        raise UsageError("error.option_invalid", option="NAME")
    file = _file(path)
    try:
        limits = Grant(roles=tuple(dict.fromkeys(roles)), controllers=controllers or None, campaigns=campaigns or None)
    except ValidationError as error:
        field = error.errors(include_input=False)[0]["loc"][0]
        raise UsageError(
            "error.option_invalid", option="--controller" if field == "controllers" else "--campaign"
        ) from None
    secret = passwords.hashed(_password(from_stdin=password_stdin))
    person = User(password=secret, **limits.model_dump())
    users.change(file, lambda people: {**people, name: person})
    if as_json:
        show_json({"user": name, **_limits(person), "file": str(file)})
    else:
        click.echo(text("cli.user_added", name=name, path=file, roles=", ".join(person.roles)))


@command.command("list", help=text("cli.user_list"))
@users_option
@json_option
def list_users(path: Path | None, as_json: bool) -> None:
    """Prints the people in the file, without hashes."""
    people = sorted(users.read(_file(path)).users.items())
    if as_json:
        show_json([{"user": name, **_limits(person)} for name, person in people])
    else:
        columns = ["cli.column_user", "cli.column_roles", "cli.column_controllers", "cli.column_campaigns"]
        rows = [(name, person.roles, person.controllers or "*", person.campaigns or "*") for name, person in people]
        show_table(columns, [(name, *(", ".join(part) for part in rest)) for name, *rest in rows])


@command.command("remove", help=text("cli.user_remove"))
@click.argument("name")
@users_option
@json_option
def remove(name: str, path: Path | None, as_json: bool) -> None:
    """Writes the file anew without this person."""
    file = _file(path)
    users.read(file)

    def without(people: Mapping[str, User]) -> dict[str, User]:
        if name not in people:
            raise UsageError("error.user_unknown", name=name if re.fullmatch(ID_PATTERN, name) else "?", path=file)
        return {key: person for key, person in people.items() if key != name}

    users.change(file, without)
    if as_json:
        show_json({"user": name, "file": str(file)})
    else:
        click.echo(text("cli.user_removed", name=name, path=file))


def _file(path: Path | None) -> Path:
    return path or Path(load().console_users or FILE)


def _limits(person: User) -> dict[str, Any]:
    return person.model_dump(mode="json", exclude={"password"}, exclude_none=True)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("error.password_needed")
    password: str = click.prompt(
        text("cli.user_password"), hide_input=True, confirmation_prompt=text("cli.user_password_again"), err=True
    )
    return password
