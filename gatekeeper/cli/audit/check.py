"""`gatekeeper audit check`: checks one decision's proof, which needs no other data."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.cli.audit.verify import check_options, put_out, trusted
from gatekeeper.cli.output import json_option
from gatekeeper.texts import text


@click.command("check", help=text("cli.audit_check"))
@click.argument("file", type=click.Path(path_type=Path))
@check_options
@json_option
def command(
    file: Path,
    log: str | None,
    witness: str | None,
    require_witness: bool,
    min_size: int | None,
    out: Path | None,
    as_json: bool,
    whole: bool,
) -> None:
    """Reports whether the proof holds, and the manipulations that were excluded. Exit 1, 4 or 5 if it does not hold."""
    key = trusted(witness)
    report = check_proof(file, witness=key, min_size=min_size, log=log, require_witness=require_witness)
    put_out(report, file, out=out, as_json=as_json, whole=whole)
