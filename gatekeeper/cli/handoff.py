"""`gatekeeper handoff`: writes a campaign's pieces that current facts still clear, as a file for the print house."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import IO, Any
from uuid import uuid4

import click

from gatekeeper.audit.records import inquiry
from gatekeeper.cli.actor import act_options, person
from gatekeeper.cli.output import json_option, note, progress_bar, show_json, whole
from gatekeeper.cli.usage import Number
from gatekeeper.ground.errors import IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.management.spreadsheet import SpreadsheetRows
from gatekeeper.review.actions import sentence
from schemas.codec import decode
from schemas.events import CampaignAct, Delivery, Send
from schemas.record import Record
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import handoffs
from streams.operations.handed_pieces import HandedPieces, log_of
from streams.operations.handoffs import Run

WAIT_SECONDS = 60.0
LINES = 8
"""Most lines of an address."""
COLUMNS = (
    "decision_id",
    "inquiry_code",
    "recipient_id",
    "campaign_id",
    "channel",
    "template_id",
    "mail_date",
    "name",
    "postcode",
    *(f"line_{number}" for number in range(1, LINES + 1)),
    "obligations",
    "again",
)

wait_option = click.option("--wait", type=Number(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.wait"))
run_option = click.option("--run", "run_id", help=text("cli.run"))


@click.command("handoff", help=text("cli.handoff"))
@click.argument("campaign")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=text("cli.handoff_out"))
@click.option("--again", is_flag=True, help=text("cli.handoff_again"))
@act_options("handoff")
@run_option
@wait_option
@json_option
def command(
    campaign: str, out: Path, again: bool, by: str | None, run_id: str | None, wait: float, as_json: bool
) -> None:
    """Writes the act, waits for its answers, then writes the file; exit 5 if a partition has not answered."""
    settings = load()
    if out.exists():
        raise UsageError("error.file_exists", file=out)
    act = campaign_act("handoff", campaign, person(settings, by), run_id, channel="postal", again=again)
    with Reader(settings) as reader, whole(out) as handle:
        run = carried_out(settings, reader, act, resumed=run_id is not None, seconds=wait)
        known = set(run.handed) if run.resumed else set[str]()
        if run.resumed and not run.called_off:  # the answer may be old: the worker confirms the current state
            anew = act.model_copy(update={"act_id": f"{act.act_id}.{uuid4().hex[:6]}", "again": True})
            run.confirm(carried_out(settings, reader, anew, resumed=False, seconds=wait, name=act.act_id))
        pieces = {} if run.called_off else _pieces(reader, run)
        memory = HandedPieces(Path(settings.handoff_data), log_of(reader))
        before = memory.before(pieces.keys() - known)
        if run.act.again:
            run.handed |= dict.fromkeys(before, True)
            before = {}
        fallen, written = len(run.handed) - len(pieces), [did for did in pieces if did not in before]
        _write(handle, run, {did: pieces[did] for did in written})
        memory.add(written, run=act.act_id, at=int(time() * 1000))  # before the file is there
    result = {"campaign": campaign, "run": run.act.act_id, "file": str(out), "written": len(written),
              "again": sum(run.handed.values()), "handed_before": len(before), "recalled": len(run.recalled),
              "recalled_since": fallen, "called_off": run.called_off, "pieces_wait": run.pieces_wait}  # fmt: skip
    if as_json:
        show_json(result)
    else:
        click.echo(text("cli.handoff_done", **result))
    if run.called_off:
        note("cli.handoff_called_off", campaign=campaign)
    elif run.pieces_wait:
        note("cli.handoff_pieces_wait")
    elif not run.handed:
        note("cli.handoff_nothing", campaign=campaign)
    if before:
        note("cli.handoff_before", count=len(before), runs=", ".join(sorted({*before.values()})))


def campaign_act(kind: str, campaign: str, by: str, run_id: str | None, **more: Any) -> CampaignAct:
    """A new act about a campaign; raises UsageError (2) that names the option with a wrong value."""
    id_ = run_id or uuid4().hex[:12]
    return fact_with_act.made(CampaignAct, kind, by=by, act_id=id_, subject=f"campaign/{campaign}", **more)


def carried_out(
    settings: Settings, reader: Reader, act: CampaignAct, *, resumed: bool, seconds: float, name: str | None = None
) -> Run:
    """Writes the act, or resumes the run of its id. The result is the run after all partitions have answered.

    `name`: the run to name for resuming, if it is not the act's own. Raises IncompleteError (5) if a partition has not
    answered. Raises UsageError (2) if the run's id is another act's or the gate is a shadow. Ends with exit 1 if the
    worker refuses the act.
    """
    run = handoffs.resume(settings, reader, act.act_id) if resumed else None
    if run is not None and (run.act.kind, run.act.subject) != (act.kind, act.subject):
        raise UsageError("error.run_of_another", run=act.act_id, kind=run.act.kind, subject=run.act.subject)
    with _saying_how_to_go_on(name or act.act_id):
        run = run or handoffs.begin(settings, reader, act)
        with progress_bar() as bar:
            task = bar.add_task(text("cli.handoff_waiting"), total=len(run.waiting))
            total = len(run.waiting)
            for state in handoffs.answers(reader, run, seconds=seconds):
                bar.update(task, completed=total - len(state.waiting))
    if run.waiting:
        numbers = ", ".join(map(str, sorted(number for number, _ in run.waiting)))
        raise IncompleteError("error.campaign_unanswered", partitions=numbers, run=name or act.act_id)
    if run.refused == "shadow":
        raise UsageError("error.campaign_shadow")
    if run.refused:
        note("cli.campaign_refused", sentence=sentence("refused", run.refused))
        raise click.exceptions.Exit(1)
    return run


@contextmanager
def _saying_how_to_go_on(run_id: str) -> Iterator[None]:
    try:
        yield
    except (UnavailableError, IncompleteError, KeyboardInterrupt):
        note("cli.run_again", run=run_id)
        raise


def _pieces(reader: Reader, run: Run) -> dict[str, Record]:
    """The cleared records that were handed off and not recalled since, in the order of their ids."""
    records = {}
    with progress_bar() as bar:
        task = bar.add_task(text("cli.handoff_reading"), total=len(run.handed))
        for record in reader.read("cleared"):
            did = record.header("gate-decision-id")
            if did in run.handed:
                records[did] = record
                bar.advance(task)
    if missing := run.handed.keys() - records.keys():
        raise IntegrityError("error.handed_missing", count=len(missing), example=min(missing))
    campaign = run.act.campaign.encode()
    recalled = (decode("recalls", r.key, r.value) for r in reader.read("recalls") if campaign in (r.value or b""))
    since = {recall.decision_id for recall in recalled}
    return {did: records[did] for did in sorted(records) if did not in since}


def _write(handle: IO[str], run: Run, pieces: dict[str, Record]) -> None:
    rows = SpreadsheetRows(handle, COLUMNS)
    for did, record in pieces.items():
        send: Send = decode("cleared", record.key, record.value)
        rows.write(_row(did, send, record.header("gate-obligations"), again=run.handed[did]))


def _row(did: str, send: Send, obligations: str, *, again: bool) -> dict[str, str]:
    to = send.delivery or Delivery(name="")
    lines = [*to.lines, *[""] * LINES][:LINES]
    return {
        "decision_id": did,
        "inquiry_code": inquiry.make(did),
        "recipient_id": send.recipient_id,
        "campaign_id": send.campaign_id,
        "channel": send.channel,
        "template_id": send.template_id,
        "mail_date": send.mail_date or "",
        "name": to.name,
        "postcode": to.postcode or "",
        **{f"line_{number}": line for number, line in enumerate(lines, 1)},
        "obligations": obligations.replace(",", " "),
        "again": "yes" if again else "",
    }
