"""`gatekeeper review release|uphold|ask|redecide|undo|note|approve`: acts written, and the worker's answers told.

The worker decides: an act is a request, and what it led to is read from `audit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import uuid4

import click
from pydantic import ValidationError

from gatekeeper import packs
from gatekeeper import release as releases
from gatekeeper.cli.output import lines_option, note, progress_bar, show_json, show_table
from gatekeeper.cli.who import by_option, confirmed, evidence_option, named, person, yes_option
from gatekeeper.errors import UnavailableError, UsageError
from gatekeeper.query import Query, parse
from gatekeeper.queue import WAITING, Item, Queue
from gatekeeper.review import FROM
from gatekeeper.settings import Settings, load
from gatekeeper.spans import instant
from gatekeeper.texts import catalogue, text
from schemas.audit import DID_PATTERN
from schemas.events import ItemAct, Release
from streams import reviews
from streams.client import Reader

SAMPLES = 5
WAIT_SECONDS = 60.0
GOOD = frozenset(("recorded", "cleared", "waiting", "upheld", "asked", "reopened", "recalled", "undone"))
"""Outcomes that are what was asked for."""
REASONED = ("release", "uphold", "undo", "note")
"""What is not done without saying why."""

Act = Release | ItemAct


@click.group("review", help=text("cli.review"))
def command() -> None:
    """Holds the sub-commands."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb: what shall be done, by whom, why, and how it is waited for.

    `run`: begins the id of each act, so that the same call again does nothing twice.
    """

    kind: str
    by: str
    reason: str
    evidence: str | None
    run: str
    at: str

    def act_id(self, item: str) -> str:
        """Returns the id of this call's act about an item: always the same."""
        return f"{self.run}.{item}"

    def act(self, item: Item) -> Act:
        """Returns the act about an item; raises UsageError (2) that names the option with a wrong value."""
        said: dict[str, Any] = {
            "v": 1,
            "kind": self.kind,
            "act_id": self.act_id(item.id),
            "at": self.at,
            "by": self.by,
            "recipient_id": item.recipient,
            "campaign_id": item.campaign,
            "channel": item.channel,
            "decision_id": item.id,
            "review": item.place,
            "reason": self.reason,
            "evidence_ref": self.evidence,
        }
        try:
            return Release(**said, reasons=item.codes) if self.kind == "release" else ItemAct(**said)
        except ValidationError as error:
            place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        names = {"reason": "--reason", "evidence_ref": "--evidence", "by": "--by", "act_id": "--run"}
        raise UsageError("error.option_invalid", option=names.get(place, place))


@dataclass(slots=True)
class Row:
    """One item, and what became of the act about it; `outcome` is None as long as nobody has answered."""

    id: str
    act_id: str
    outcome: str | None = None
    code: str | None = None
    decision_id: str | None = None

    def plain(self) -> dict[str, Any]:
        """Returns it for programs, with its sentence in the reader's language."""
        return {
            "id": self.id,
            "act_id": self.act_id,
            "outcome": self.outcome,
            "code": self.code,
            "decision_id": self.decision_id,
            "message": sentence(self.outcome, self.code),
        }


def timezone(settings: Settings, now: int) -> str:
    """Returns the time zone in which dates without one are read."""
    return packs.load(settings.policy).at(now).timezone


def sentence(outcome: str | None, code: str | None) -> str:
    """Returns what became of an act in one sentence, with what to do next."""
    if outcome is None:
        return text("act.unanswered")
    # of a code such as notice_lacks.name the first part is the sentence's
    kind, _, detail = (code or "").partition(".")
    key = f"act.{outcome}_{kind}" if f"act.{outcome}_{kind}" in catalogue() else f"act.{outcome}"
    return text(key, code=code, detail=detail)


def _verb(kind: str) -> None:
    """Adds the sub-command of one kind of act."""

    @command.command(kind, help=text(f"cli.review_{kind}"))
    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--filter", "filters", multiple=True, help=text("cli.filter"))
    @click.option("--reason", required=kind in REASONED, default="", help=text("cli.act_reason"))
    @evidence_option
    @by_option
    @yes_option
    @click.option(
        "--wait", type=click.FloatRange(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.wait")
    )
    @click.option("--no-wait", is_flag=True, help=text("cli.no_wait"))
    @click.option("--run", help=text("cli.run"))
    @lines_option
    @click.pass_context
    def verb(
        context: click.Context,
        ids: tuple[str, ...],
        filters: tuple[str, ...],
        reason: str,
        evidence: str | None,
        by: str | None,
        yes: bool,
        wait: float,
        no_wait: bool,
        run: str | None,
        as_json: bool,
    ) -> None:
        if bool(ids) == bool(filters) and not (run and not ids):
            raise UsageError("error.items_or_filter")
        if kind in REASONED and not reason.strip():
            raise UsageError("error.option_invalid", option="--reason")
        for id_ in ids:
            named(id_, "ID", DID_PATTERN)
        query, settings = parse(*filters), load()
        who = person(settings, by)
        call = Call(kind, who, reason, evidence, run or uuid4().hex[:12], instant(int(time() * 1000)))
        rows = _done(settings, call, ids, query if filters else None, yes=yes, seconds=0.0 if no_wait else wait)
        _print(rows, as_json=as_json)
        if any(row.outcome is None for row in rows) and not no_wait:
            note("cli.act_unanswered", run=call.run, verb=kind)
            context.exit(5)
        context.exit(1 if any(row.outcome is not None and row.outcome not in GOOD for row in rows) else 0)


def _done(
    settings: Settings, call: Call, ids: Sequence[str], query: Query | None, *, yes: bool, seconds: float
) -> list[Row]:
    """Writes the acts that can be done, once it is confirmed, and returns a row for each item that was meant."""
    with Reader(settings) as reader:
        ends = reader.ends("audit")  # before the queue is read: an answer lies behind one of the two
        queue = reviews.read(reader)
        before = queue.run(f"{call.run}.")
        chosen = _chosen(settings, call, queue, query, [*ids, *before])
        rows = {id_: Row(id_, call.act_id(id_)) for id_ in [*dict.fromkeys([*ids, *before]), *chosen]}
        todo = _foreseen(call, queue, rows, written=before)
        if len(rows) > 1 or query is not None:
            _preview(call, todo, rows)
            if todo:
                confirmed(text("cli.act_sure", verb=call.kind, count=len(todo)), len(todo), yes=yes)
        try:
            _write(settings, [call.act(item) for item in todo])
            waiting = {row.act_id: row.id for row in rows.values() if row.outcome is None}
            with progress_bar() as bar:
                task = bar.add_task(text("cli.act_waiting"), total=len(waiting))
                for told in reviews.answers(reader, queue, ends, waiting, seconds=seconds):
                    row = rows[told.item]
                    row.outcome, row.code, row.decision_id = told.outcome, told.code, told.did
                    bar.advance(task)
        except (UnavailableError, KeyboardInterrupt):
            note("cli.act_unanswered", run=call.run, verb=call.kind)
            raise
    return list(rows.values())


def _chosen(settings: Settings, call: Call, queue: Queue, query: Query | None, also: Iterable[str]) -> list[str]:
    """Returns the items that a filter means, those first that have waited longest."""
    if query is None:
        return []
    now = int(time() * 1000)
    zone = timezone(settings, now)
    states = FROM.get(call.kind, frozenset(WAITING))
    # what was undone or decided is only meant where the filter says so, unless undoing is what is asked for
    states = states if call.kind == "undo" else states & frozenset(WAITING)
    found = [item for item in queue.items() if query.matches(item, now=now, zone=zone, states=states)]
    already = set(also)
    return [item.id for item in sorted(found, key=lambda item: (item.seen, item.id)) if item.id not in already]


def _foreseen(call: Call, queue: Queue, rows: dict[str, Row], *, written: Iterable[str]) -> list[Item]:
    """Returns the items to act on; what the worker is bound to refuse is told at once, and not written.

    An item whose act of this very call is written already waits for its answer alone.
    """
    todo = []
    for row in rows.values():
        if row.id in written:
            continue
        item = queue.item(row.id)
        code = "item_unknown" if item is None else refusal(call, item)
        if item is None or code:
            row.outcome, row.code = "refused", code
        else:
            todo.append(item)
    return todo


def refusal(call: Call, item: Item) -> str | None:
    """Returns why an act cannot be done about an item as it stands, None where the worker may do it."""
    if call.kind in FROM and item.state not in FROM[call.kind]:
        return {"approve": "nothing_to_approve", "undo": "nothing_to_undo"}.get(call.kind, "closed")
    act = call.act(item)
    found = releases.refusal(act, item.reasons) if isinstance(act, Release) else None
    return None if found == "two_persons" else found


def _preview(call: Call, todo: Sequence[Item], rows: dict[str, Row]) -> None:
    """Says on stderr what is about to be done, and what cannot be."""
    refused = Counter(row.code for row in rows.values() if row.outcome == "refused")
    note("cli.act_preview", verb=call.kind, count=f"{len(todo):,}", run=call.run)
    for item in todo[:SAMPLES]:
        note("cli.act_sample", id=item.id, reasons=", ".join(item.codes), campaign=item.campaign, state=item.state)
    for code, count in sorted(refused.items(), key=str):
        note("cli.act_cannot", count=f"{count:,}", sentence=sentence("refused", code))


def _write(settings: Settings, acts: Sequence[Act]) -> None:
    if not acts:
        return
    with progress_bar() as bar:
        task = bar.add_task(text("cli.act_writing"), total=len(acts))
        for window in reviews.write(settings, acts):
            bar.advance(task, len(window))


def _print(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            show_json(row.plain())
        return
    if not rows:
        note("cli.review_none")
        return
    show_table(
        [f"cli.column_{name}" for name in ("decision_id", "outcome", "says")],
        [(row.id, text(f"act.outcome_{row.outcome or 'none'}"), sentence(row.outcome, row.code)) for row in rows],
    )


for _kind in ("release", "uphold", "ask", "redecide", "undo", "note", "approve"):
    _verb(_kind)
