"""`gatekeeper audit branch`: the branches of a partition's manifests, and the statement that chooses one."""

from __future__ import annotations

import re
from typing import Any

import click

from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.cli.actor import by_option, confirmed, person, reason_if_done_option, yes_option
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from streams.client.reader import Reader
from streams.operations import branch_choice
from streams.operations.branch_choice import Branches

SHOWN = 16
"""Digits of a hash in the table; the commands below it have all of them."""
_DIGEST = re.compile("[0-9a-f]{64}")


@click.command("branch", help=text("cli.audit_branch"))
@click.argument("number", metavar="PARTITION", type=click.IntRange(min=0))
@click.option("--choose", "hash_", metavar="HASH", help=text("cli.audit_branch_choose"))
@by_option
@reason_if_done_option
@yes_option
@json_option
def command(number: int, hash_: str | None, by: str | None, reason: str | None, yes: bool, as_json: bool) -> None:
    """Prints the branches (exit 1 if sealing waits for a choice), or writes the statement that chooses one."""
    settings = load()
    if hash_ is None:
        with Reader(settings) as reader:
            _show(number, branch_choice.read(settings, reader, number), as_json=as_json)
        return
    if not _DIGEST.fullmatch(hash_):
        raise UsageError("error.option_invalid", option="--choose")
    if reason is None:
        raise UsageError("error.branch_reason")
    who = person(settings, by)
    with Reader(settings) as reader:
        seen = branch_choice.read(settings, reader, number)
    branch_choice.demand_choice(seen, number, hash_)
    others = len(seen.found) - 1
    confirmed(text("cli.audit_branch_sure", partition=number, sha256=hash_[:SHOWN], others=others), others, yes=yes)
    statement = branch_choice.choose(settings, number, hash_, by=who, reason=reason)
    if as_json:
        show_json(_said(statement))
    else:
        click.echo(text("cli.audit_branch_chosen", partition=number, sha256=hash_, by=who))
    if statement.signed is None:
        note("cli.audit_branch_unsigned", by=who)


def _show(number: int, seen: Branches, *, as_json: bool) -> None:
    rows = [branch._asdict() for branch in seen.found]
    if as_json:
        chosen = _said(seen.chosen) if seen.chosen else None
        show_json({"partition": number, "held": seen.held, "chosen": chosen, "branches": rows})
    else:
        columns = ("branch_hash", "start", "end", "manifests", "branch_key", "branch_at", "branch_marks")
        fields = ("start", "offset", "manifests", "kid", "at")
        lines = [(f"{row['sha256'][:SHOWN]}…", *(row[name] for name in fields), _marks(row)) for row in rows]
        show_table([f"cli.column_{name}" for name in columns], lines, numbers=(1, 2, 3))
        for branch in seen.found if len(seen.found) > 1 or seen.lost else ():
            click.echo(f'gatekeeper audit branch {number} --choose {branch.sha256} --reason "TEXT" --by ID')
        if seen.chosen:
            click.echo(text("cli.audit_branch_stated", **_said(seen.chosen)))
        key = "cli.audit_branch_held" if seen.held else "cli.audit_branch_open"
        click.echo(text(key, partition=number))
    if seen.held:
        click.get_current_context().exit(1)


def _marks(row: dict[str, Any]) -> str:
    return " ".join(text(f"cli.audit_branch_{name}") for name in ("sealed", "ledger") if row[name]) or "-"


def _said(statement: Statement) -> dict[str, Any]:
    fields = {name: getattr(statement, name) for name in ("partition", "sha256", "by", "reason", "at")}
    return {**fields, "signed": statement.signed is not None}
