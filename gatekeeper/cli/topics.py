"""`gatekeeper topics`: creates the topics of the registry on a broker, and compares the two."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import click
from pydantic import ValidationError

from gatekeeper.cli.output import json_option, note, progress_bar, show_json, show_table
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from schemas.topics import DAY_MS, FACT_TOPICS, FOREVER, PARTS, TOPICS, Part, Topic
from streams.client import admin, fact_reading
from streams.client.broker_advice import Advice, advise
from streams.client.reader import Reader
from streams.client.rights import rights
from streams.operations import copying


@click.group("topics", help=text("cli.topics"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("create", help=text("cli.topics_create"))
@click.option("--repair", is_flag=True, help=text("cli.topics_repair"))
@json_option
def create(repair: bool, as_json: bool) -> None:
    """Creates the missing topics; exit 1 if an existing topic differs from the registry."""
    settings = load()
    done = admin.create(settings)
    differences = admin.verify(settings)
    lossy = list[str]()
    if repair:
        lossy = admin.repair(settings, differences)
        differences = admin.verify(settings)
    if lossy:
        note("cli.topics_lossy", topics=", ".join(lossy))
    if as_json:
        show_json({"created": done.created, "existing": done.existing, "differences": _plain(differences)})
    else:
        click.echo(text("cli.topics_created", created=len(done.created), existing=len(done.existing)))
        if done.created:
            note("cli.topics_next")
        _print(differences)
    _exit(differences)


@command.command("verify", help=text("cli.topics_verify"))
@click.option("--read", "whole", is_flag=True, help=text("cli.topics_read"))
@json_option
def verify(whole: bool, as_json: bool) -> None:
    """Prints each difference, and advice about the brokers; exit 1 if there is a difference."""
    settings = load()
    differences, advice = admin.verify(settings), advise(settings)
    read = _read(settings) if whole and not any(difference.aspect == "missing" for difference in differences) else None
    if as_json:
        plain = {"differences": _plain(differences), "advice": _plain(advice)}
        show_json({"broker": settings.bootstrap, **plain, **({"facts": read._asdict()} if read else {})})
    else:
        _print(differences)
        if not differences:
            click.echo(text("cli.topics_verified", count=len(TOPICS), broker=settings.bootstrap))
        for topic in read.gone if read else ():
            click.echo(text("cli.topics_gone", topic=settings.topic(topic)))
        if read and not read.gone:
            click.echo(text("cli.topics_whole", count=f"{read.records:,}"))
        for hint in advice:
            click.echo(str(hint), err=True)
    _exit([*differences, *(read.gone if read else ())])


class _Read(NamedTuple):
    """Result of reading all facts: the number of readable ones, and the topics that lack some."""

    records: int
    gone: tuple[str, ...]


def _read(settings: Settings) -> _Read:
    with Reader(settings) as reader, progress_bar() as bar:
        held = sum(sum(reader.ends(topic).values()) - sum(reader.starts(topic).values()) for topic in FACT_TOPICS)
        task = bar.add_task(text("cli.topics_reading"), total=held)
        reading, gone = fact_reading.gone(reader, lambda count: bar.advance(task, count))
    return _Read(reading.records, tuple(gone))


@command.command("copy", help=text("cli.topics_copy"))
@click.option("--from", "prefix", required=True, help=text("cli.topics_copy_from"))
@json_option
def copy(prefix: str, as_json: bool) -> None:
    """Copies all facts with their first arrivals; exit 1 if a record was left out because it cannot be read."""
    new = load()
    old = former(new, prefix)
    with progress_bar() as bar:
        task = bar.add_task(text("cli.topics_copying"), total=None)
        done = copying.copy(old, new, taken=lambda: bar.advance(task))
    names = [f"copy/{copied.id}" for copied in done.ranges]
    if as_json:
        show_json({"from": prefix, "copied": done.counts, "unreadable": done.unreadable, "to_sign": names})
    else:
        show_table(["cli.column_topic", "cli.column_count"], list(done.counts.items()), numbers=(1,))
        for place in done.unreadable:
            note("cli.topics_copy_left_out", place=place)
        if names:
            note("cli.topics_copy_sign", names=" ".join(names))
    click.get_current_context().exit(1 if done.unreadable else 0)


def former(settings: Settings, prefix: str) -> Settings:
    """The same settings with another prefix; raises UsageError (2) for a prefix of another form, or the same."""
    try:
        other = Settings.model_validate({**settings.model_dump(), "prefix": prefix})
    except ValidationError:
        other = settings
    if other.prefix == settings.prefix:
        raise UsageError("error.option_invalid", option="--from")
    return other


@command.command("list", help=text("cli.topics_list"))
@json_option
def list_topics(as_json: bool) -> None:
    """Prints the registry, without a broker."""
    settings = load()
    rows = [_row(topic, settings) for topic in TOPICS.values()]
    if as_json:
        for row in rows:
            show_json(row)
    else:
        columns = ("topic", "key", "writers", "readers", "partitions", "kept", "compression")
        show_table(
            [f"cli.column_{column}" for column in columns],
            [[_shown(row[column]) for column in columns] for row in rows],
            numbers=(4,),
        )


@command.command("rights", help=text("cli.topics_rights"))
@click.argument("part", type=click.Choice(PARTS))
@click.option("--principal", metavar="NAME", help=text("cli.topics_principal"))
@json_option
def show_rights(part: Part, principal: str | None, as_json: bool) -> None:
    """Prints the rights that one part of the gate needs on the broker, as calls of Kafka's own command.

    The command needs no broker. Without a known one, its place is left to be filled in.
    """
    settings = load()
    begin = ("kafka-acls.sh", "--bootstrap-server", _broker(settings), "--add")
    for right in rights(settings, part):
        if as_json:
            show_json(right)
        else:
            click.echo(shlex.join((*begin, "--allow-principal", f"User:{principal or part}", *right.options())))


def _broker(settings: Settings) -> str:
    try:
        return settings.bootstrap
    except UsageError:
        return "HOST:PORT"


def _row(topic: Topic, settings: Settings) -> dict[str, Any]:
    return {
        "topic": settings.topic(topic.name),
        "key": topic.key,
        "writers": topic.writers,
        "readers": topic.readers,
        "partitions": 1 if topic.partitions == "one" else settings.partitions,
        "kept": _kept(topic, settings),
        "compression": topic.compression,
    }


def _shown(cell: Any) -> Any:
    return ", ".join(cell) if isinstance(cell, tuple) else cell


def _kept(topic: Topic, settings: Settings) -> str:
    config = topic.settings(audit_days=settings.audit_days, replicas=1)
    if config["cleanup.policy"] == "compact":
        return text("cli.kept_compacted")
    if int(config["retention.ms"]) == FOREVER:
        return text("cli.kept_forever")
    return text("cli.kept_days", days=int(config["retention.ms"]) // DAY_MS)


def _plain(differences: Sequence[admin.Difference | Advice]) -> list[dict[str, Any]]:
    return [{**asdict(difference), "message": str(difference)} for difference in differences]


def _print(differences: Sequence[admin.Difference]) -> None:
    for difference in differences:
        click.echo(str(difference))


def _exit(differences: Sequence[object]) -> None:
    if differences:
        click.get_current_context().exit(1)
