"""`gatekeeper audit seal`: the one process that seals the manifests of all workers in the log."""

from __future__ import annotations

import click

from gatekeeper.audit.checks.chain import ChainFinding
from gatekeeper.audit.checks.coverage_report import Covered
from gatekeeper.audit.tlog.notes import Checkpoint
from gatekeeper.cli.audit import log_metrics
from gatekeeper.cli.audit.reading import Pace, passed_over
from gatekeeper.cli.output import json_option, note, progress_bar, show_json
from gatekeeper.cli.usage import Number
from gatekeeper.ground import interruption, log
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.metrics import MANIFESTS_UNSEALED, SEAL_FINDINGS
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.http import metrics_server
from gatekeeper.keys import Keys
from streams.operations import coverage
from streams.operations.sealing import CHECKPOINT_SECONDS, Sealer, SealerCallbacks

HOUR_MS = 3_600_000
YEAR_HOURS = 366 * 24
SHOWN = 10
"""Findings of a coverage check that are reported one by one; its report holds more."""


@click.command("seal", help=text("cli.audit_seal"))
@click.option("--once", is_flag=True, help=text("cli.audit_seal_once"))
@click.option(
    "--interval",
    type=Number(min=0.1),
    default=CHECKPOINT_SECONDS,
    show_default=True,
    help=text("cli.audit_seal_interval"),
)
@click.option(
    "--coverage",
    "hours",
    type=Number(min=0, max=YEAR_HOURS),
    default=24,
    show_default=True,
    help=text("cli.audit_seal_coverage"),
)
@json_option
def command(once: bool, interval: float, hours: float, as_json: bool) -> None:
    """Seals until it is stopped; exit 1 if something could not be sealed, or is not accounted for."""
    total = 0
    unchecked = 0
    """Exit code of the last coverage check if it failed."""

    def finding(fault: ChainFinding) -> None:
        nonlocal total
        total += 1
        metrics.count(SEAL_FINDINGS, fault.fault)
        place = {"partition": fault.partition, "offset": fault.offset}
        if as_json:
            show_json({"finding": fault.fault, **place, "values": dict(fault.values)})
        note(f"finding.{fault.fault}", **place, **fault.values)

    def sealed(checkpoint: Checkpoint) -> None:
        values = {"size": checkpoint.size, "root": checkpoint.root.hex()}
        if as_json:
            show_json({"sealed": values})
        else:
            click.echo(text("cli.audit_sealed", **values))

    def covered(partitions: list[Covered], leaf: int) -> None:
        nonlocal total, unchecked
        findings = [uncovered for part in partitions for uncovered in part.findings]
        total, unchecked = total + len(findings), 0
        metrics.count(SEAL_FINDINGS, "uncovered", n=len(findings))
        if as_json:
            show_json({"coverage": {"leaf": leaf, "found": len(findings)}})
        for uncovered in findings[:SHOWN]:
            fault = text(f"finding.name_{uncovered.fault}")
            note("cli.audit_seal_uncovered", fault=fault, place=uncovered.place, detail=uncovered.detail)
        note("cli.audit_seal_covered", leaf=leaf, count=f"{len(findings):,}")

    def failed(error: Exception) -> None:
        nonlocal unchecked
        unchecked = error.exit_code if isinstance(error, GatekeeperError) else 5
        detail = str(error) if isinstance(error, GatekeeperError) else type(error).__name__
        note("cli.audit_seal_unchecked", detail=detail)

    settings = load()
    metrics = Metrics()
    if not once:
        interruption.stop_on_signals()
        log.configure(settings.log_level)
        metrics = metrics_server.measured(settings)
        metrics.find(lambda: log_metrics.values(AtomicStore(settings.log_folder), Keys(settings.key_folder)))
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_sealing"), total=None)
        calls = SealerCallbacks(
            finding,
            sealed,
            taken=lambda: bar.advance(task),
            covered=covered,
            unchecked=failed,
            passed=passed_over,
            unsealed=lambda count: metrics.set(MANIFESTS_UNSEALED, count),
        )
        check = (lambda: list(coverage.check(settings, Pace(None).done))) if hours else None
        try:
            Sealer(settings, told=calls, seconds=interval, check=check, every_ms=int(hours * HOUR_MS)).run(once=once)
        except SystemExit:  # an orderly stop: the next start takes unsealed manifests again
            pass
    click.get_current_context().exit(1 if total else unchecked)
