"""`gatekeeper demo`: sends an invented retailer's campaign through the gate, on a Kafka of the demo's own."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from gatekeeper.cli.output import json_option, note, progress_bar, show_funnel, show_heading, show_json
from gatekeeper.demo.business import MANAGERS
from gatekeeper.demo.colleagues import ROLES, VISITOR
from gatekeeper.demo.result import OUTPUTS, DemoResult
from gatekeeper.demo.retailer import CAST, Person
from gatekeeper.demo.scene import ExplainedDecision, Scene
from gatekeeper.ground.errors import IncompleteError, IntegrityError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import Language, language, text
from schemas.audit import AuditRecord
from schemas.decision import Decision, Verdict

LANGUAGES: tuple[Language, Language] = ("ja", "en")
STYLE: dict[Verdict, str] = {"clear": "green", "confirm": "cyan", "review": "yellow", "block": "red"}


@click.command("demo", help=text("demo.help"))
@click.option("--people", type=click.IntRange(50, 999_999), default=5000, show_default=True, help=text("demo.people"))
@click.option("--sends", type=click.IntRange(len(CAST)), default=2000, show_default=True, help=text("demo.sends"))
@click.option("--seed", type=int, default=7, show_default=True, help=text("demo.seed"))
@click.option("--once", is_flag=True, help=text("demo.once"))
@click.option("--browser", is_flag=True, help=text("demo.browser"))
@click.option("--keep", is_flag=True, help=text("demo.keep"))
@json_option
def command(people: int, sends: int, seed: int, once: bool, browser: bool, keep: bool, as_json: bool) -> None:
    """Runs the acts of the scene and shows each one's result."""
    with Scene(load(), people=people, seed=seed, keep=keep) as scene:
        if keep:
            note("demo.kept", folder=scene.folder)
        tally, decisions, sealed = _play(scene, sends)
        console = None if once else scene.open_console()
        if as_json:
            show_json({**_summary(scene, tally, decisions, sealed, people=people), "console": console})
        else:
            _show(scene, tally, decisions, sealed)
        if tally.wrong():
            raise IntegrityError("demo.wrong", count=tally.wrong())
        if tally.missing():
            raise IncompleteError("demo.missing", count=tally.missing(), total=sends)
        if console is None:
            note("demo.next_without_once")
        else:
            if browser and not webbrowser.open(console):
                note("demo.no_browser", url=console)
            _go_on(scene, console, as_json=as_json)


def _play(scene: Scene, sends: int) -> tuple[DemoResult, dict[Verdict, ExplainedDecision], int]:
    note("demo.starting_kafka")
    with _bar("cli.broker_fetching", None) as bar:
        scene.start_kafka(bar.total_and_done)
    note("demo.loading", people=f"{scene.retailer.people:,}")
    with _bar("demo.bar_facts", None) as bar:
        facts = scene.load(bar.advance)
    note("demo.starting_worker", facts=f"{facts:,}")
    scene.start_worker()
    scene.start_sealing()
    note("demo.publishing", sends=f"{sends:,}")
    with _bar("demo.bar_sends", sends) as bar:
        places = scene.publish(scene.retailer.sends(sends), bar.advance)
    with _bar("demo.bar_decisions", sends) as bar:
        scene.await_decisions(sends, bar.advance)
    note("demo.counting")
    with _bar("demo.bar_audit", sends) as bar:
        tally, decisions = scene.count(places, bar.advance)
    with _bar("demo.bar_sealed", None) as bar:
        return tally, decisions, scene.await_seal(bar.advance)


class _ProgressRow:
    """One row of a progress bar."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, n: int) -> None:
        self._bar.advance(self._task, n)

    def total_and_done(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


@contextmanager
def _bar(key: str, total: int | None) -> Iterator[_ProgressRow]:
    with progress_bar() as bar:
        yield _ProgressRow(bar, bar.add_task(text(key), total=total))


def _show(scene: Scene, tally: DemoResult, decisions: dict[Verdict, ExplainedDecision], sealed: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    show_heading("demo.heading_funnel")
    show_funnel(tally.funnel)
    show_heading("demo.heading_explained")
    for verdict, person in scene.retailer.cast.items():
        if verdict in decisions:
            _explain(console, verdict, person, decisions[verdict])
    show_heading("demo.heading_count")
    went = tally.by_output()
    counts = {topic: f"{went[topic]:,}" for topic in OUTPUTS}
    total, audited = f"{len(tally.expected):,}", f"{sum(tally.decided.values()):,}"
    console.print(Text(text("demo.counted", sends=total, audit=audited, **counts)))
    console.print(Text(text("demo.sealed", size=f"{sealed:,}")))


def _explain(console: Console, expected: Verdict, person: Person, explained: ExplainedDecision) -> None:
    verdict = explained.record.verdict or "block"
    head = Text(f"{verdict:<8}", style=f"bold {STYLE[verdict]}")
    console.print(head.append(f"{person.delivery.name} ({person.recipient_id})", style="default"))
    for lang, sentence in _explained(expected, explained.record, explained.decision):
        if console.is_terminal:
            row = Table.grid(Column(width=6), Column(overflow="fold"))
            row.add_row(f"  {lang}", Text(sentence))
            console.print(row, soft_wrap=False)
        else:
            console.print(Text(f"  {lang}  {sentence}"))
    console.print()


def _go_on(scene: Scene, url: str, *, as_json: bool) -> None:
    """Sends the cleared person of the cast a piece, and one more after each news about people, until Ctrl-C."""
    person = scene.retailer.cast["clear"]
    if not as_json:
        console = Console(highlight=False, soft_wrap=True)
        show_heading("demo.heading_next")
        people = {"managers": ", ".join(MANAGERS), "visitor": VISITOR, "folder": scene.premises.colleagues.folder}
        console.print(Text(text("demo.next_people", **people)))
        console.print(Text(text("demo.next_console", visitor=VISITOR)))
        console.print(Text(f"  {url}", style="bold"))
        console.print(Text(text("demo.next_exports")))
        console.print(Text(f"  {scene.premises.exports()}", style="bold"))
        console.print(Text(text("demo.next_withdraw", name=person.delivery.name, person=person.recipient_id)))
        console.print(
            Text(f"  {scene.premises.command('withdraw', '--by', VISITOR, person.recipient_id)}", style="bold")
        )
        console.print(Text(text("demo.next_look")))
        console.print(Text(f"  {scene.premises.command('status')}", style="bold"))
        console.print(Text(text("demo.next_end")))
        console.print()
    for _ in scene.await_news():
        explained = scene.send_again(person)
        if as_json:
            show_json(_told(explained))
        else:
            _report(console, person, explained)


def _report(console: Console, person: Person, explained: ExplainedDecision) -> None:
    verdict, decision = explained.record.verdict or "block", explained.decision
    decided = datetime.fromisoformat(explained.record.at).astimezone()
    line = Text(f"{decided:%H:%M:%S}  {person.recipient_id}  ")
    line.append(f"{verdict:<8}", style=STYLE[verdict])
    if decision is not None and decision.reasons:
        line.append(text("demo.again_withheld", sentence=getattr(decision.reasons[0], language())))
    else:
        line.append(text("demo.again_cleared"))
    console.print(line)


def _summary(
    scene: Scene, tally: DemoResult, decisions: dict[Verdict, ExplainedDecision], sealed: int, *, people: int
) -> dict[str, Any]:
    withdraw = scene.premises.command("withdraw", "--by", VISITOR, scene.retailer.cast["clear"].recipient_id)
    return {
        "people": people,
        "sends": len(tally.expected),
        "broker": scene.settings.bootstrap,
        "verdicts": tally.by_verdict(),
        "reasons": {reason: n for (_, reason), n in tally.funnel.items() if reason},
        "outputs": tally.by_output(),
        "audit": sum(tally.decided.values()),
        "sealed": sealed,
        "missing": tally.missing(),
        "wrong": tally.wrong(),
        "cast": {verdict: _told(explained) for verdict, explained in decisions.items()},
        "colleagues": ROLES,
        "withdraw": f"{scene.premises.exports()} && {withdraw}",
    }


def _told(explained: ExplainedDecision) -> dict[str, Any]:
    record = explained.record
    return {"verdict": record.verdict, "reasons": [reason.code for reason in record.reasons], "decision": record.did}


def _explained(verdict: Verdict, record: AuditRecord, decision: Decision | None) -> Iterator[tuple[Language, str]]:
    """Yields sentences with their language: the person's story, the reasons for the verdict, and their clauses.

    `decision`: from the header of the review record; None for a cleared send, whose basis is explained instead.
    """
    for lang in LANGUAGES:
        yield lang, text(f"demo.story_{verdict}", lang)
        if decision is None:
            yield lang, _basis(record, lang)
        for reason in decision.reasons if decision else ():
            sentence = reason.ja if lang == "ja" else reason.en
            yield lang, text("demo.reason", lang, code=reason.code, sentence=sentence, clause=reason.clause)


def _basis(record: AuditRecord, lang: Language) -> str:
    """The sentence about the basis of a cleared send, from its audit record alone."""
    facts = record.facts
    source = next((source for source in facts.sources if source["source_id"] == record.basis), {}) if facts else {}
    yes = next((consent for consent in facts.consents if consent["state"] == "Given"), {}) if facts else {}
    return text(
        "demo.basis",
        lang,
        method=text(f"word.method.{source.get('method', 'unknown.legacy')}", lang),
        acquired=source.get("acquired_at", "?"),
        source=record.basis,
        agreed=yes.get("event_time", "?"),
        consent=yes.get("record_id", "?"),
        obligations=", ".join(record.obligations),
    )
