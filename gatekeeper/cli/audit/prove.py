"""`gatekeeper audit prove`: one decision's proof, to be given to whoever asks for it."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.audit.proof import prove
from gatekeeper.cli.audit.export import sealed
from gatekeeper.cli.audit.reading import opened
from gatekeeper.cli.output import json_option, note, progress_bar, show_json, whole
from gatekeeper.cli.who import named
from gatekeeper.errors import UsageError
from gatekeeper.keys import Keys
from gatekeeper.settings import load
from gatekeeper.texts import text
from schemas.audit import DID_PATTERN


@click.command("prove", help=text("cli.audit_prove"))
@click.argument("did")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=text("cli.audit_prove_out"))
@json_option
def command(did: str, folder: Path | None, out: Path, as_json: bool) -> None:
    """Writes the proof from an export, or from the running system."""
    named(did, "DID", DID_PATTERN)
    settings = load()
    if folder is not None:
        settings = settings.model_copy(update={"keys": str(folder / "keys"), "log": str(folder / "log")})
    keys = Keys(settings.key_folder)
    log = sealed(settings, settings.log_folder)
    with opened(settings, folder, live=folder is None, since=None, to=None) as trail, progress_bar() as bar:
        task = bar.add_task(text("cli.audit_searching"), total=None)
        known = [*keys.verifiers("worker"), *keys.verifiers("log")]
        found = prove(trail, did, log, keys=known, told=lambda link: bar.advance(task))
    if found is None:
        raise UsageError("error.decision_absent", did=did)
    with whole(out) as file:
        file.write(found.decode())
    if b'"log": null' in found:
        note("cli.audit_prove_unsealed")
    if as_json:
        show_json({"did": did, "out": str(out)})
    else:
        click.echo(text("cli.audit_proven", did=did, out=out))
