"""`gatekeeper partition list|show|resume`: shows the state of each partition, and lets a refused one go on."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import click

from gatekeeper.cli.actor import act_options, confirmed, person, yes_option
from gatekeeper.cli.output import age, json_option, note, show_json, show_table
from gatekeeper.cli.usage import Number
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.management.fleet import Fleet, Partition
from gatekeeper.management.refusal import Refusal
from streams.client.fact_with_act import now
from streams.client.reader import Reader
from streams.operations import fleet, partitions
from streams.operations.partitions import SkippedRecords

WAIT_SECONDS = 60.0
NAMED = "PARTITION"


@click.group("partition", help=text("cli.partition"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("list", help=text("cli.partition_list"))
@json_option
def list_(as_json: bool) -> None:
    """Prints all partitions; exit 1 if one is refused."""
    settings = load()
    with Reader(settings) as reader:
        seen = fleet.read(settings, reader)
    rows = [_row(seen, partition) for partition in seen.partitions]
    if as_json:
        show_json(rows)
    else:
        names = ("partition", "state", "owner", "position", "end", "lag")
        show_table(
            [f"cli.column_{name}" for name in names],
            [
                (
                    row["partition"],
                    text(f"partition.state_{row['state']}"),
                    row["owner"] or "-",
                    "-" if row["position"] is None else row["position"],
                    row["end"],
                    row["lag"],
                )
                for row in rows
            ],
            numbers=(0, 3, 4, 5),
        )
        for partition in seen.refused:
            note("cli.partition_look", partition=partition.number)
    if seen.refused:
        click.get_current_context().exit(1)


@command.command("show", help=text("cli.partition_show"))
@click.argument("number", metavar=NAMED, type=click.IntRange(min=0))
@json_option
def show(number: int, as_json: bool) -> None:
    """Prints the state of a partition, and the way to resume a refused one (exit 1)."""
    settings = load()
    with Reader(settings) as reader:
        seen, partition = _partition(settings, reader, number)
        row, sentences = {**_row(seen, partition), **_logs(reader, number), "refused": None}, list[str]()
        if (reason := partition.place.refused) is not None:
            refusal = partitions.read(settings, reader, number, reason)
            row["refused"] = _refused(seen, refusal, _foreseen(reader, refusal))
            sentences = row["refused"].pop("told")
    if as_json:
        show_json(row)
    else:
        _print(row, sentences)
    if row["refused"]:
        click.get_current_context().exit(1)


@command.command("resume", help=text("cli.partition_resume"))
@click.argument("number", metavar=NAMED, type=click.IntRange(min=0))
@click.option("--from", "start", type=click.IntRange(min=0), help=text("cli.partition_from"))
@click.option("--skip", metavar="TOPIC/OFFSET", help=text("cli.partition_skip"))
@act_options("resume_partition")
@yes_option
@click.option("--wait", type=Number(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.partition_wait"))
@json_option
def resume(
    number: int, start: int | None, skip: str | None, by: str | None, reason: str, yes: bool, wait: float, as_json: bool
) -> None:
    """Writes the act that lets the partition go on; exit 5 if no worker took it up within `--wait`."""
    if (start is None) == (skip is None):
        raise UsageError("error.partition_one_option")
    record = _record(skip) if skip is not None else None
    settings = load()
    who = person(settings, by)
    with Reader(settings) as reader:
        _, partition = _partition(settings, reader, number)
        if partition.place.refused is None:
            raise UsageError("error.partition_not_refused", partition=number)
        if record is None and not partition.place.refused.resumable:
            raise UsageError("error.partition_not_so", partition=number, advice=partition.place.refused.advice)
        refusal = partitions.read(settings, reader, number, partition.place.refused)
        position = refusal.position(start or 0) if record is None else refusal.behind(record)
        if partition.place.refused.by_two:
            partitions.demand_two(reader)
        skips = partitions.lost(reader, number, refusal.skips(position))
        for line in _said(refusal, skips):
            click.echo(line, err=True)
        question = text(
            "cli.partition_sure", partition=number, topic=refusal.topic, start=getattr(position, refusal.topic)
        )
        confirmed(question, max([1, *(abs(lost.skip.to - lost.skip.start) for lost in skips)]), yes=yes)
        act = refusal.act(position, act_id=uuid4().hex, at=now(), by=who, reason=reason)
        offset = partitions.write(settings, act)
        alone = partition.place.refused.by_two and not partitions.seconded(reader, act)
        done = not alone and partitions.gone_on(settings, reader, act, seconds=wait)
    if as_json:
        fields = act.model_dump(mode="json", include={"act_id", "by", "refused", "head", "sends", "acts"})
        show_json(
            {"partition": number, **fields, "offset": offset, "skipped": [_skip(lost) for lost in skips], "done": done}
        )
    else:
        click.echo(text("cli.partition_resumed" if done else "cli.partition_asked", partition=number, act=act.act_id))
    if alone:
        note("cli.partition_second", call=_call(refusal))
    elif not done and wait:
        note("cli.partition_waits", partition=number, seconds=int(wait))
        click.get_current_context().exit(5)


def _record(skip: str) -> tuple[str, int]:
    """The record that `--skip` names: topic and offset; raises UsageError (2) for another form."""
    topic, _, offset = skip.rpartition("/")
    if topic not in partitions.INPUTS or not offset.isdecimal() or len(offset) > 18:
        raise UsageError("error.option_invalid", option="--skip")
    return topic, int(offset)


def _call(refusal: Refusal) -> str | None:
    """The command that lets the partition go on, None without one."""
    if refusal.note.resumable:
        how = f"--from {refusal.suggested}"
    elif refusal.record is not None:
        how = f"--skip {refusal.record[0]}/{refusal.record[1]}"
    else:
        return None
    return f'gatekeeper partition resume {refusal.partition} {how} --by ID --reason "TEXT"'


def _partition(settings: Settings, reader: Reader, number: int) -> tuple[Fleet, Partition]:
    seen = fleet.read(settings, reader)
    for partition in seen.partitions:
        if partition.number == number:
            return seen, partition
    raise UsageError("error.partition_unknown", partition=number, last=len(seen.partitions) - 1)


def _row(seen: Fleet, partition: Partition) -> dict[str, Any]:
    place = partition.place
    state = "unowned" if partition.owner is None else "silent" if partition in seen.undecided else "decided"
    return {
        "partition": partition.number,
        "state": "refused" if place.refused else state,
        "reason": place.refused.key if place.refused else None,
        "owner": partition.owner.name if partition.owner else None,
        "position": place.head.sends if place.head else None,
        "acts": place.head.acts if place.head else None,
        "end": place.end,
        "lag": place.lag,
        "written": {"by": place.written.writer, "at": instant(place.written.at)} if place.written else None,
    }


def _logs(reader: Reader, number: int) -> dict[str, Any]:
    return {
        "logs": {
            name: {"start": reader.starts(name)[number], "end": reader.ends(name)[number]} for name in partitions.INPUTS
        }
    }


def _foreseen(reader: Reader, refusal: Refusal) -> list[SkippedRecords]:
    """The records that the suggested command would skip."""
    if refusal.note.resumable:
        position = refusal.position(refusal.suggested)
    elif refusal.record is not None:
        position = refusal.behind(refusal.record)
    else:
        return []
    return partitions.lost(reader, refusal.partition, refusal.skips(position))


def _refused(seen: Fleet, refusal: Refusal, skips: list[SkippedRecords]) -> dict[str, Any]:
    reason, (first, last) = refusal.note, refusal.range
    return {
        "reason": reason.key,
        "since": instant(reason.since),
        "age_ms": max(0, seen.at - reason.since),
        "sentence": reason.sentence,
        "advice": reason.advice,
        "resume": _call(refusal),
        "from": {"topic": refusal.topic, "first": first, "last": last} if reason.resumable else None,
        "skipped": [_skip(lost) for lost in skips],
        "told": _said(refusal, skips),
    }


def _skip(lost: SkippedRecords) -> dict[str, Any]:
    return {
        "topic": lost.skip.topic,
        "from": lost.skip.start,
        "to": lost.skip.to,
        "expired": lost.expired,
        "records": lost.records,
        "since": None if lost.since is None else instant(lost.since),
        "until": None if lost.until is None else instant(lost.until),
    }


def _said(refusal: Refusal, skips: list[SkippedRecords]) -> list[str]:
    """The offsets that would be skipped or judged again, in words, with sentences for each input."""
    before = refusal.before._asdict()
    sentences = [
        text("partition.begins_anew", topic=topic, before=before[topic], start=start)
        for topic, start in refusal.fresh.items()
    ]
    for lost in skips:
        topic, start, to = lost.skip
        if to < start:
            sentences.append(text("partition.judged_again", topic=topic, start=start, to=to, records=lost.records))
            continue
        sentences.append(
            text("partition.skips", topic=topic, start=start, to=to, expired=lost.expired, records=lost.records)
        )
        if lost.since is not None and lost.until is not None:
            sentences.append(text("partition.skips_kept", since=instant(lost.since), until=instant(lost.until)))
    return sentences if skips else [*sentences, text("partition.skips_nothing")]


def _print(row: dict[str, Any], sentences: list[str]) -> None:
    show_table(
        ("cli.column_partition", "cli.column_state", "cli.column_owner", "cli.column_lag"),
        [(row["partition"], text(f"partition.state_{row['state']}"), row["owner"] or "-", row["lag"])],
        numbers=(0, 3),
    )
    positions = {"sends": row["position"], "acts": row["acts"]}
    show_table(
        ("cli.column_topic", "cli.column_start", "cli.column_position", "cli.column_end"),
        [
            (name, log["start"], "-" if positions[name] is None else positions[name], log["end"])
            for name, log in row["logs"].items()
        ],
        numbers=(1, 2, 3),
    )
    if row["written"]:
        click.echo(text("partition.written", **row["written"]))
    if (refusal := row["refused"]) is None:
        click.echo(text("partition.not_refused"))
        return
    click.echo(
        text(
            "partition.refused", age=age(refusal["age_ms"] / 1000), since=refusal["since"], sentence=refusal["sentence"]
        )
    )
    click.echo(refusal["advice"])
    if refusal["resume"]:
        for line in sentences:
            click.echo(line)
        click.echo(text("partition.resume", **refusal["from"]) if refusal["from"] else text("partition.skip"))
        click.echo(f"  {refusal['resume']}")
