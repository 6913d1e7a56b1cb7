"""What the offline checks share: whom the caller trusts, and how much there must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.verify.findings import Trouble
from gatekeeper.audit.verify.trust import read_witness
from gatekeeper.errors import UsageError
from gatekeeper.texts import text


def check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --witness and --min-size to a command."""
    for decorate in (
        click.option("--min-size", type=click.IntRange(min=1), help=text("cli.audit_min_size")),
        click.option("--witness", metavar="KEY", help=text("cli.audit_trusted")),
    ):
        command = decorate(command)
    return command


def trusted(witness: str | None) -> Vkey | None:
    """Returns the witness's key, None where none is named; raises UsageError (2) for what is no such key."""
    try:
        return read_witness(witness) if witness is not None else None
    except Trouble:
        raise UsageError("error.witness_key") from None
