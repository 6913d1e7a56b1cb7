"""`gatekeeper audit coverage`: checks that every input is accounted for, as far as the broker still keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import time

import click

from gatekeeper.audit.checks.coverage_report import TOLD, CoverageFinding, Covered, Range, report
from gatekeeper.cli.audit import state as states
from gatekeeper.cli.audit.reading import Pace, rate_option
from gatekeeper.cli.output import json_option, note, progress_bar, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from schemas.values import Count, Model
from streams.client.reader import Reader
from streams.operations.coverage import check


class Checked(Model):
    """Result for a partition, and the time of its check in milliseconds."""

    at: Count
    covered: Covered


class CoverageState(states.State):
    """Content of the state file: the result for each partition checked so far."""

    found: list[Checked]


@click.command("coverage", help=text("cli.audit_coverage"))
@rate_option
@states.state_option()
@json_option
def command(rate: float | None, state: Path | None, as_json: bool) -> None:
    """Prints the findings; exit 1 for any finding, 5 if a part can no longer be proven."""
    settings = load()
    keys = [key.kid for key in Keys(settings.key_folder).public("worker")]
    of = states.of("coverage", group=settings.group, broker=settings.bootstrap, keys=keys)
    kept = states.begun(state, CoverageState, of)
    done = _taken_up(settings, kept, state) if kept else {}

    def now(ended: bool) -> CoverageState | None:
        return None if ended else CoverageState(of=of, found=list(done.values()))

    with states.kept(state, now) as step:
        with progress_bar() as bar:
            task, pace = bar.add_task(text("cli.audit_coverage_reading"), total=None), Pace(rate)

            def passed(count: int) -> None:
                bar.advance(task, count)
                pace.done(count)

            for covered in check(settings, passed, without=frozenset(done)):
                with step():
                    done[covered.partition] = Checked(at=int(time() * 1000), covered=covered)
        results = [done[number].covered for number in sorted(done)]
        findings = [finding for covered in results for finding in covered.findings]
        expired = any(covered.expired for covered in results)
        if as_json:
            click.echo(report(results, group=settings.group, at=_since(done)))
        else:
            _show(results, findings, expired=expired)
    if not keys:
        note("cli.audit_unkeyed", folder=settings.key_folder)
    if findings and all(finding.fault == "unknown_key" for finding in findings):
        note("cli.audit_coverage_keys_unknown", count=f"{len(findings):,}", folder=settings.key_folder)
    elif findings:
        note("cli.audit_coverage_found", count=f"{len(findings):,}")
    elif expired:
        note("cli.audit_coverage_expired")
    click.get_current_context().exit(1 if findings else 5 if expired else 0)


def _taken_up(settings: Settings, kept: CoverageState, file: Path | None) -> dict[int, Checked]:
    """Earlier results by partition, with a note of their time; raises UsageError (2) if they do not fit the topic."""
    done = {checked.covered.partition: checked for checked in kept.found}
    with Reader(settings) as reader:
        numbers = {tp.partition for topic in ("manifests", "sends", "acts") for tp in reader.partitions(topic)}
    if len(done) < len(kept.found) or not done.keys() <= numbers:
        raise UsageError("error.state_unreadable", file=file)
    if done:
        note("state.goes_on_checked", file=file, count=len(done), at=_since(done))
    return done


def _since(done: Mapping[int, Checked]) -> str:
    """The time at which the first partition was checked. Inputs that came later may be missing in the report."""
    return instant(min(checked.at for checked in done.values()))


def _show(results: Sequence[Covered], findings: Sequence[CoverageFinding], *, expired: bool) -> None:
    show_table(
        [f"cli.column_{name}" for name in ("partition", "manifests", "records", "claimed", "expired")],
        [
            (
                covered.partition,
                covered.manifests,
                covered.records,
                " ".join(f"{topic} {_span(span)}" for topic, span in sorted(covered.claimed.items())) or "-",
                " ".join(f"{topic} {count}" for topic, count in sorted(covered.expired.items())) or "-",
            )
            for covered in results
        ],
        numbers=(0, 1, 2),
    )
    for covered in results:
        for skip in covered.skipped:
            key = "partition.skipped_by" if skip.start < skip.to else "partition.back_by"
            click.echo(text(key, partition=covered.partition, **skip._asdict()))
        for branch in covered.branches:
            click.echo(text("cli.audit_coverage_branch", partition=covered.partition, **asdict(branch)))
        if covered.branches and (chosen := covered.branches[0]).by:
            values = {"at": chosen.at, "by": chosen.by, "reason": chosen.reason}
            click.echo(text("cli.audit_coverage_chosen", partition=covered.partition, **values))
    if findings:
        rows = [(text(f"finding.name_{finding.fault}"), finding.place, finding.detail) for finding in findings[:TOLD]]
        show_table([f"cli.column_{name}" for name in ("finding", "place", "detail")], rows)
    elif not expired:
        click.echo(text("cli.audit_coverage_right"))


def _span(claimed: Range) -> str:
    """The first and the last claimed offset."""
    return f"{claimed.start}-{claimed.to - 1}" if claimed.to > claimed.start else "-"
