"""`gatekeeper report`: reports the gate's work in a period, for management review and the auditor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

import click

from gatekeeper.cli.cores import beside, sign
from gatekeeper.cli.output import json_option, note, progress_bar, show_heading, show_json, show_table, whole
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import language, text
from gatekeeper.policy import packs
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report import page, period
from gatekeeper.report.authorship import PROOFS
from gatekeeper.report.evidence import MOST_SAMPLES, SAMPLES, Draw
from gatekeeper.report.tally import foreign, wrong
from gatekeeper.report.workbook import workbook
from streams.operations.reports import read, standing


@click.command("report", help=text("cli.report"))
@click.option("--from", "since", required=True, help=text("cli.report_from"))
@click.option("--to", required=True, help=text("cli.report_to"))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=text("cli.report_out"))
@click.option("--sample", type=click.IntRange(1, MOST_SAMPLES), default=SAMPLES, help=text("cli.report_sample"))
@click.option("--seed", default="", help=text("cli.report_seed"))
@json_option
def command(since: str, to: str, out: Path | None, sample: int, seed: str, as_json: bool) -> None:
    """Prints the report or writes the page; exit 1 for changed or foreign records, 5 if old records are gone."""
    settings, draw = load(), Draw(sample, seed)
    days = period.read(since, to, packs.load(settings.policy).at(int(time() * 1000)).timezone)
    with beside(lambda: standing(settings, days, sign)) as facts, progress_bar() as bar:
        task = bar.add_task(text("cli.report_reading"), total=None)

        def passed(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = read(settings, days, passed, facts=facts, draw=draw)
    if out is not None:
        with whole(out, "wb") as file:
            file.write(
                workbook(report, language()) if out.suffix == ".xlsx" else page.document(report, language()).encode()
            )
    if as_json:
        show_json(report)
    elif out is not None:
        click.echo(text("cli.report_written", out=out))
    else:
        _show(report)
    if report["signatures"]["acts"] == "unsigned":
        note("report.acts_unsigned")
    if names := report["signatures"]["unsigned"]:
        note("report.reference_unsigned", count=f"{len(names):,}", shown=", ".join(names[:5]))
    if lone := report["signatures"]["lone"]:
        late, names = sum(row["late"] for row in lone), ", ".join(row["record"] for row in lone[:5])
        note("report.reference_lone", count=f"{len(lone):,}", late=f"{late:,}", shown=names)
    if unproven := report["acts"]["unproven"]:
        note("report.acts_unproven", count=f"{unproven:,}")
    if duties := report["nos"]["duties"]:
        note("report.nos_duties", count=f"{len(duties):,}", shown=", ".join(row["id"] for row in duties[:5]))
    if report["kept_from"]:
        note("cli.report_kept", since=report["kept_from"])
    if wrong(report):
        note("cli.report_wrong")
    if strangers := foreign(report):
        note("report.foreign", **strangers)
    click.get_current_context().exit(1 if wrong(report) or strangers else 5 if report["kept_from"] else 0)


def _show(report: Mapping[str, Any]) -> None:
    """Prints the figures on stdout; the page and the JSON have all tables."""
    click.echo(text("report.title", **{name: report["days"][name] for name in ("first", "last")}))
    verdicts, latency = report["sends"]["verdicts"], report["withdrawals"]["latency_ms"]
    review, seal = report["review"], report["seal"]
    rows = [
        (text("report.total"), report["sends"]["total"]),
        *((f"  {text(f'report.verdict_{verdict}')}", verdicts[verdict]) for verdict in VERDICTS),
        (text("report.confirmations"), report["confirmations"]["asked"]),
        (text("report.withdrawals"), report["withdrawals"]["total"]),
        *((f"  {text(f'report.latency_{name}')} (ms)", _shown(latency[name])) for name in ("p50", "p99")),
        (
            text("report.recalls"),
            sum(row[name] for row in report["recalls"] for name in ("in_time", "late", "undated")),
        ),
        (f"  {text('report.recall_late')}", sum(row["late"] for row in report["recalls"])),
        (text("report.review"), review["items"]),
        *((f"  {text(f'report.item_{name}')}", review[name]) for name in ("decided", "open")),
        *((f"{text('report.acts')}: {text(f'report.signed_{name}')}", count) for name, count in _proofs(report)),
        (text("report.seal_size"), _shown(seal and seal["size"])),
        (text("report.seal_witnessed"), _shown(seal and seal["witnessed"])),
    ]
    show_table(("cli.column_what", "cli.column_count"), rows, numbers=(1,))
    show_heading("report.cleared")
    pieces = [tuple("-" if value is None else value for value in row.values()) for row in report["cleared"]]
    columns = ("class", "ground", "template", "pieces", "said_no")
    show_table([f"report.column_{name}" for name in columns], pieces, numbers=(3, 4))
    show_heading("report.reasons")
    cured = ("reason", "withheld", "primary", "released", "answered", "mended", "waited")
    reasons = [(row["code"], row["withheld"], row["primary"], *row["cured"].values()) for row in report["reasons"]]
    show_table([f"report.column_{name}" for name in cured], reasons, numbers=range(1, 7))
    show_heading("report.samples")
    lines = [
        (row["inquiry"], row["did"], row["verdict"], text(f"report.proof_{row['state']}")) for row in report["samples"]
    ]
    names = ("cli.column_inquiry_code", "cli.column_decision_id", "cli.column_verdict", "report.sample_proof")
    show_table(names, lines)


def _proofs(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The number of acts by proof, and of those that were refused."""
    return [(name, sum(row[name]["acts"] for row in report["acts"]["signed"])) for name in (*PROOFS, "refused")]


def _shown(value: Any) -> Any:
    return "-" if value is None else value
