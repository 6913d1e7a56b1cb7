"""Prints `gatekeeper status` for people: actions first, then owners, then counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from gatekeeper.cli.output import age, show_table
from gatekeeper.deciding.rules.system import FOREIGN, GAP
from gatekeeper.ground.texts import catalogue, text
from gatekeeper.ground.times import local, span
from gatekeeper.knowledge.unregistered_names import KIND
from gatekeeper.management.fleet import Fleet
from schemas.topics import FACT_TOPICS

MAX_ROWS = 5
"""Most records of one kind that are named."""


def show(state: dict[str, Any], seen: Fleet) -> None:
    """Prints actions, then owners, then counts. `state`: the value that --json prints about the fleet."""
    actions = list(_actions(state, seen))
    for action in actions:
        click.echo(text("cli.status_action", action=action))
    if not actions:
        click.echo(text("cli.status_well"))
    if state["mode"] == "shadow":
        click.echo(text("cli.status_shadow"))
    show_table(
        [f"cli.column_{name}" for name in ("partition", "end", "position", "lag", "waiting", "owner")],
        [
            (
                row["partition"],
                row["end"],
                "-" if row["position"] is None else row["position"],
                row["lag"],
                _age(row["waiting_age_ms"]),
                row["owner"] or "-",
            )
            for row in state["partitions"]
        ],
        numbers=(0, 1, 2, 3, 4),
    )
    click.echo(text("cli.status_lag", lag=f"{state['lag']:,}"))
    if state["workers"]:
        show_table(
            [f"cli.column_{name}" for name in ("worker", "host", "owns", "written")],
            [
                (
                    row["worker"],
                    row["host"] or text("cli.status_gone"),
                    _numbers(row["partitions"]),
                    _age(row["written_age_ms"]),
                )
                for row in state["workers"]
            ],
            numbers=(3,),
        )
    worker = state["worker"]
    ready = {True: "cli.status_ready", False: "cli.status_unready", None: "cli.status_no_answer"}[worker["ready"]]
    click.echo(text(ready, address=worker["address"]))
    for row in (worker["answer"] or {}).get("processes", ()):
        if not row["ready"]:
            condition = "unready" if row["ready"] is False else "silent" if row["pid"] else "ended"
            numbers = {name: row[name] for name in ("process", "pid", "code")}
            click.echo(text(f"cli.status_process_{condition}", address=worker["address"], **numbers))
    if "policy" in (worker["answer"] or {}):
        click.echo(text("cli.status_policy", policy=worker["answer"]["policy"]))
    for wide in (worker["answer"] or {}).get("read_wide", ()):
        kind, _, code = wide["name"].partition("/")
        click.echo(text("cli.status_unread_kind" if kind == KIND else "cli.status_read_wide", **wide, code=code))
    if lists := (worker["answer"] or {}).get("unread_flags"):
        click.echo(text("cli.status_unread_flags", count=len(lists), shown=", ".join(lists[:MAX_ROWS])))
    if people := (worker["answer"] or {}).get("nos_without_token"):
        click.echo(text("cli.status_nos_without_token", people=f"{people:,}"))
    if people := (worker["answer"] or {}).get("people_of_another"):
        click.echo(text("cli.status_people_of_another", people=f"{people:,}"))
    for row, count in ((worker["answer"] or {}).get("stop_rows") or {}).items():
        if count and row != "certain":
            click.echo(text(f"cli.status_stop_rows_{row}", count=f"{count:,}"))
    if corrections := (worker["answer"] or {}).get("corrections"):
        shown = ", ".join(f"{by} {count:,}" for by, count in corrections.items())
        click.echo(text("cli.status_corrections", shown=shown))
    for use in (worker["answer"] or {}).get("token_keys", ()):
        if use["held"]:
            click.echo(text("cli.status_token_key", **_counted(use)))
    for suspension in state["suspended"]:
        if suspension["suspends"] is None:
            click.echo(text("cli.status_suspends_all", **suspension))
    for line in _sealed(state["seal"]):
        click.echo(line)
    if state["asked"]:
        click.echo(text("cli.status_asked", count=f"{state['asked']:,}"))
    if state["verdicts"]:
        click.echo(text("cli.status_counted", days=state["counted_days"]))
        show_table(("cli.column_verdict", "cli.column_count"), list(state["verdicts"].items()), numbers=(1,))


def _actions(state: dict[str, Any], seen: Fleet) -> Iterator[str]:
    """Yields the actions for a person, gravest first, one sentence for each finding."""
    if seen.unowned:
        if seen.sharing_out:
            key = "cli.status_sharing_out"
        else:
            key = (
                "cli.status_no_owner"
                if any(worker.host is not None for worker in seen.workers)
                else "cli.status_no_worker"
            )
        lag = sum(partition.place.lag for partition in seen.unowned)
        yield text(key, partitions=_numbers([partition.number for partition in seen.unowned]), lag=f"{lag:,}")
    for partition in seen.refused:
        assert partition.place.refused is not None
        reason = partition.place.refused
        values = {"sentence": reason.sentence, "advice": reason.advice, "age": _age(max(0, seen.at - reason.since))}
        yield text("cli.status_refused", partition=partition.number, **values)
    silent = sorted(seen.undecided, key=lambda partition: partition.owner.name if partition.owner else "")
    for owner, theirs in groupby(silent, key=lambda partition: partition.owner.name if partition.owner else ""):
        partitions = list(theirs)
        waited = seen.at - min(partition.silent_since or seen.at for partition in partitions)
        numbers = _numbers([partition.number for partition in partitions])
        yield text("cli.status_not_deciding", worker=owner, partitions=numbers, age=_age(waited))
    for added in state["partitions_added"]:
        key = "cli.status_facts_added" if added["topic"] in FACT_TOPICS else "cli.status_partitions_added"
        yield text(key, topic=added["topic"], partitions=_numbers(added["partitions"]), records=f"{added['records']:,}")
    for row in state["transactions"]:
        where = {name: row[name] for name in ("topic", "partition", "producer")}
        values = {"transaction": row["transaction"] or "-", "age": _age(row["age_ms"]), "command": row["abort"]}
        yield text("cli.status_transaction_open", **where, **values)
    if seen.seal and seen.seal.error:
        yield str(seen.seal.error)
    for held in seen.seal.held if seen.seal else ():
        yield text("cli.status_sealing_held", partition=held.partition, offset=held.offset)
    for row in wide(state["withholding"])[:MAX_ROWS]:
        kind = "gap" if row["fault"].startswith(GAP) else row["withholds"]
        yield text(f"cli.status_withholds_{kind}", **_withheld(row, seen.at))
    withholds = {row["record"]: row["withholds"] for row in state["withholding"]}
    if facts := [name for name in state["unreadable_facts"] if withholds.get(name) == "nobody"]:
        yield text("cli.status_unsigned_unreadable", count=len(facts), shown=", ".join(facts[:MAX_ROWS]))
    if facts := [name for name in state["unreadable_facts"] if withholds.get(name, "named") == "named"]:
        yield text("cli.status_unreadable", count=len(facts), shown=", ".join(facts[:MAX_ROWS]))
    for purpose in state["purposes"]["unread"]:
        yield text("cli.purpose_unread", purpose=purpose)
    if state["misplaced"]:
        yield text("cli.status_misplaced", count=f"{state['misplaced']:,}")
    answer = state["worker"]["answer"] or {}
    for row in answer.get("feeds", ()):
        if row["ignored"]:
            yield text("cli.status_feed_ignored", feed=row["feed"])
        if row["state"] != "delivered":
            whom = ", ".join(row["lists"] or row["companies"])
            values = {"closed": row["closed"] or text("cli.status_feed_never"), "whom": whom, "due": row["due"]}
            yield text(f"cli.status_feed_{row['state']}", feed=row["feed"], owner=row["owner"], **values)
    if reading := answer.get("facts_reading"):
        counts = {name: f"{reading[name]:,}" for name in ("people", "done", "of")}
        yield text("cli.status_facts_reading", until=reading["until"] or "-", **counts)
    for policy, what in (answer.get("policy_unknown") or {}).items():
        yield text("cli.status_policy_unknown", policy=policy, what=what)
    for use in missing_keys(answer):
        case = "other" if use["key"].endswith(FOREIGN) else "missing"
        yield text(f"cli.status_token_key_{case}", **_counted(use))
    for place, what in (answer.get("policy_ignored") or {}).items():
        yield text("cli.status_policy_ignored", place=place, what=what)
    yield from _signatures(state["signatures"])
    if not state["purposes"]["registered"]:
        yield text("cli.purpose_none")
    for which in ("later", "carried"):
        for policy, rows in (answer.get(f"policy_{which}") or {}).items():
            yield text(f"cli.policy_{which}", policy=policy, rows=", ".join(rows))
    for policy, since in (answer.get("policy_provisional") or {}).items():
        yield text("cli.status_policy_provisional", policy=policy, since=since)


def _signatures(signatures: Mapping[str, Any]) -> Iterator[str]:
    """Yields that acts need no signature, and the records of `reference` that lack one."""
    if signatures["acts"] != "signed":
        yield text(f"cli.status_acts_{signatures['acts']}", founder=signatures.get("founder") or "-")
    for row in signatures["waiting"]:
        yield text("cli.status_reference_waits", **{**row, "signed_by": ", ".join(row["signed_by"]) or "-"})
    if names := signatures["unsigned"]:
        yield text("cli.status_reference_unsigned", count=len(names), shown=", ".join(names[:5]))
    for row in signatures["lone"]:
        yield text("cli.status_reference_lone", record=row["record"], by=row["by"], until=row["until"])
    for refusal in signatures["refused"]:
        yield text("cli.status_signature_refused", **{**refusal, "why": text(f"act.refused_{_known(refusal['code'])}")})


def _known(code: str) -> str:
    return code if f"act.refused_{code}" in catalogue() else "bad_signature"


def wide(withholding: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records that withhold everybody, or the sends of a company, from a readiness report."""
    return [row for row in withholding if row["withholds"] in ("everybody", "companies")]


def _withheld(row: Mapping[str, Any], now: int) -> dict[str, str]:
    """The values for the sentence about a record that withholds many."""
    left = row["needed"] - row["resolved"]
    return {
        "record": row["record"],
        "feed": row["fault"].removeprefix(GAP),
        "companies": ", ".join(row["companies"]) or text("cli.status_withholds_everyone"),
        "since": local(span(row["since"], "UTC").first, "UTC"),
        "age": _age(max(0, now - span(row["since"], "UTC").first // 1000)),
        "left": str(left),
        "command": f"gatekeeper deadletter resolve {row['record']}",
    }


def missing_keys(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The token keys that facts name and the worker lacks, from its readiness report."""
    return [use for use in answer.get("token_keys", ()) if not use["held"]]


def _counted(use: Mapping[str, Any]) -> dict[str, str]:
    return {"key": use["key"], "stops": f"{use['stops']:,}", "sources": f"{use['sources']:,}"}


def _sealed(seal: dict[str, Any] | None) -> Iterator[str]:
    """Yields the age of seal and witness, in the console's words."""
    if seal is None:
        yield text("page.seal_none")
    elif not seal["error"]:
        size, span = f"{seal['size']:,}", _age(seal["age_ms"])
        yield f"{text('page.seal')}: {text('page.seal_of', size=size, span=span)}"
        if seal["late"]:
            yield text("page.seal_late")
        if seen := seal["witnessed"]:
            size, span = f"{seen['size']:,}", _age(seen["age_ms"])
            yield f"{text('page.witness')}: {text('page.witness_of', size=size, span=span)}"
        else:
            yield text("page.witness_none")


def _age(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else age(milliseconds / 1000)


def _numbers(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, partitions)) or "-"
