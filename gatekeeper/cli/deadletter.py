"""`gatekeeper deadletter`: lists unreadable records, and records that an unreadable fact has been dealt with."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from time import time
from typing import Any

import click
from pydantic import ValidationError

from gatekeeper.cli.actor import by_option, named, person
from gatekeeper.cli.output import age, json_option, note, printable, reading, show_json, show_table
from gatekeeper.cli.staff import told_waiting, waiting_row
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.ground.words import fault
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.withholding import BY_TWO
from schemas.codec import Unreadable, decode, encode
from schemas.events import FeedGap, Resolution, Suppression
from schemas.record import Record
from schemas.topics import FACT_TOPICS, logical_name
from streams.client.outgoing import Outgoing
from streams.client.publisher import transact
from streams.client.reader import Reader
from streams.operations import deadletters
from streams.operations.deadletters import DeadLetter, Source

SHOWN = 50
"""Most rows of the list; a campaign with one wrong field causes thousands of dead letters."""


@click.group("deadletter", help=text("cli.deadletter"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("list", help=text("cli.deadletter_list"))
@click.option("--all", "everything", is_flag=True, help=text("cli.deadletter_all", count=SHOWN))
@click.option("--campaign", help=text("cli.deadletter_campaign"))
@json_option
def list_letters(everything: bool, campaign: str | None, as_json: bool) -> None:
    """Prints one row a dead letter, oldest first. The table has all open ones, but only the newest of the others."""
    settings = load()
    if campaign is not None:
        named(campaign, "--campaign")
    with Reader(settings) as reader, reading() as taken:
        letters = [letter for letter in deadletters.read(reader, taken) if campaign in (None, letter.campaign_id)]
    if as_json:
        for letter in letters:
            show_json(_plain(letter))
        return
    if not letters:
        note("cli.deadletter_none_of" if campaign else "cli.deadletter_none", campaign=campaign)
        return
    shown = letters if everything else [letter for letter in letters[:-SHOWN] if letter.is_open] + letters[-SHOWN:]
    now = time()
    show_table(
        [f"cli.column_{name}" for name in ("source", "event", "campaign", "fault", "field", "age", "resolved")],
        [
            (
                letter.name,
                letter.event_id or "-",
                letter.campaign_id or "-",
                _fault(letter),
                letter.place or "-",
                age(now - letter.record.timestamp / 1000),
                _state(letter),
            )
            for letter in shown
        ],
    )
    if len(shown) < len(letters):
        note("cli.deadletter_more", count=f"{len(letters) - len(shown):,}")


@command.command("show", help=text("cli.deadletter_show"))
@click.argument("source")
@click.option("--raw", is_flag=True, help=text("cli.raw"))
@json_option
def show(source: str, raw: bool, as_json: bool) -> None:
    """Prints everything known of one dead letter; its bytes only when asked, as they may hold personal data."""
    coordinates = _source(source)
    with Reader(load()) as reader, reading() as taken:
        letter = next((letter for letter in deadletters.read(reader, taken) if letter.source == coordinates), None)
    if letter is None:
        raise UsageError("error.deadletter_absent", source=source)
    if raw:
        note("cli.raw_warning")
    if as_json:
        show_json(_plain(letter) | (_raw(letter) if raw else {}))
        return
    plain = _plain(letter)
    says = {"fault": plain["message"], "resolved": _state(letter)}
    says |= {"event": letter.event_id or "", "campaign": letter.campaign_id or ""}
    for name in (
        "source",
        "event",
        "campaign",
        "reason",
        "fault",
        "field",
        "decision_id",
        "at",
        "place",
        "bytes",
        "resolved",
    ):
        if value := says.get(name, plain.get(name)):
            click.echo(f"{text(f'cli.column_{name}')}: {value}")
    if raw:
        click.echo(f"{text('cli.column_key')}: {printable(letter.record.key or b'')}")
        click.echo(f"{text('cli.column_value')}: {printable(letter.record.value or b'')}")


@command.command("resolve", help=text("cli.deadletter_resolve"))
@click.argument("source")
@by_option
@click.option("--reason", required=True, help=text("cli.deadletter_reason"))
@json_option
def resolve(source: str, by: str | None, reason: str, as_json: bool) -> None:
    """Writes the resolution of an unreadable fact, of a gap, or of a stop that cannot be compared.

    It then withholds nobody. Exit 1 while a second manager must resolve it, too.
    """
    settings = load()
    coordinates = _source(source)
    resolution = _resolution(coordinates, by=person(settings, by), reason=reason)
    with Reader(settings) as reader, reading() as taken:
        letter = next((letter for letter in deadletters.read(reader, taken) if letter.source == coordinates), None)
        needed = letter.needed if letter else _needed(reader, coordinates)
    if not needed:
        raise UsageError("error.deadletter_readable", source=source)
    key = f"resolution/{resolution.id}"
    (place,) = transact(settings, [Outgoing("reference", key.encode(), encode(resolution))])
    row = waiting_row(settings, key, place.offset)
    with Reader(settings) as reader:
        resolved = deadletters.resolved(reader)[1].resolved_by(coordinates)
    if as_json:
        where = {"topic": settings.topic("reference"), "key": key, "offset": place.offset}
        show_json({"source": source, **where, "waiting": row is not None, "resolved": resolved, "needed": needed})
    elif row is None:
        state = "resolved" if resolved >= needed else "second"
        click.echo(text(f"cli.deadletter_{state}", source=source, key=key))
    if row:
        told_waiting(row)
    if row or resolved < needed:
        raise click.exceptions.Exit(1)


def _source(name: str) -> Source:
    try:
        topic, partition, offset = deadletters.parse_source(name)
    except ValueError:
        raise UsageError("error.source_invalid") from None
    return logical_name(topic), partition, offset


def _resolution(source: Source, *, by: str, reason: str) -> Resolution:
    topic, partition, offset = source
    if topic not in FACT_TOPICS:
        raise UsageError("error.deadletter_no_fact", topics=", ".join(FACT_TOPICS))
    try:
        return Resolution(
            v=1,
            kind="resolution",
            id=deadletters.resolution_id(source),
            topic=topic,
            partition=partition,
            offset=offset,
            by=by,
            reason=reason,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
    except ValidationError as error:
        place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
    raise UsageError("error.option_invalid", option="--reason" if place == "reason" else "SOURCE")


def _needed(reader: Reader, source: Source) -> int:
    """The managers who must resolve a record without a dead letter.

    Two for a gap, and for a stop that no key can compare. 0 for any other record that can be read. Raises UsageError
    (2) if there is none.
    """
    topic, partition, offset = source
    record = reader.at(topic, partition=partition, offset=offset)
    if record is None:
        raise UsageError("error.record_absent", source="{}/{}/{}".format(*source))
    fact = _decoded(record)
    if isinstance(fact, Suppression) and fact.token:
        return BY_TWO  # its key may be one that no worker has
    if isinstance(fact, FeedGap):
        return 0 if fact.evidence_ref else BY_TWO  # with evidence its feed has answered
    if FactStore().apply(record) is None:
        return 0
    return BY_TWO if topic == "suppressions" else 1


def _decoded(record: Record) -> Any:
    try:
        return decode(record.topic, record.key, record.value)
    except Unreadable:
        return None


def _fault(letter: DeadLetter) -> str:
    return fault(letter.fault) or letter.record.header("gate-reason")


def _state(letter: DeadLetter) -> str:
    if letter.resolution and letter.is_open:
        return text("cli.resolved_by_one", by=letter.resolution.by)
    if letter.resolution:
        return text("cli.resolved_by", by=letter.resolution.by, at=letter.resolution.at)
    return text("cli.resolved_not") if letter.is_fact else text("cli.resolved_needless")


def _plain(letter: DeadLetter) -> dict[str, Any]:
    record = letter.record
    return {
        "source": letter.name,
        "reason": record.header("gate-reason"),
        "fault": letter.fault,
        "message": _fault(letter),
        "field": letter.place,
        "event_id": letter.event_id,
        "campaign_id": letter.campaign_id,
        "decision_id": record.header("gate-decision-id") or None,
        "at": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds"),
        "place": f"{record.topic}/{record.partition}/{record.offset}",
        "bytes": int(record.header("gate-size") or len(record.value or b"")),
        "open": letter.is_open,
        "resolution": letter.resolution.model_dump(mode="json") if letter.resolution else None,
    }


def _raw(letter: DeadLetter) -> dict[str, str | None]:
    record = letter.record
    return {
        "key_base64": b64encode(record.key).decode() if record.key is not None else None,
        "value_base64": b64encode(record.value).decode() if record.value is not None else None,
    }
