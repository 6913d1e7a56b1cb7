"""`gatekeeper tail`: what stands on a topic and what comes, committed records only, personal data left out."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
import orjson

from gatekeeper.cli.output import json_option, note, printable, show_json
from gatekeeper.errors import UsageError
from gatekeeper.settings import load
from gatekeeper.texts import text
from schemas.codec import Unreadable, decode
from schemas.record import Record
from schemas.topics import TOPICS, logical_name
from streams.client.reader import Reader

MASK = "…"
PERSONAL = frozenset({"answer_code", "check", "delivery", "reason"})
"""Fields of readable values that hold names and addresses, words about people, or the code that answers for them.

Who sold a list (`check`) may be a person as well.

A value that cannot be read is left out whole.
"""
OURS = ("gate-", "ce_")
"""Headers of the worker's own topics; what others put into a header, nobody knows."""


@click.command("tail", help=text("cli.tail"))
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help=text("cli.tail_from_beginning"))
@click.option("--max", "most", type=click.IntRange(min=1), help=text("cli.tail_max"))
@click.option("--follow/--no-follow", default=True, show_default=True, help=text("cli.tail_follow"))
@click.option("--raw", is_flag=True, help=text("cli.raw"))
@json_option
def command(topic: str, from_beginning: bool, most: int | None, follow: bool, raw: bool, as_json: bool) -> None:
    """Prints records as they stand, one a line."""
    name = logical_name(topic)
    if name not in TOPICS:
        raise UsageError("error.topic_unknown", topic=topic, topics=", ".join(TOPICS))
    if raw:
        note("cli.raw_warning")
    with Reader(load()) as reader:
        records = reader.follow(name, from_beginning=from_beginning) if follow else reader.read(name)
        for record in islice(records, most):
            shown = _shown(record, raw=raw)
            if as_json:
                show_json(shown)
            else:
                headers = " ".join(f"{key}={value}" for key, value in shown["headers"].items())
                value = shown["value"]
                line = value if isinstance(value, str) else orjson.dumps(value).decode()
                click.echo(f"{record.partition}@{record.offset} {shown['key'] or '-'} [{headers}] {line}")


def _shown(record: Record, *, raw: bool) -> dict[str, Any]:
    value = _value(record)
    readable = value is not MASK
    ours = OURS if TOPICS[record.topic].writer == "worker" else ()
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds"),
        "key": None if record.key is None else printable(record.key) if raw or readable else MASK,
        "headers": {
            name: printable(content) if raw or name.startswith(ours) else MASK for name, content in record.headers
        },
        "value": printable(record.value or b"") if raw else value,
    }


def _value(record: Record) -> Any:
    """Returns the value without personal data; of one that its topic cannot read, or of a dead letter, nothing."""
    if record.value is None:
        return None
    try:
        if TOPICS[record.topic].adapter is not None:
            # these have keys of their own, that are not named in the value
            key = None if record.topic in ("audit", "manifests") else record.key
            decode(record.topic, key, record.value)
        elif record.topic == "deadletter":
            return MASK
        return _masked(orjson.loads(record.value))
    except (Unreadable, ValueError):
        return MASK


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if name in PERSONAL else _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return value
