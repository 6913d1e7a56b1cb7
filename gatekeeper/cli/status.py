"""`gatekeeper status`: how far the gate is, what it decided, and what needs a person."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click

from gatekeeper.cli.output import json_option, progress_bar, show_json, show_table
from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import Head
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from schemas.codec import Unreadable, decode
from streams.client import progress
from streams.client.reader import Reader
from streams.operations import deadletters

READY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Partition:
    """How far one partition of `sends` is; `position` is the next offset to decide, None before the first."""

    partition: int
    end: int
    position: int | None
    lag: int


@click.command("status", help=text("cli.status"))
@json_option
def command(as_json: bool) -> None:
    """Prints the state; exit 1 where a fact or the policy cannot be read, or keys lie on the wrong partition."""
    settings = load()
    with Reader(settings) as reader:
        # heads first: read after the ends they could be ahead of them
        found = progress.read(reader)
        partitions = _partitions(reader, found)
        totals = _totals(reader)
        unreadable = {letter.name for letter in deadletters.read(reader) if letter.is_open}
    worker = _worker(settings)
    # facts are kept for ever and dead letters are not: the worker still knows what it cannot read
    unreadable.update((worker["answer"] or {}).get("unreadable_facts", ()))
    state: dict[str, Any] = {
        "broker": settings.bootstrap,
        "mode": next((head.mode for head in found.values()), settings.mode),
        "worker": worker,
        "partitions": [
            {"partition": each.partition, "end": each.end, "position": each.position, "lag": each.lag}
            for each in partitions
        ],
        "lag": sum(each.lag for each in partitions),
        "asked": sum(head.asked for head in found.values()),
        **totals,
        "unreadable_facts": sorted(unreadable),
    }
    if as_json:
        show_json(state)
    else:
        _print(state)
    if unreadable or state["misplaced"] or (worker["answer"] or {}).get("policy_unknown"):
        click.get_current_context().exit(1)


def _partitions(reader: Reader, found: dict[int, Head]) -> list[Partition]:
    positions = {number: head.sends for number, head in found.items()}
    starts, ends = reader.starts("sends"), reader.ends("sends")
    return [
        Partition(number, end, positions.get(number), max(0, end - positions.get(number, starts[number])))
        for number, end in ends.items()
    ]


def _totals(reader: Reader) -> dict[str, Any]:
    """Sums the manifests; raises IntegrityError (4) for one that cannot be read."""
    verdicts, outputs, misplaced = Counter[str](), Counter[str](), 0
    with progress_bar() as bar:
        task = bar.add_task(text("cli.status_reading"), total=None)
        for record in reader.read("manifests"):
            try:
                manifest = decode("manifests", None, record.value)
            except Unreadable as fault:
                place = f"{record.topic}/{record.partition}/{record.offset}"
                raise IntegrityError("error.manifest_unreadable", place=place, fault=fault.fault) from None
            verdicts.update(manifest.verdicts)
            outputs.update(manifest.out.model_dump())
            misplaced += manifest.misplaced
            bar.advance(task)
    return {
        "verdicts": dict(verdicts),
        "outputs": dict(outputs),
        "misplaced": misplaced,
    }


def _worker(settings: Settings) -> dict[str, Any]:
    """Asks the worker whether it is ready; `ready` is None where nobody answers."""
    address = f"http://{settings.http_host}:{settings.http_port}/readyz"
    try:
        # a proxy of the environment has no business between us and our own machine
        with build_opener(ProxyHandler({})).open(address, timeout=READY_SECONDS) as answer:
            return {"address": address, "ready": True, "answer": json.load(answer)}
    except HTTPError as error:
        with error:
            return {"address": address, "ready": False, "answer": _json(error.read())}
    except (OSError, ValueError, HTTPException):
        return {"address": address, "ready": None, "answer": None}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _print(state: dict[str, Any]) -> None:
    worker = state["worker"]
    said = {True: "cli.status_ready", False: "cli.status_unready", None: "cli.status_no_worker"}[worker["ready"]]
    click.echo(text(said, address=worker["address"]))
    if state["mode"] == "shadow":
        click.echo(text("cli.status_shadow"))
    answer = worker["answer"] or {}
    if "policy" in answer:
        click.echo(text("cli.status_policy", policy=answer["policy"]))
    for policy, what in answer.get("policy_unknown", {}).items():
        click.echo(text("cli.status_policy_unknown", policy=policy, what=what))
    show_table(
        ("cli.column_partition", "cli.column_end", "cli.column_position", "cli.column_lag"),
        [
            (row["partition"], row["end"], "-" if row["position"] is None else row["position"], row["lag"])
            for row in state["partitions"]
        ],
        numbers=(0, 1, 2, 3),
    )
    click.echo(text("cli.status_lag", lag=f"{state['lag']:,}"))
    if state["asked"]:
        click.echo(text("cli.status_asked", count=f"{state['asked']:,}"))
    if state["verdicts"]:
        show_table(("cli.column_verdict", "cli.column_count"), list(state["verdicts"].items()), numbers=(1,))
    if state["misplaced"]:
        click.echo(text("cli.status_misplaced", count=f"{state['misplaced']:,}"))
    if state["unreadable_facts"]:
        shown = ", ".join(state["unreadable_facts"][:5])
        click.echo(text("cli.status_unreadable", count=len(state["unreadable_facts"]), shown=shown))
