"""`gatekeeper audit witness`: watches, from another host and with another user and key, that the log only grows."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, time

import click

from gatekeeper.audit.log.witness import Witness
from gatekeeper.cli.audit import log_metrics
from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.cli.usage import Number
from gatekeeper.ground import interruption, log
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IncompleteError, UsageError
from gatekeeper.ground.metrics import WITNESS_LOOK_AGE
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.http import metrics_server
from gatekeeper.keys import Keys

INTERVAL_SECONDS = 60.0
"""Time during which a thief of all our keys could remove entries that the witness has not signed yet."""
_folder = click.Path(file_okay=False, path_type=Path)


@click.command("witness", help=text("cli.audit_witness"))
@click.option("--log", "log_folder", type=_folder, help=text("cli.audit_witness_log"))
@click.option(
    "--state", type=_folder, default=".gatekeeper/witness", show_default=True, help=text("cli.audit_witness_state")
)
@click.option(
    "--interval",
    type=Number(min=0.1, max=INTERVAL_SECONDS),
    default=INTERVAL_SECONDS,
    show_default=True,
    help=text("cli.audit_witness_interval"),
)
@click.option("--once", is_flag=True, help=text("cli.audit_witness_once"))
@click.option("--first", is_flag=True, help=text("cli.audit_witness_first"))
@json_option
def command(log_folder: Path | None, state: Path, interval: float, once: bool, first: bool, as_json: bool) -> None:
    """Cosigns until it is stopped; a fork, a rollback or a lost memory is not cosigned, and gives exit 4."""
    settings = load()
    keys = Keys(settings.key_folder)
    if not keys.public("log"):
        raise UsageError("error.witness_log_key", folder=keys.folder)
    files, memory = AtomicStore(log_folder or settings.log_folder), AtomicStore(state)
    waiting, looked_at = False, 0.0
    if not once:
        interruption.stop_on_signals()
        log.configure(settings.log_level)
        metrics = metrics_server.measured(settings)
        metrics.find(lambda: log_metrics.values(files, keys))
        metrics.find(lambda: {WITNESS_LOOK_AGE: {(): monotonic() - looked_at}} if looked_at else {})
    with memory.alone():
        while True:
            witness = Witness(files, memory, signer=keys.signer("witness"), verifiers=keys.public("log"))
            if first and witness.remembers:
                raise UsageError("error.witness_not_first", folder=memory.folder)
            with interruption.held():
                look = witness.look(now=int(time()), first=first)
            looked_at = monotonic() if look else looked_at
            first = first and look is None
            if look is None and once:
                raise IncompleteError("error.witness_nothing", folder=files.folder)
            if look is None and not waiting:
                note("cli.audit_witness_waits")
                waiting = True
            if look is not None and (look[1] or once):
                values = {"size": look[0].size, "root": look[0].root.hex()}
                if as_json:
                    show_json({"cosigned": values})
                else:
                    click.echo(text("cli.audit_witnessed", **values))
            if once:
                return
            interruption.wait(interval)
