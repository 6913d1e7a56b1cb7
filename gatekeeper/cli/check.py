"""`gatekeeper check CAMPAIGN`: predicts the gate's decision on every send, before anything is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from gatekeeper.audit.records.releases import RULES
from gatekeeper.cli.changes import rows as changes_told
from gatekeeper.cli.changes import show as show_changes
from gatekeeper.cli.judged_lines import CampaignJudge, JudgedLine, ReadLine, judged
from gatekeeper.cli.output import json_option, note, progress_bar, show_heading, show_json
from gatekeeper.cli.preflight import show, summary
from gatekeeper.cli.withheld import Earlier, Write, written
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.ground import times
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import catalogue, text
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management import files
from gatekeeper.management.preflight import Preflight
from gatekeeper.policy import packs
from gatekeeper.policy.changes import NONE, Changes, Result
from gatekeeper.policy.packs import Packs
from schemas.topics import FACT_TOPICS
from schemas.values import ZonedTime
from streams.client.reader import Reader
from streams.worker.ledger import Ledger

SHOWN = 5
"""Unreadable lines that are reported one by one."""
TOLD = 100
"""Unreadable lines in the JSON; the file of the withheld sends has all."""
STEP = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """An unreadable line or record: its place and its fault, never its content."""

    where: str
    fault: str


@click.command("check", help=text("cli.check"))
@click.argument("campaign", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--facts", "paths", multiple=True, type=click.Path(path_type=Path), help=text("check.facts"))
@click.option("--policy", help=text("check.policy"))
@click.option("--at", "written_at", help=text("check.at"))
@click.option("--out", type=click.Path(path_type=Path), help=text("check.out"))
@click.option("--before", type=click.Path(path_type=Path), help=text("check.before"))
@json_option
@click.pass_context
def command(
    context: click.Context,
    campaign: Path,
    paths: tuple[Path, ...],
    policy: str | None,
    written_at: str | None,
    out: Path | None,
    before: Path | None,
    as_json: bool,
) -> None:
    """Prints the predicted decisions on a campaign; exit 1 if a send is withheld or a fact cannot be read."""
    settings = load()
    loaded = packs.load(policy or settings.policy)
    tokens = open_tokens(Keys(settings.key_folder).tokens())
    at = _milliseconds(written_at, loaded)
    inputs = (campaign, *paths, *((before,) if before else ()))
    if out and any(out.exists() and path.exists() and out.samefile(path) for path in inputs):
        raise UsageError("error.out_is_input", file=out)
    earlier = Earlier(before) if before else None
    with files.opened(campaign) as handle:
        lines = files.campaign(handle, campaign)
        # an empty file or a wrong header is reported before the facts are read
        first = next(lines, None)
        if first is None:
            raise UsageError("error.campaign_empty", file=campaign)
        whose = () if paths else (settings.group, settings.founder)
        ours, pair_key = (tokens.prints, tokens.pair_key) if tokens is not None else ({}, b"")
        store = FactStore(*whose, ours=ours, pair_key=pair_key)
        ledger = Ledger()
        unread_facts = (
            _from_files(paths, store, at=at, zone=loaded.home[0].timezone)
            if paths
            else _from_system(settings, store, ledger)
        )
        with written(out) if out else nullcontext() as write:
            judge = CampaignJudge(Moment(Evaluator(loaded, tokens=tokens, trusting=True), store, ledger.state, at))
            preflight, changes, unread_sends = _judge(chain((first,), lines), judge, write, earlier)
    result = {
        "campaign": str(campaign),
        "facts": [str(path) for path in paths] or settings.bootstrap,
        "policy": judge.now.policy.ref,
        "rules": RULES,
        "at": times.instant(at),
        **summary(preflight),
        "audience_unlisted": sorted(judge.unlisted)[:TOLD],
        "unread": sorted(judge.unread),
        "unreadable_sends": [asdict(fault) for fault in unread_sends[:TOLD]],
        "unreadable_facts": [asdict(fault) for fault in unread_facts[:TOLD]],
        "out": str(out) if out else None,
        "before": str(before) if before else None,
        "changes": changes_told(changes) if before else None,
    }
    if as_json:
        show_json(result)
    else:
        show(preflight)
        if before:
            show_heading("check.changes")
            show_changes(changes)
    if judge.keyless:
        note("check.no_key")
    if judge.unlisted:
        note("check.audience_unlisted", words=", ".join(sorted(judge.unlisted)[:TOLD]))
    if judge.unread:
        note("check.unread", words=", ".join(sorted(judge.unread)))
    _tell(preflight, unread_sends, unread_facts, out=out)
    context.exit(1 if preflight.withheld or unread_facts else 0)


def _milliseconds(written_at: str | None, loaded: Packs) -> int:
    """The instant to judge at, in milliseconds; a day counts from its first moment in the policy's time zone."""
    if written_at is None:
        return (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    try:
        TypeAdapter(ZonedTime).validate_python(written_at)
    except ValidationError:
        raise UsageError("error.option_invalid", option="--at") from None
    return times.span(written_at, loaded.home[0].timezone).first // 1000


def _from_files(paths: tuple[Path, ...], store: FactStore, *, at: int, zone: str) -> list[Fault]:
    faults = []
    with progress_bar() as bar:
        task = bar.add_task(text("check.reading"), total=None)
        for fault in files.fold(paths, store, at=at, zone=zone):
            bar.advance(task)
            if fault:
                faults.append(Fault(f"{fault.file}:{fault.line}", fault.fault))
    return faults


def _from_system(settings: Settings, store: FactStore, ledger: Ledger) -> list[Fault]:
    """Reads the fact topics and the ledger up to their current ends, as a worker that starts now would."""
    with Reader(settings) as reader, progress_bar() as bar:
        topics = (*FACT_TOPICS, "ledger")
        held = sum(sum(reader.ends(topic).values()) - sum(reader.starts(topic).values()) for topic in topics)
        task = bar.add_task(text("check.reading"), total=held)
        for topic in topics:
            for record in reader.read(topic):
                if topic == "ledger":
                    if record.refused and record.refused.what != "headers":
                        place = f"{record.topic}/{record.partition}/{record.offset}"
                        raise IntegrityError("error.ledger_spoilt", place=place, sha256=record.refused.sha256)
                    ledger.apply(record.key or b"", record.value)
                else:
                    store.apply(record)
                bar.advance(task)
    return [Fault("/".join(map(str, place)), fault) for place, fault in sorted(store.unresolved.faults.items())]


def _judge(
    lines: Iterator[ReadLine], judge: CampaignJudge, write: Write | None, earlier: Earlier | None
) -> tuple[Preflight, Changes, list[Fault]]:
    preflight, changes, unreadable = Preflight(), Changes(), list[Fault]()
    with progress_bar() as bar:
        task = bar.add_task(text("check.judging"), total=None)
        for number, line in judged(lines, judge):
            judge.keyless = judge.keyless or line.keyless
            judge.unlisted |= line.unlisted
            judge.unread |= line.unread
            if line.fault:
                unreadable.append(Fault(str(number), line.fault))
            preflight.count(line.weighed)
            if earlier:
                _compare(changes, earlier.result(number, line.event_id), line)
            if write and line.row:
                write(line.row)
            if preflight.sends % STEP == 0:
                bar.advance(task, STEP)
    if earlier:
        earlier.finish()
    return preflight, changes, unreadable


def _compare(changes: Changes, old: Result, line: JudgedLine) -> None:
    """Counts a line whose earlier result is known."""
    person, _, campaign = line.piece or (None, "", NONE)
    changes.add(old, line.result, method=line.method, campaign=campaign, person=person)


def _tell(preflight: Preflight, sends: list[Fault], facts: list[Fault], *, out: Path | None) -> None:
    """Notes on stderr the faults of the input, and the file with the withheld sends."""
    for key, faults in (("check.unreadable_sends", sends), ("check.unreadable_facts", facts)):
        if faults:
            shown = "; ".join(f"{fault.where} ({_fault(fault.fault)})" for fault in faults[:SHOWN])
            note(key, count=f"{len(faults):,}", shown=shown)
    if preflight.duplicates:
        note("check.duplicates", count=f"{preflight.duplicates:,}")
    if out:
        note("check.written", count=f"{preflight.withheld:,}", file=out)


def _fault(fault: str) -> str:
    name, _, place = fault.partition(" at ")
    key = next(key for key in (f"fault.{name}", f"row.{name}", "fault.failed") if key in catalogue())
    sentence = text(key)
    return f"{sentence}: {place}" if place else sentence
