"""`gatekeeper check CAMPAIGN`: what the gate would say of every send, before anything is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from gatekeeper import files, packs, spans
from gatekeeper.cli.output import (
    json_option,
    note,
    progress_bar,
    show_bars,
    show_funnel,
    show_heading,
    show_json,
    show_table,
)
from gatekeeper.cli.withheld import Write, written
from gatekeeper.decide import decide, only
from gatekeeper.errors import UsageError
from gatekeeper.facts import FactStore
from gatekeeper.identity import Tokens, open_tokens, printed
from gatekeeper.judge import defect, invalid
from gatekeeper.packs import Packs
from gatekeeper.preflight import GRADES, Checked, Preflight
from gatekeeper.reasons import CATALOGUE, VERDICTS
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from schemas.codec import Unreadable, decode
from schemas.topics import FACT_TOPICS
from schemas.values import ZonedTime
from streams.client import Reader

SHOWN = 5
"""So many of the lines that cannot be read are told one by one."""
TOLD = 100
"""So many of them are in the JSON; the file of the withheld has them all."""
STEP = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """A line or a record that could not be read: where, and why; never its content."""

    where: str
    fault: str


@click.command("check", help=text("cli.check"))
@click.argument("campaign", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--facts", "paths", multiple=True, type=click.Path(path_type=Path), help=text("check.facts"))
@click.option("--policy", help=text("check.policy"))
@click.option("--at", "written_at", help=text("check.at"))
@click.option("--out", type=click.Path(path_type=Path), help=text("check.out"))
@json_option
@click.pass_context
def command(
    context: click.Context,
    campaign: Path,
    paths: tuple[Path, ...],
    policy: str | None,
    written_at: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Prints what a campaign would come to; exit 1 where a send is withheld or a fact cannot be read."""
    settings = load()
    known = packs.load(policy or settings.policy)
    at = _milliseconds(written_at, known)
    tokens = open_tokens(settings.token_key)
    if out and any(out.exists() and path.exists() and out.samefile(path) for path in (campaign, *paths)):
        raise UsageError("error.out_is_input", file=out)
    with files.opened(campaign) as handle:
        lines = files.campaign(handle, campaign)
        # an empty file or a wrong header is told before the facts are read
        first = next(lines, None)
        if first is None:
            raise UsageError("error.campaign_empty", file=campaign)
        store = FactStore()
        unread_facts = _from_files(paths, store) if paths else _from_system(settings, store)
        known = store.activations.over(known)
        with written(out) if out else nullcontext() as write:
            preflight, unread_sends = _judge(chain((first,), lines), store, known, at=at, tokens=tokens, write=write)
    summary = {
        "campaign": str(campaign),
        "facts": [str(path) for path in paths] or settings.bootstrap,
        "policy": known.at(at).ref,
        "at": spans.instant(at),
        **_summary(preflight),
        "unreadable_sends": [asdict(fault) for fault in unread_sends[:TOLD]],
        "unreadable_facts": [asdict(fault) for fault in unread_facts[:TOLD]],
        "out": str(out) if out else None,
    }
    if as_json:
        show_json(summary)
    else:
        _show(preflight)
    _tell(preflight, unread_sends, unread_facts, out=out)
    context.exit(1 if preflight.withheld or unread_facts else 0)


def _milliseconds(written_at: str | None, known: Packs) -> int:
    """Returns the instant to judge at; a day counts from its first moment where the policy is at home."""
    if written_at is None:
        return (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    try:
        TypeAdapter(ZonedTime).validate_python(written_at)
    except ValidationError:
        raise UsageError("error.option_invalid", option="--at") from None
    return spans.span(written_at, known.home[0].timezone).first // 1000


def _from_files(paths: tuple[Path, ...], store: FactStore) -> list[Fault]:
    found = []
    with progress_bar() as bar:
        task = bar.add_task(text("check.reading"), total=None)
        for fault in files.fold(paths, store):
            bar.advance(task)
            if fault:
                found.append(Fault(f"{fault.file}:{fault.line}", fault.fault))
    return found


def _from_system(settings: Settings, store: FactStore) -> list[Fault]:
    """Reads the fact topics up to their ends of now, as a worker that starts now would."""
    with Reader(settings) as reader, progress_bar() as bar:
        held = sum(sum(reader.ends(topic).values()) - sum(reader.starts(topic).values()) for topic in FACT_TOPICS)
        task = bar.add_task(text("check.reading"), total=held)
        for topic in FACT_TOPICS:
            for record in reader.read(topic):
                store.apply(topic, record.partition, record.offset, record.key, record.value)
                bar.advance(task)
    return [Fault("/".join(map(str, place)), fault) for place, fault in sorted(store.unreadable.items())]


def _judge(
    lines: Iterator[tuple[int, bytes | Unreadable]],
    store: FactStore,
    known: Packs,
    *,
    at: int,
    tokens: Tokens | None,
    write: Write | None,
) -> tuple[Preflight, list[Fault]]:
    preflight, unreadable = Preflight(), list[Fault]()
    earlier: dict[tuple[str, str, str], int] = {}
    cleared: dict[tuple[str, str, str], int] = {}
    with progress_bar() as bar:
        task = bar.add_task(text("check.judging"), total=None)
        for line, value in lines:
            checked, fault = _checked(line, value, store, known, at=at, tokens=tokens, earlier=earlier, cleared=cleared)
            if fault:
                unreadable.append(Fault(str(line), fault))
            returned = preflight.add(checked, store.reference)
            if write and checked.decision.verdict != "clear":
                write(checked, returned)
            if preflight.sends % STEP == 0:
                bar.advance(task, STEP)
    return preflight, unreadable


def _checked(
    line: int,
    value: bytes | Unreadable,
    store: FactStore,
    known: Packs,
    *,
    at: int,
    tokens: Tokens | None,
    earlier: dict[tuple[str, str, str], int],
    cleared: dict[tuple[str, str, str], int],
) -> tuple[Checked, str | None]:
    """Judges one line as a worker would, lines before it having been judged; returns why, if it cannot be read."""
    send, facts, twin = None, None, None
    try:
        if isinstance(value, Unreadable):
            raise value
        send = decode("sends", None, value)
        key = send.recipient_id, send.campaign_id, send.channel
        twin = earlier.setdefault(key, line)
        facts = store.view(send, printed(tokens, send))
        clearance = f"line/{cleared[key]}" if key in cleared else None
        decision = decide(send, facts, store.reference, known, at, clearance=clearance)
        if decision.verdict == "clear":
            cleared[key] = line
    except Unreadable as fault:
        return Checked(line, only(known.at(at), at, [invalid(fault)])), str(fault)
    except Exception as error:  # a defect of ours on one line must not stop the rest
        decision = only(known.at(at), at, [defect(error)])
    return Checked(line, decision, send, facts, duplicate_of=twin if twin != line else None), None


def _summary(preflight: Preflight) -> dict[str, Any]:
    verdicts = dict.fromkeys(VERDICTS, 0)
    for (verdict, _), n in preflight.funnel.items():
        verdicts[verdict] += n
    return {
        "sends": preflight.sends,
        "withheld": preflight.withheld,
        "duplicates": preflight.duplicates,
        "verdicts": verdicts,
        "funnel": [
            {"verdict": verdict, "primary": primary or None, "sends": n}
            for (verdict, primary), n in preflight.funnel.most_common()
        ],
        "reasons": [
            {
                "code": code,
                "remedy": CATALOGUE[code].remedy,
                "withheld": weight.withheld,
                "recoverable": weight.recoverable,
                "by": dict(weight.by),
            }
            for code, weight in preflight.ranked()
        ],
        "cures": dict(preflight.cured.most_common()),
        "evidence": {method: {grade: counts[grade] for grade in GRADES} for method, counts in preflight.sources()},
        "returned": [
            {"left": left, "method": method, "batch": batch, "recipients": sorted(people)}
            for (left, method, batch), people in preflight.returners()
        ],
    }


def _show(preflight: Preflight) -> None:
    total = preflight.sends
    show_heading("check.funnel")
    show_funnel(preflight.funnel)
    if reasons := preflight.ranked():
        show_heading("check.reasons")
        columns = ("cli.column_reason", "check.column_withheld", "check.column_recoverable", "check.column_remedy")
        rows = [(code, one.withheld, one.recoverable, _remedies(code), one.withheld) for code, one in reasons]
        show_bars(columns, rows, total=total, numbers=(1, 2))
    if preflight.cured:
        show_heading("check.cures")
        cured = [(text(f"word.remedy.{remedy}"), n, n) for remedy, n in preflight.cured.most_common()]
        show_bars(("check.column_remedy", "check.column_recoverable"), cured, total=total, numbers=(1,))
    if preflight.evidence:
        show_heading("check.evidence")
        graded = [(_method(method), *(counts[grade] for grade in GRADES)) for method, counts in preflight.sources()]
        grades = [f"check.column_grade_{'none' if grade == '-' else grade}" for grade in GRADES]
        show_table(["check.column_method", *grades], graded, numbers=range(1, 1 + len(GRADES)))
        click.echo(text("check.grades"))
    if preflight.returned:
        show_heading("check.returned")
        back = [
            (left, _method(method), batch or "", len(people)) for (left, method, batch), people in preflight.returners()
        ]
        show_table([f"check.column_{column}" for column in ("left", "came_by", "batch", "people")], back, numbers=(3,))
    click.echo()
    clear, withheld = f"{total - preflight.withheld:,}", f"{preflight.withheld:,}"
    click.echo(text("check.done", sends=f"{total:,}", clear=clear, withheld=withheld))


def _tell(preflight: Preflight, sends: list[Fault], facts: list[Fault], *, out: Path | None) -> None:
    """Says on stderr what of the input was not as it should be, and where the withheld sends are written."""
    for key, faults in (("check.unreadable_sends", sends), ("check.unreadable_facts", facts)):
        if faults:
            shown = "; ".join(f"{one.where} ({_fault(one.fault)})" for one in faults[:SHOWN])
            note(key, count=f"{len(faults):,}", shown=shown)
    if preflight.duplicates:
        note("check.duplicates", count=f"{preflight.duplicates:,}")
    if out:
        note("check.written", count=f"{preflight.withheld:,}", file=out)


def _fault(fault: str) -> str:
    name, _, place = fault.partition(" at ")
    said = text("fault.failed" if name.startswith("failed_") else f"fault.{name}")
    return f"{said}: {place}" if place else said


def _remedies(code: str) -> str:
    return " / ".join(text(f"word.remedy.{remedy}") for remedy in CATALOGUE[code].remedy)


def _method(method: str) -> str:
    return text(f"word.method.{method}")
