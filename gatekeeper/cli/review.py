"""`gatekeeper review`: the queue of withheld sends, read and acted on from a terminal."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, replace
from time import time
from uuid import uuid4

import click

from gatekeeper.cli import acts
from gatekeeper.cli.actor import by_option, confirmed, named, person, yes_option
from gatekeeper.cli.output import age, json_option, lines_option, note, reading, show_json, show_table
from gatekeeper.console import given_reasons
from gatekeeper.deciding.answer import rendered
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import language, text
from gatekeeper.ground.times import instant
from gatekeeper.identity import Identified, open_tokens, printed
from gatekeeper.index import items
from gatekeeper.index.current import current
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.keys import Keys
from gatekeeper.review.actions import remedies, sentence
from gatekeeper.review.filter import KEYS, parse
from gatekeeper.review.queue import Queue, urgent
from gatekeeper.review.review_item import ActOnItem, Item, proof_of
from schemas.codec import decode
from schemas.events import PersonEvent, Send
from streams.client import fact_with_act
from streams.client.reader import Reader
from streams.operations import corrections, reviews

SHOWN = 50
"""Most rows of the list; a campaign without a source causes thousands of items."""

_TOPICS = ("review", "acts", "audit")
command = acts.command


@command.command("list", help=text("cli.review_list", keys=", ".join(KEYS)))
@click.option("--filter", "filters", multiple=True, help=text("cli.filter"))
@click.option("--all", "everything", is_flag=True, help=text("cli.review_all", count=SHOWN))
@lines_option
def list_items(filters: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Prints one row an item, the most urgent first."""
    query, settings = parse(*filters), load()
    now = int(time() * 1000)
    zone = acts.timezone(settings, now)
    most = -1 if everything or as_json else SHOWN
    with Reader(settings) as reader, current(settings, reader, *_TOPICS) as db:
        if db is not None:
            search = ItemSearch(query, now, zone)
            listed = [item if query.of_origin else _plain(item) for item in search.items(db, most=most)]
            count, unread = search.count(db), items.unread(db)
        else:
            queue = _read(reader, origins=query.of_origin)
            listed = urgent((item for item in queue.items() if query.matches(item, now=now, zone=zone)), zone)
            count, unread = len(listed), queue.unread
    if unread:
        note("cli.review_unread", count=unread)
    if as_json:
        for item in listed:
            show_json(item.plain())
        return
    if not listed:
        note("cli.review_none")
        return
    shown = listed if everything else listed[:SHOWN]
    names = ("decision_id", "state", "verdict", "reason", "campaign", "channel", "recipient", "mail_date", "age", "who")
    show_table(
        [f"cli.column_{name}" for name in names],
        [
            (
                item.id,
                text(f"act.state_{item.state}"),
                item.verdict,
                item.primary + (f" +{len(item.codes) - 1}" if len(item.codes) > 1 else ""),
                item.campaign,
                item.channel,
                item.recipient,
                left(item, now, zone),
                age((now - item.seen) / 1000),
                item.by or "-",
            )
            for item in shown
        ],
    )
    if len(shown) < count:
        note("cli.review_more", count=f"{count - len(shown):,}")


@command.command("show", help=text("cli.review_show"))
@click.argument("id_", metavar="ID")
@lines_option
def show(id_: str, as_json: bool) -> None:
    """Prints one item: the reasons, their clauses, the remedies, and the acts so far."""
    settings = load()
    with Reader(settings) as reader:
        with current(settings, reader, *_TOPICS) as db:
            if db is not None:
                row, doings = items.one(db, id_), _with_reasons(db, reader, items.doings(db, id_))
                item = _plain(row) if row else None
            else:
                queue = _read(reader, item=id_)
                item, doings = queue.item(id_), queue.doings(id_)
        if item is None:
            raise UsageError("error.item_unknown")
        record = reader.at("review", partition=item.place.partition, offset=item.place.offset)
    if record is None:
        raise UsageError("error.item_unknown")
    decision = rendered(record.header("gate-decision"))
    if as_json:
        show_json(
            {**item.plain(), "decision": decision.model_dump(mode="json"), "acts": [asdict(doing) for doing in doings]}
        )
        return
    rows = {**item.plain(), "state": text(f"act.state_{item.state}"), "seen": instant(item.seen)}
    for name in ("decision_id", "state", "verdict", "campaign", "channel", "recipient", "controller", "purpose"):
        click.echo(f"{text(f'cli.column_{name}')}: {rows[name]}")
    for name, column in (("source", "basis"), ("mail_date", "mail_date"), ("seen", "seen"), ("by", "who")):
        if rows[name]:
            click.echo(f"{text(f'cli.column_{column}')}: {rows[name]}")
    for reason in decision.reasons:
        click.echo(f"\n{reason.code}  [{reason.clause}]")
        click.echo(f"  {getattr(reason, language())}")
        for remedy in remedies(reason, item):
            click.echo(f"  → {text(remedy)}")
        if reason.facts:
            click.echo(f"  {text('cli.column_facts')}: {', '.join(reason.facts)}")
    click.echo("\n" + text("cli.review_acts" if doings else "cli.review_no_acts"))
    for doing in doings:
        click.echo(f"  {_told(doing)}")


@command.command("accept-print", help=text("cli.review_accept_print"))
@click.argument("id_", metavar="ID")
@click.option("--evidence", required=True, help=text("cli.evidence"))
@by_option
@yes_option
@json_option
def accept_print(id_: str, evidence: str, by: str | None, yes: bool, as_json: bool) -> None:
    """Accepts the text beside name and address of an item, under the person's signature (rule 8.3.54)."""
    settings = load()
    who, proof, at = person(settings, by), named(evidence, "--evidence"), fact_with_act.now()
    with Reader(settings) as reader:
        item = _read(reader, item=id_).item(id_)
        record = reader.at("review", partition=item.place.partition, offset=item.place.offset) if item else None
    if record is None:
        raise UsageError("error.item_unknown")
    send: Send = decode("sends", record.key, record.value)
    at_point = printed(open_tokens(Keys(settings.key_folder).tokens()), send)
    lines = at_point.lines if isinstance(at_point, Identified) else ()
    if not lines:
        raise UsageError("error.print_never_accepted")
    seen = " / ".join((*send.delivery.lines, send.delivery.name or "")) if send.delivery else ""
    confirmed(text("cli.review_accept_print_sure", text=seen), 1, yes=yes)
    event = PersonEvent(
        v=1,
        kind="print_accepted",
        recipient_id=send.recipient_id,
        record_id=f"print-{uuid4().hex}",
        contact_point_id=send.contact_point.id,
        further=lines[0],
        at=at,
        by=who,
        evidence_ref=proof,
    )
    corrections.write(settings, [event])
    if as_json:
        show_json({"decision_id": id_, "by": who, "contact_point_id": event.contact_point_id, "at": at})
    else:
        click.echo(text("cli.review_accept_print_done", point=event.contact_point_id, by=who))
    note("cli.review_accept_print_then", id=id_)


def _read(reader: Reader, *, item: str | None = None, origins: bool = False) -> Queue:
    """The queue, or one item of it, read from the topics with a progress bar."""
    with reading() as taken:
        return reviews.read(reader, item=item, origins=origins, taken=taken)


def _plain(item: Item) -> Item:
    """The item without its origin, for the same output whether a console runs or not."""
    return replace(item, origin=None)


def _with_reasons(db: sqlite3.Connection, reader: Reader, doings: list[ActOnItem]) -> list[ActOnItem]:
    """The acts with their written reasons, which no file holds."""
    places = given_reasons.places(db, [doing.act_id for doing in doings])
    acts_there = (decode("acts", record.key, record.value) for record in reader.some("acts", places.values()))
    reasons = {act.act_id: act.reason for act in acts_there}
    return [replace(doing, reason=reasons.get(doing.act_id)) for doing in doings]


def left(item: Item, now: int, zone: str) -> str:
    """The day of mailing, with the time left until then."""
    due = item.due(zone)
    if due is None or item.mail_date is None:
        return "-"
    return f"{item.mail_date[:10]} ({age((due - now) / 1000) if due > now else text('cli.too_late')})"


def _told(doing: ActOnItem) -> str:
    parts = [doing.at, ", ".join(doing.by), doing.kind, sentence(doing.outcome, doing.code)]
    if proof := proof_of(doing):
        parts.append(f"[{proof}]")
    if doing.evidence:
        parts.append(f"({doing.evidence})")
    if doing.reason:
        parts.append(f"“{doing.reason}”")
    return " ".join(parts)
