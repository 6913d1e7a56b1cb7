"""`gatekeeper audit check`: checks one decision's proof, which needs no other data."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.cli.audit.verify import CheckOptions, check_options
from gatekeeper.ground.texts import text


@click.command("check", help=text("cli.audit_check"))
@click.argument("file", type=click.Path(path_type=Path))
@check_options
def command(file: Path, options: CheckOptions) -> None:
    """Reports whether the proof holds, and the manipulations that were excluded. Exit 1, 4 or 5 if it does not hold."""
    options.put_out(check_proof(file, **options.demands()), file)
