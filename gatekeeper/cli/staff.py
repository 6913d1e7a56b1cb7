"""`gatekeeper staff`: the people who act, with their roles and keys, in records of `reference`."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, get_args

import click
import orjson
from pydantic import ValidationError

from gatekeeper.cli.actor import named
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.staff import person_keys
from schemas.codec import canonical
from schemas.events import Staff
from schemas.events.staff import StaffKey, StaffRole
from streams.client.reader import Reader
from streams.operations import endorsement
from streams.operations.endorsement import Endorsable

FOLDER = ".gatekeeper/people"
_KEY_ID = re.compile(r"k([1-9][0-9]{0,5})")
_OPTIONS = {"id": "ID", "controllers": "--controller", "public": "--public", "from": "--from", "until": "--until"}
folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help=text("cli.staff_folder")
)


@click.group("staff", help=text("cli.staff"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("key", help=text("cli.staff_key"))
@click.argument("id_", metavar="ID")
@click.option("--key-id", default="k1", show_default=True, help=text("cli.staff_key_id"))
@folder_option
@json_option
def key(id_: str, key_id: str, folder: Path, as_json: bool) -> None:
    """Makes a key file, and prints its public half; needs no broker."""
    made, path = person_keys.make(folder, named(id_, "ID"), named(key_id, "--key-id"))
    if as_json:
        show_json({"id": id_, "key": key_id, "file": str(path), "public": made.public})
    else:
        click.echo(made.public)
        note("cli.staff_key_made", path=path, id=id_, name=key_id)


@command.command("add", help=text("cli.staff_add"))
@click.argument("id_", metavar="ID")
@click.option("--role", "roles", type=click.Choice(get_args(StaffRole)), multiple=True, help=text("cli.staff_role"))
@click.option("--controller", "controllers", multiple=True, help=text("cli.staff_controller"))
@click.option("--public", help=text("cli.staff_public"))
@click.option("--passkey", help=text("cli.staff_passkey"))
@click.option("--key-id", help=text("cli.staff_key_id"))
@click.option("--from", "since", help=text("cli.staff_from"))
@click.option("--until", help=text("cli.staff_until"))
@folder_option
@json_option
def add(
    id_: str,
    roles: tuple[StaffRole, ...],
    controllers: tuple[str, ...],
    public: str | None,
    passkey: str | None,
    key_id: str | None,
    since: str | None,
    until: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Writes the person's record with one more key; makes that key unless its public half is given."""
    if public is not None and passkey is not None:
        raise UsageError("error.option_invalid", option="--passkey")
    settings = load()
    with Reader(settings) as reader:
        member = endorsement.read(reader).person(named(id_, "ID"))
    if not (roles or member):
        raise click.MissingParameter(param_hint="'--role'", param_type="option")
    kept = member.keys if member else ()
    key_id = named(key_id or _next(kept), "--key-id")
    method = "console" if "console" in (roles or (member.roles if member else ())) else "key"
    path, new = None, _passkey(passkey) if passkey is not None else {"method": method, "public": public}
    if passkey is None and public is None:
        made, path = person_keys.make(folder, id_, key_id)
        new["public"] = made.public
    fields = {
        "roles": tuple(dict.fromkeys(roles)) or (member.roles if member else ()),
        "controllers": controllers or (member.controllers if member else None),
        "keys": [
            *(staff_key.model_dump(exclude_none=True) for staff_key in kept),
            {"id": key_id, **new},
        ],
        "from": since,
        "until": until,
    }
    try:
        staff = staff_of(id_, **fields)
        _write(settings, staff, path, as_json=as_json)
    except BaseException:
        if path is not None:
            path.unlink(missing_ok=True)  # nobody knows its public half
        raise


@command.command("revoke", help=text("cli.staff_revoke"))
@click.argument("id_", metavar="ID")
@click.option("--key-id", help=text("cli.staff_revoke_key"))
@json_option
def revoke(id_: str, key_id: str | None, as_json: bool) -> None:
    """Writes the person's record without this key; without `--key-id` the person has no role and no key any more."""
    settings = load()
    with Reader(settings) as reader:
        endorsed = endorsement.read(reader)
    member = endorsed.person(named(id_, "ID"))
    if member is None:
        raise UsageError(
            "error.staff_unknown", id=id_, known=", ".join(member.id for member in endorsed.everybody) or "-"
        )
    ids = [staff_key.id for staff_key in member.keys]
    if key_id is not None and key_id not in ids:
        raise UsageError("error.staff_key_unknown", id=id_, known=", ".join(ids) or "-")
    kept = [staff_key for staff_key in member.keys if key_id and staff_key.id != key_id]
    _write(
        settings, member.model_copy(update={"keys": tuple(kept), **({} if key_id else {"roles": ()})}), as_json=as_json
    )


@command.command("list", help=text("cli.staff_list"))
@json_option
def list_staff(as_json: bool) -> None:
    """Prints one row a person; a record that waits for a signature is named behind them."""
    settings = load()
    with Reader(settings) as reader:
        endorsed = endorsement.read(reader)
    waiting = [row for row in endorsed.endorsable() if row.name.startswith("staff/")]
    if as_json:
        for member in endorsed.everybody:
            show_json({**member.model_dump(mode="json", by_alias=True, exclude={"v", "kind"}), "waiting": False})
        for row in waiting:
            show_json({"id": row.name.partition("/")[2], "waiting": True, "signed_by": row.signers})
        return
    if endorsed.everybody:
        show_table(
            [f"cli.column_{name}" for name in ("user", "roles", "controller", "keys", "until")],
            [_cells(member) for member in endorsed.everybody],
        )
    else:
        note("cli.staff_none")
    for row in waiting:
        note("cli.staff_waits", name=row.name, signers=", ".join(row.signers) or "-")
    for refused in endorsed.log.endorsements.refused:
        if refused.of.startswith("staff/"):
            place = "reference/{}/{}".format(*refused.order)
            why = text(f"act.refused_{refused.code}")
            note("cli.status_signature_refused", record=refused.of, place=place, why=why)
    if endorsed.log.endorsements.first:
        note("cli.staff_founder", founder=endorsed.log.endorsements.first)


def staff_of(id_: str, **fields: Any) -> Staff:
    """A record of `staff`; raises UsageError (2) with the option that is wrong."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return Staff.model_validate_json(canonical({"v": 1, "kind": "staff", "id": id_, **given}))
    except ValidationError as error:
        loc = [str(part) for part in error.errors(include_input=False, include_context=False)[0]["loc"]]
        name = loc[-1] if loc else "roles"
        raise UsageError(
            "error.option_invalid", option=_OPTIONS.get(name, f"--{name.replace('roles', 'role')}")
        ) from None


def _write(settings: Settings, staff: Staff, path: Path | None = None, *, as_json: bool) -> None:
    place = endorsement.put(settings, staff)
    row = waiting_row(settings, f"staff/{staff.id}", place.offset)
    if as_json:
        shown = {
            "id": staff.id,
            "roles": staff.roles,
            "keys": [staff_key.id for staff_key in staff.keys],
            "offset": place.offset,
        }
        show_json({**shown, "file": str(path) if path else None, "waiting": row is not None})
    else:
        click.echo(text("cli.staff_written", id=staff.id, roles=", ".join(staff.roles) or "-"))
        if path:
            note("cli.staff_hand_over", path=path, id=staff.id)
    if row:
        told_waiting(row)


def waiting_row(settings: Settings, name: str, offset: int) -> Endorsable | None:
    """The record at this offset of `reference` if it waits for another signature, else None."""
    with Reader(settings) as reader:
        reader.settled("reference")  # a record just committed may still be hidden from the next read
        return endorsement.read(reader).waiting(name, offset)


def told_waiting(row: Endorsable) -> None:
    """Says on stderr whose signature a record waits for, and the command that gives it.

    Ends the command with exit 1 if the signature just given counts for nothing.
    """
    lacking = sorted(set(row.named) - set(row.signers))
    note("cli.waits_for_signature", name=row.name, lacking=", ".join(lacking) or text("cli.another_manager"))
    if row.fault:
        told_refused(row.name, row.fault)


def told_refused(name: str, code: str) -> None:
    """Says on stderr why a signature of a record counts for nothing, and ends the command with exit 1."""
    note("cli.own_signature_refused", name=name, says=text(f"act.refused_{code}"))
    raise click.exceptions.Exit(1)


def _passkey(line: str) -> dict[str, Any]:
    """The fields of a passkey in the text that the console shows; raises UsageError (2) for any other text."""
    try:
        fields = orjson.loads(base64.urlsafe_b64decode(line + "=" * (-len(line) % 4)))
        key = StaffKey.model_validate_json(canonical({**fields, "id": "k1", "method": "passkey"}))
    except (ValueError, TypeError):
        raise UsageError("error.option_invalid", option="--passkey") from None
    return key.model_dump(mode="json", exclude={"id"}, exclude_none=True)


def _next(kept: tuple[StaffKey, ...]) -> str:
    numbers = [int(match[1]) for staff_key in kept if (match := _KEY_ID.fullmatch(staff_key.id))]
    return f"k{max(numbers, default=0) + 1}"


def _cells(member: Staff) -> tuple[str, ...]:
    keys = ", ".join(f"{key.id} ({text(f'cli.staff_method_{key.method}')})" for key in member.keys)
    who = member.id, ", ".join(member.roles) or "-", ", ".join(member.controllers or ("*",))
    return (*who, keys or "-", str(member.until or "-"))
