"""`gatekeeper review release|uphold|ask|redecide|undo|note|approve`: writes acts, prints the worker's answers.

The worker decides. An act is a request, and its outcome is read from `audit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import time
from uuid import uuid4

import click

from gatekeeper.cli.actor import act_options, confirmed, named, person, yes_option
from gatekeeper.cli.output import lines_option, note, progress_bar, show_json, show_table
from gatekeeper.cli.usage import Number
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.policy import packs
from gatekeeper.review.actions import GOOD, SAMPLES, ActRequest, ActResult, sentence, states
from gatekeeper.review.filter import Query, parse
from gatekeeper.review.queue import Queue
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.decision import DID_PATTERN
from streams.client.reader import Reader
from streams.operations import endorsement, management, reviews

WAIT_SECONDS = 60.0


@click.group("review", help=text("cli.review"))
def command() -> None:
    """Holds the sub-commands."""


def timezone(settings: Settings, now: int) -> str:
    """The time zone in which dates without one are read."""
    return packs.load(settings.policy).at(now).timezone


def _verb(kind: str) -> None:
    """Adds the sub-command of one kind of act."""

    @command.command(kind, help=text(f"cli.review_{kind}"))
    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--filter", "filters", multiple=True, help=text("cli.filter"))
    @act_options(kind)
    @yes_option
    @click.option("--wait", type=Number(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.wait"))
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
        for id_ in ids:
            named(id_, "ID", DID_PATTERN)
        query, settings = parse(*filters), load()
        who = person(settings, by)
        call = ActRequest(kind, who, reason, evidence, run or uuid4().hex[:12], instant(int(time() * 1000)))
        rows = _done(settings, call, ids, query if filters else None, yes=yes, seconds=0.0 if no_wait else wait)
        _print(rows, as_json=as_json)
        if any(row.outcome is None for row in rows) and not no_wait:
            note("cli.act_unanswered", run=call.run, verb=kind)
            context.exit(5)
        context.exit(1 if any(row.outcome is not None and row.outcome not in GOOD for row in rows) else 0)


def _done(
    settings: Settings, call: ActRequest, ids: Sequence[str], query: Query | None, *, yes: bool, seconds: float
) -> list[ActResult]:
    """Writes the possible acts after confirmation; the result has a row for each chosen item."""
    with Reader(settings) as reader:
        ends = reader.ends("audit")  # read before the queue: an answer is in the queue or after these ends
        queue = reviews.read(reader, origins=query is not None and query.of_origin)
        before = queue.run(f"{call.run}.")
        if call.kind == "ask":
            call = replace(call, template=endorsement.read(reader).log.reference.ask is not None)
        chosen = _chosen(settings, call, queue, query, [*ids, *before])
        rows = {id_: ActResult(id_, call.act_id(id_)) for id_ in [*dict.fromkeys([*ids, *before]), *chosen]}
        todo = _foreseen(call, queue, rows, written=before)
        call = replace(call, bulk=len(before) + len(todo))
        if call.kind == "ask":
            _tell_late(settings, todo)
        if len(rows) > 1 or query is not None:
            _preview(settings, call, todo, rows)
            if todo:
                confirmed(text("cli.act_sure", verb=call.kind, count=len(todo)), len(todo), yes=yes)
        try:
            _write(settings, call, todo)
            waiting = {row.act_id: row.id for row in rows.values() if row.outcome is None}
            with progress_bar() as bar:
                task = bar.add_task(text("cli.act_waiting"), total=len(waiting))
                for answer in reviews.answers(reader, queue, ends, waiting, seconds=seconds):
                    row = rows[answer.item]
                    row.outcome, row.code, row.decision_id = answer.outcome, answer.code, answer.did
                    bar.advance(task)
        except (UnavailableError, KeyboardInterrupt):
            note("cli.act_unanswered", run=call.run, verb=call.kind)
            raise
    return list(rows.values())


def _chosen(settings: Settings, call: ActRequest, queue: Queue, query: Query | None, also: Iterable[str]) -> list[str]:
    """The items that match a filter, those that have waited longest first."""
    if query is None:
        return []
    now = int(time() * 1000)
    zone = timezone(settings, now)
    items = [item for item in queue.items() if query.matches(item, now=now, zone=zone, states=states(call.kind))]
    already = set(also)
    return [item.id for item in sorted(items, key=lambda item: (item.seen, item.id)) if item.id not in already]


def _foreseen(call: ActRequest, queue: Queue, rows: dict[str, ActResult], *, written: Iterable[str]) -> list[Item]:
    """The items to act on. Acts that the worker must refuse are reported at once, and not written.

    An item whose act was already written by this very call only waits for its answer.
    """
    todo = []
    for row in rows.values():
        if row.id in written:
            continue
        item = queue.item(row.id)
        code = "item_unknown" if item is None else call.refusal(item)
        if item is None or code:
            row.outcome, row.code = "refused", code
        else:
            todo.append(item)
    return todo


def _preview(settings: Settings, call: ActRequest, todo: Sequence[Item], rows: dict[str, ActResult]) -> None:
    """Notes on stderr the acts to come, and the impossible ones."""
    refused = Counter(row.code for row in rows.values() if row.outcome == "refused")
    note("cli.act_preview", verb=call.kind, count=f"{len(todo):,}", run=call.run)
    for item in todo[:SAMPLES]:
        note("cli.act_sample", id=item.id, reasons=", ".join(item.codes), campaign=item.campaign, state=item.state)
    for code, count in sorted(refused.items(), key=str):
        note("cli.act_cannot", count=f"{count:,}", sentence=sentence("refused", code))
    if ACT_KINDS[call.kind].signers > 1 and len(todo) > 1:
        now = int(time() * 1000)
        most = management.policies(settings).over(settings.policy).at(now).four_eyes_bulk
        if most is not None and (call.bulk or 0) > most:
            note("cli.act_two", most=f"{most:,}", run=call.run)


def _tell_late(settings: Settings, todo: Sequence[Item]) -> None:
    """Notes how many of the pieces are mailed before the last day to answer."""
    now = int(time() * 1000)
    policy = management.policies(settings).over(settings.policy).at(now)
    if late := [day for item in todo if (day := item.answer_too_late(policy, now))]:
        note("cli.act_ask_late", count=f"{len(late):,}", day=max(late))


def _write(settings: Settings, call: ActRequest, todo: Sequence[Item]) -> None:
    """Writes the acts, each dated as it is written: the question before them may have waited for hours."""
    if not todo:
        return
    acts = (call.dated(instant(int(time() * 1000))).act(item) for item in todo)
    with progress_bar() as bar:
        task = bar.add_task(text("cli.act_writing"), total=len(todo))
        for window in reviews.write(settings, acts):
            bar.advance(task, len(window))


def _print(rows: Sequence[ActResult], *, as_json: bool) -> None:
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


for _kind, _row in ACT_KINDS.items():
    if _row.preview == "items":
        _verb(_kind)
