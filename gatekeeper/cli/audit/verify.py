"""`gatekeeper audit verify`: checks an export offline, by the same check that each export holds as one file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.verify.certificate import certificate
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report, Trouble, tell
from gatekeeper.audit.verify.trust import read_witness
from gatekeeper.cli.output import json_option, progress_bar
from gatekeeper.cli.output import whole as written
from gatekeeper.errors import UsageError
from gatekeeper.texts import text


def check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the caller's demands on the log to a command: its name, its witness, and its least number of leaves."""
    for decorate in (
        click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=text("cli.audit_certificate")),
        click.option("-v", "--verbose", "whole", is_flag=True, help=text("cli.audit_verbose")),
        click.option("--min-size", type=click.IntRange(min=1), help=text("cli.audit_min_size")),
        click.option("--require-witness", is_flag=True, help=text("cli.audit_require_witness")),
        click.option("--witness", metavar="KEY", help=text("cli.audit_trusted")),
        click.option("--log", metavar="NAME", help=text("cli.audit_wanted_log")),
    ):
        command = decorate(command)
    return command


def trusted(witness: str | None) -> Vkey | None:
    """The witness's key, None without one; raises UsageError (2) for other text."""
    try:
        return read_witness(witness) if witness is not None else None
    except Trouble:
        raise UsageError("error.witness_key") from None


def put_out(report: Report, checked: Path, *, out: Path | None, as_json: bool, whole: bool) -> None:
    """Prints a report, writes its certificate to `out`, and ends with its exit code. `checked`: folder or file."""
    if out is not None:
        with written(out) as file:
            file.write(certificate(report, checked.resolve().name, datetime.now(UTC)))
    tell(report, as_json=as_json, whole=whole)
    click.get_current_context().exit(report.exit_code)


@click.command("verify", help=text("cli.audit_verify"))
@click.argument("folder", type=click.Path(path_type=Path))
@check_options
@json_option
def command(
    folder: Path,
    log: str | None,
    witness: str | None,
    require_witness: bool,
    min_size: int | None,
    out: Path | None,
    as_json: bool,
    whole: bool,
) -> None:
    """Reports faults with their places, and the manipulations that were excluded; exit 1, 4 or 5 for a fault."""
    key = trusted(witness)
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_verifying"), total=None)
        report = verify(
            folder,
            witness=key,
            min_size=min_size,
            log=log,
            require_witness=require_witness,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    put_out(report, folder, out=out, as_json=as_json, whole=whole)
