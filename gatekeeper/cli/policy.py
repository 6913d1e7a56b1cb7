"""`gatekeeper policy`: the packs with their versions, what a file says, and what two versions let through."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from gatekeeper import packs
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.errors import UsageError
from gatekeeper.policy import Policy, read
from gatekeeper.spans import instant
from gatekeeper.texts import text
from gatekeeper.widening import differences


@click.group("policy", help=text("cli.policy"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("list", help=text("cli.policy_list"))
@json_option
def list_policies(as_json: bool) -> None:
    """Prints every version of every shipped pack."""
    found = [policy for versions in packs.shipped().values() for policy in versions]
    if as_json:
        show_json([{**policy.ref, "effective_from": _since(policy)} for policy in found])
        return
    rows = [(policy.name, _since(policy), " ".join(sorted(policy.jurisdictions)), policy.sha256) for policy in found]
    show_table([f"cli.column_{name}" for name in ("policy", "since", "countries", "sha256")], rows)


@command.command("show", help=text("cli.policy_show"))
@click.argument("policy")
@json_option
def show(policy: str, as_json: bool) -> None:
    """Prints one version line by line: POLICY is a file, an id (its newest version) or id@version."""
    found = _named(policy)
    plain = {field.name: _plain(getattr(found, field.name)) for field in fields(Policy) if field.name != "since"}
    plain["effective_from"] = _since(found)
    if as_json:
        show_json(plain)
        return
    show_table(
        [f"cli.column_{name}" for name in ("key", "set_to")], [(key, _told(value)) for key, value in plain.items()]
    )


@command.command("lint", help=text("cli.policy_lint"))
@click.argument("files", nargs=-1, required=True)
@json_option
def lint(files: tuple[str, ...], as_json: bool) -> None:
    """Reads policy files as the worker would; exit 2 with file, key path and hint for the first that is wrong."""
    found = {file: _from_file(file) for file in files}
    if as_json:
        show_json([{"file": file, **policy.ref} for file, policy in found.items()])
    for file, policy in found.items():
        note("cli.policy_right", file=file, name=policy.name)


@command.command("diff", help=text("cli.policy_diff"))
@click.argument("old")
@click.argument("new")
@json_option
@click.pass_context
def diff(context: click.Context, old: str, new: str, as_json: bool) -> None:
    """Prints what differs from OLD to NEW; exit 1 where the new one lets more through."""
    found = differences(_named(old), _named(new))
    if as_json:
        show_json([one._asdict() for one in found])
    else:
        widens = text("cli.policy_widens")
        rows = [(one.key, one.old, one.new, widens if one.widens else "") for one in found]
        show_table([f"cli.column_{name}" for name in ("key", "old", "new", "effect")], rows)
    context.exit(1 if any(one.widens for one in found) else 0)


def _named(name: str) -> Policy:
    """Returns a policy by file, id or id@version."""
    if name.endswith(".toml"):
        return _from_file(name)
    id_, _, version = name.partition("@")
    shipped = packs.shipped()
    found = [policy for policy in shipped.get(id_, ()) if not version or str(policy.version) == version]
    if not found:
        known = ", ".join(policy.name for versions in shipped.values() for policy in versions)
        raise UsageError("error.policy_unknown", name=name, known=known)
    return found[-1]


def _from_file(file: str) -> Policy:
    try:
        return read(Path(file).read_bytes(), file=file)
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error.strerror) from None


def _since(policy: Policy) -> str:
    return instant(policy.since // 1000)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, tuple) else value


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return "-" if value is None else str(value)
