"""`gatekeeper keys`: makes, renews and lists the keys for signatures and pseudonyms."""

from __future__ import annotations

import json
import re

import click

from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.keys import ROLES, ROTATED, Key, Keys, key_name
from gatekeeper.service.caller_keys import SCOPES, digest, new_key
from schemas.values import ID_PATTERN


@click.group("keys", help=text("cli.keys"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("init", help=text("cli.keys_init"))
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, help=text("cli.keys_init_role"))
@json_option
def init(roles: tuple[str, ...], as_json: bool) -> None:
    """Makes the missing keys, and changes no existing one."""
    settings = load()
    keys = Keys(settings.key_folder)
    for role in roles:
        if keys.numbers(role):
            raise UsageError(
                "error.key_exists" if role in ROTATED else "error.key_fixed", role=role, folder=keys.folder
            )
    missing = roles or tuple(r for r in ROLES if not (keys.numbers(r) or keys.numbers(r, "pub")))
    made = [_made(settings, keys, role) for role in missing]
    _show(made, as_json=as_json)
    if not as_json:
        note("cli.keys_made", count=len(made), folder=keys.folder)
        if "witness" in missing and len(missing) > 1:
            note("cli.keys_witness_here")


@command.command("rotate", help=text("cli.keys_rotate"))
@click.option("--role", type=click.Choice(ROTATED), required=True, help=text("cli.keys_rotate_role"))
@json_option
def rotate(role: str, as_json: bool) -> None:
    """Makes the next key of a role, which is used from now on; signatures by earlier keys stay valid."""
    settings = load()
    keys = Keys(settings.key_folder)
    if not keys.numbers(role):
        raise UsageError("error.key_missing", role=role, folder=keys.folder)
    _show([_made(settings, keys, role)], as_json=as_json)
    if not as_json:
        note(f"cli.keys_rotated_{role}")


@command.command("list", help=text("cli.keys_list"))
@json_option
def list_(as_json: bool) -> None:
    """Prints every key of the folder. Exit 1 if the folder or a secret is open to others, or a file is no such key."""
    keys = Keys(load().key_folder)
    known = keys.known()
    _show(known, as_json=as_json)
    if not known:
        note("cli.keys_none", folder=keys.folder)
    faults = [fault for fault in (keys.open_folder(), *(fault for key in known for fault in key.faults)) if fault]
    for fault in faults:
        note("cli.error", message=fault)
    click.get_current_context().exit(1 if faults else 0)


@command.command("caller", help=text("cli.keys_caller"))
@click.argument("id_", metavar="ID")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help=text("cli.keys_caller_scope")
)
@json_option
def caller(id_: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Prints a new bearer key of a caller, and its entry; writes nothing."""
    if not re.fullmatch(ID_PATTERN, id_):
        raise UsageError("error.option_invalid", option="ID")
    key = new_key()
    entry = {"id": id_, "scopes": list(scopes), "key_sha256": [digest(key)]}
    if as_json:
        show_json({"key": key, "entry": entry})
        return
    note("cli.keys_caller_made")
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
    click.echo(f"key: {key}\n\n[[callers]]\n{lines}", nl=False)


def _made(settings: Settings, keys: Keys, role: str) -> Key:
    return keys.make(role, key_name(settings.group, role))


def _show(keys: list[Key], *, as_json: bool) -> None:
    if as_json:
        show_json(
            [
                {"role": k.role, "number": k.number, "state": k.state, "verifier": k.verifier, "fingerprint": k.mark}
                for k in keys
            ]
        )
    elif keys:
        rows = [
            (k.role, k.number, text(f"cli.key_{k.state.replace(' ', '_')}"), k.verifier or k.mark or "") for k in keys
        ]
        show_table([f"cli.column_key_{name}" for name in ("role", "number", "state", "public")], rows, numbers=(1,))
