"""`gatekeeper audit verify`: an export checked offline, by the check that also comes with it as one file."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import tell
from gatekeeper.cli.audit.checking import check_options, trusted
from gatekeeper.cli.output import json_option, progress_bar
from gatekeeper.texts import text


@click.command("verify", help=text("cli.audit_verify"))
@click.argument("folder", type=click.Path(path_type=Path))
@check_options
@json_option
def command(folder: Path, witness: str | None, min_size: int | None, as_json: bool) -> None:
    """Tells what is wrong and where, and what could and could not be excluded; exit 1, 4 or 5 where it is not right."""
    key = trusted(witness)
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_verifying"), total=None)
        report = verify(
            folder,
            witness=key,
            min_size=min_size,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    tell(report, as_json=as_json)
    click.get_current_context().exit(report.exit_code)
