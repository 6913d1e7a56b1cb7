"""`gatekeeper audit check`: one decision's proof, which needs nothing beside it."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.verify.findings import tell
from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.cli.audit.verify import check_options, trusted
from gatekeeper.cli.output import json_option
from gatekeeper.texts import text


@click.command("check", help=text("cli.audit_check"))
@click.argument("file", type=click.Path(path_type=Path))
@check_options
@json_option
def command(file: Path, witness: str | None, min_size: int | None, as_json: bool) -> None:
    """Tells whether the proof holds, and what could and could not be excluded; exit 1, 4 or 5 where it does not."""
    report = check_proof(file, witness=trusted(witness), min_size=min_size)
    tell(report, as_json=as_json)
    click.get_current_context().exit(report.exit_code)
