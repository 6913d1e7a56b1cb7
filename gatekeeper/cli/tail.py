"""`gatekeeper tail`: prints a topic's committed records, present and coming, without personal data."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
import orjson

from gatekeeper.audit.records import masking
from gatekeeper.cli.actor import by_option, person
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, printable, show_json
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from schemas.codec import Unreadable, decode
from schemas.record import Record
from schemas.topics import TOPICS, logical_name
from streams.client.reader import Reader
from streams.operations import reveals

MASK = "…"
PERSONAL = frozenset({"answer_code", "birth_date", "check", "delivery", "reason"})
"""Fields of readable values with names, addresses, birth dates, words about people, or the code that answers for them.

The seller of a list (`check`) may be a person as well. An unreadable value is left out whole.
"""
OURS = ("gate-", "ce_")
"""Prefixes of headers on the worker's own topics. Headers written by others may hold anything."""


@click.command("tail", help=text("cli.tail"))
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help=text("cli.tail_from_beginning"))
@click.option("--max", "most", type=click.IntRange(min=1), help=text("cli.tail_max"))
@click.option("--follow/--no-follow", default=True, show_default=True, help=text("cli.tail_follow"))
@click.option("--raw", is_flag=True, help=text("cli.tail_raw"))
@by_option
@wait_options
@json_option
def command(
    topic: str,
    from_beginning: bool,
    most: int | None,
    follow: bool,
    raw: bool,
    by: str | None,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Prints one line a record; with `--raw` also its value, once the act that names the reader is recorded.

    Shows nothing if the worker refuses the act (exit 1), or has not answered in time (3). With `--no-wait` the
    acknowledgement of Kafka is enough.
    """
    name = logical_name(topic)
    if name not in TOPICS:
        raise UsageError("error.topic_unknown", topic=topic, topics=", ".join(TOPICS))
    settings = load()
    who = person(settings, by) if raw else None
    with Reader(settings) as reader:
        reader.partitions(name)  # a topic missing on the broker is refused before the act is written
        if who is not None:
            question = Question(settings, wait=wait, no_wait=no_wait)
            pair = reveals.write(settings, name, by=who)
            question.answer(pair).conclude()
            note("cli.tail_revealing", by=who, act=pair.act_id)
        records = reader.follow(name, from_beginning=from_beginning) if follow else reader.read(name)
        for record in islice(records, most):
            shown = _shown(record, raw=raw)
            if as_json:
                show_json(shown)
            else:
                line = (shown["at"], shown["key"] or "-", *_said(record), *([shown["value"]] if raw else []))
                click.echo("  ".join(line))


def _shown(record: Record, *, raw: bool) -> dict[str, Any]:
    value = _value(record)
    readable = value is not MASK
    ours = OURS if "worker" in TOPICS[record.topic].writers else ()
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


def _said(record: Record) -> tuple[str, str]:
    """Verdict and primary reason, if records of the topic have them; `-` for each missing one.

    For a result: outcome and primary reason. For a dead letter: reason and fault. For an act: kind and id. For an act's
    audit record without a verdict: the outcome and kind of the act.
    """
    words: tuple[Any, Any] = (None, None)
    try:
        if record.topic in ("cleared", "review"):
            decision = record.header("gate-decision")
            words = record.header("gate-verdict"), decision and orjson.loads(decision)["reasons"][0]["code"]
        elif record.topic == "deadletter":
            words = record.header("gate-reason"), record.header("gate-fault")
        elif record.topic == "audit":
            content = orjson.loads(record.value or b"")
            act, reasons = content["act"] or {}, content["reasons"]
            words = content["verdict"] or act.get("outcome"), reasons[0]["code"] if reasons else act.get("kind")
        elif record.topic == "results":
            content = orjson.loads(record.value or b"")
            words = content["outcome"], content.get("primary")
        elif record.topic == "recalls":
            words = None, orjson.loads(record.value or b"")["reasons"][0]
        elif record.topic == "acts":
            content = orjson.loads(record.value or b"")
            words = content["kind"], content["act_id"]
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    verdict, reason = (masking.word(word) if word else "-" for word in words)
    return verdict, reason


def _value(record: Record) -> Any:
    """The value without personal data; MASK for an unreadable value, or for a dead letter."""
    if record.value is None:
        return None
    try:
        if TOPICS[record.topic].adapter is not None:
            # these topics have keys of their own, which the value does not name
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
