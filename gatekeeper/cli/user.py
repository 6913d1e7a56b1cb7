"""`gatekeeper user`: the people who use the console, in its user file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from gatekeeper.cli.output import json_option, show_json, show_table, whole
from gatekeeper.console import users
from gatekeeper.console.users import ROLES, File, Role, User
from gatekeeper.errors import UnavailableError, UsageError
from gatekeeper.settings import load
from gatekeeper.texts import text
from schemas.values import ID_PATTERN

FILE = ".gatekeeper/users.json"
users_option = click.option("--users", "path", type=click.Path(path_type=Path), help=text("cli.console_users"))


@click.group("user", help=text("cli.user"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("add", help=text("cli.user_add"))
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help=text("cli.user_role"))
@click.option("--password-stdin", is_flag=True, help=text("cli.user_stdin"))
@users_option
@json_option
def add(name: str, roles: tuple[Role, ...], password_stdin: bool, path: Path | None, as_json: bool) -> None:
    """Writes the file anew with this person in it."""
    if not re.fullmatch(ID_PATTERN, name):
        raise UsageError("error.option_invalid", option="NAME")
    file = _file(path)
    found = users.read(file) if file.exists() else File()
    person = User(roles=tuple(dict.fromkeys(roles)), password=users.hashed(_password(from_stdin=password_stdin)))
    _write(file, {**found.users, name: person})
    if as_json:
        show_json({"user": name, "roles": person.roles, "file": str(file)})
    else:
        click.echo(text("cli.user_added", name=name, path=file, roles=", ".join(person.roles)))


@command.command("list", help=text("cli.user_list"))
@users_option
@json_option
def list_users(path: Path | None, as_json: bool) -> None:
    """Prints the people in the file, without hashes."""
    found = sorted(users.read(_file(path)).users.items())
    if as_json:
        show_json([{"user": name, "roles": person.roles} for name, person in found])
    else:
        show_table(["cli.column_user", "cli.column_roles"], [(name, ", ".join(one.roles)) for name, one in found])


@command.command("remove", help=text("cli.user_remove"))
@click.argument("name")
@users_option
@json_option
def remove(name: str, path: Path | None, as_json: bool) -> None:
    """Writes the file anew without this person."""
    file = _file(path)
    found = users.read(file).users
    if name not in found:
        raise UsageError("error.user_unknown", name=name if re.fullmatch(ID_PATTERN, name) else "?", path=file)
    _write(file, {key: person for key, person in found.items() if key != name})
    if as_json:
        show_json({"user": name, "file": str(file)})
    else:
        click.echo(text("cli.user_removed", name=name, path=file))


def _file(path: Path | None) -> Path:
    return path or Path(load().console_users or FILE)


def _write(file: Path, people: dict[str, User]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UnavailableError("error.disk", path=file, detail=error) from None
    with whole(file) as handle:
        handle.write(users.written(File(users=people)))


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("error.password_needed")
    asked: str = click.prompt(
        text("cli.user_password"), hide_input=True, confirmation_prompt=text("cli.user_password_again"), err=True
    )
    return asked
