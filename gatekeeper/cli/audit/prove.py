"""`gatekeeper audit prove`: writes one decision's proof, to be handed to anyone who asks for it."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.export.proof import prove
from gatekeeper.audit.verify.proof_check import check_content
from gatekeeper.audit.verify.sentences import INCOMPLETE
from gatekeeper.cli.actor import named
from gatekeeper.cli.audit.reading import keys_of, log_of, of_folder, opened, place_options, tell_unproven
from gatekeeper.cli.output import json_option, note, progress_bar, show_json, whole
from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.decision import DID_PATTERN
from streams.operations.trail import LiveTrail


@click.command("prove", help=text("cli.audit_prove"))
@click.argument("did")
@place_options
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=text("cli.audit_prove_out"))
@json_option
def command(did: str, folder: Path | None, live: bool, out: Path, as_json: bool) -> None:
    """Writes the proof from an export, or from the running system; exit 5 if the decision is not sealed yet.

    Exit 5 also if the decision is not found, but records not signed by a known worker were set aside. The decision may
    be one of them. A proof that does not hold is not written: exit 1 or 4, as for `gatekeeper audit check`.
    """
    named(did, "DID", DID_PATTERN)
    settings = of_folder(load(), folder)
    keys = keys_of(settings, folder)
    log = log_of(keys, settings.log_folder)
    with opened(settings, folder, live=live or folder is None, since=None, to=None) as trail, progress_bar() as bar:
        task = bar.add_task(text("cli.audit_searching"), total=None)
        verifiers = [*keys.verifiers("worker"), *keys.verifiers("log")]
        proof = prove(trail, did, log, keys=verifiers, told=lambda link: bar.advance(task))
    if proof is None and isinstance(trail, LiveTrail) and trail.aside:
        raise IncompleteError("error.not_among_read", where=text("cli.audit_running"))
    if proof is None:
        raise UsageError("error.decision_absent", did=did)
    report = check_content(proof, out.name)
    if report.exit_code not in (0, INCOMPLETE):
        tell_unproven(report.findings, None if folder else keys.folder)
        click.get_current_context().exit(report.exit_code)
    with whole(out) as file:
        file.write(proof.decode())
    if as_json:
        show_json({"did": did, "out": str(out), "sealed": not report.unsealed})
    else:
        click.echo(text("cli.audit_proven", did=did, out=out))
    if report.unsealed:
        note("cli.audit_prove_unsealed")
        click.get_current_context().exit(5)
