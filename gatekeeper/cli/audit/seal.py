"""`gatekeeper audit seal`: the one process that seals the manifests of all workers in the log."""

from __future__ import annotations

import click

from gatekeeper.audit.chain import Finding
from gatekeeper.audit.verify import Checkpoint
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.cli.stopping import stop_on_signals
from gatekeeper.settings import load
from gatekeeper.texts import text
from streams.sealing import CHECKPOINT_SECONDS, Sealer, Told


@click.command("seal", help=text("cli.audit_seal"))
@click.option("--once", is_flag=True, help=text("cli.audit_seal_once"))
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=CHECKPOINT_SECONDS,
    show_default=True,
    help=text("cli.audit_seal_interval"),
)
@json_option
def command(once: bool, interval: float, as_json: bool) -> None:
    """Seals until it is stopped; exit 1 where something could not be sealed."""
    findings: list[Finding] = []

    def finding(found: Finding) -> None:
        findings.append(found)
        place = {"partition": found.partition, "offset": found.offset}
        if as_json:
            show_json({"finding": found.kind, **place, "values": dict(found.values)})
        note(f"finding.{found.kind}", **place, **found.values)

    def sealed(checkpoint: Checkpoint) -> None:
        told = {"size": checkpoint.size, "root": checkpoint.root.hex()}
        if as_json:
            show_json({"sealed": told})
        else:
            click.echo(text("cli.audit_sealed", **told))

    settings = load()
    stop_on_signals()
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_sealing"), total=None)
        told = Told(finding=finding, sealed=sealed, taken=lambda: bar.advance(task))
        try:
            Sealer(settings, told=told, seconds=interval).run(once=once)
        except SystemExit:  # stopped in order: what is not sealed yet is taken again at the next start
            pass
    click.get_current_context().exit(1 if findings else 0)
