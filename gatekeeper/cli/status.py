"""`gatekeeper status`: prints owners, progress and decisions of the gate, and faults that need a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click

from gatekeeper.cli import status_text
from gatekeeper.cli.output import json_option, reading, show_json
from gatekeeper.deciding.rules.system import GAP, TOKEN_KEY
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.knowledge.signature_state import signature_state
from gatekeeper.ledger.refused import Refused
from gatekeeper.management.fleet import Fleet, Partition
from schemas.topics import INPUTS, logical_name
from streams.client import transactions
from streams.client.reader import Reader
from streams.operations import deadletters, fleet, management

READY_SECONDS = 2.0
OPEN_MS = 10_000
"""A transaction that is open for longer is reported (milliseconds)."""


@click.command("status", help=text("cli.status"))
@json_option
def command(as_json: bool) -> None:
    """Prints the state; exit 1 if `findings` names anything that needs a person."""
    settings = load()
    with Reader(settings) as reader:
        seen = fleet.read(settings, reader)
        with reading("cli.status_reading") as taken:
            totals = fleet.totals(reader, taken)
        unreadable = {letter.name for letter in deadletters.read(reader) if letter.is_open}
        referred = management.referred(reader)
        held = [transaction for topic in INPUTS for transaction in reader.held(topic)]
    hanging = [
        _transaction(settings, transaction)
        for transaction in transactions.opened(settings, held)
        if transaction.age_ms >= OPEN_MS
    ]
    health, purposes = _worker(settings), referred.reference.purposes
    answer = health["answer"] or {}
    signatures = signature_state(referred.log, settings.acts) | _acts(answer)
    # facts are kept for ever, dead letters are not; the worker still knows its unreadable facts
    withholding = answer.get("withholding", [])
    unreadable.update(row["record"] for row in withholding if not row["fault"].startswith((GAP, TOKEN_KEY)))
    others = {
        "transaction_open": hanging,
        "facts_reading": answer.get("facts_reading"),
        "facts_unreadable": unreadable,
        "withheld_widely": status_text.wide(withholding),
        "feed_late": [feed for feed in answer.get("feeds", ()) if feed["state"] != "delivered" or feed["ignored"]],
        "misplaced": totals["misplaced"],
        "purposes_unread": purposes.unread,
        "policy_unknown": answer.get("policy_unknown"),
        "token_key_missing": status_text.missing_keys(answer),
        "reference_waits": signatures["waiting"],
        "other_founder": signatures["acts"] == "other_founder",
    }
    heads = [partition.place.head for partition in seen.partitions if partition.place.head]
    state: dict[str, Any] = {
        "at": instant(seen.at),
        "findings": [*seen.troubles, *(name for name, value in others.items() if value)],
        "broker": settings.bootstrap,
        "mode": next((head.mode for head in heads), settings.mode),
        "group": seen.state,
        "partitions": [_row(seen, partition) for partition in seen.partitions],
        "lag": seen.lag,
        "workers": [
            {
                "worker": worker.name,
                "host": worker.host,
                "partitions": worker.partitions,
                "written_age_ms": _since(seen, worker.written_at),
            }
            for worker in seen.workers
        ],
        "worker": health,
        "asked": sum(head.asked for head in heads),
        "transactions": hanging,
        "partitions_added": [
            {"topic": added.topic, "partitions": [*added.partitions], "records": added.records} for added in seen.added
        ],
        **totals,
        "unreadable_facts": sorted(unreadable),
        "withholding": withholding,
        "purposes": {"registered": len(purposes.registered), "unread": list(purposes.unread)},
        "suspended": [
            {"controller": company.id, "since": company.suspended_since, "until": company.suspended_until}
            | {"suspends": company.suspends}
            for company in referred.reference.controllers.values()
            if company.suspended_since or company.suspended_until
        ],
        "signatures": signatures,
        "seal": _seal(seen),
    }
    if as_json:
        show_json(state)
    else:
        status_text.show(state, seen)
    if state["findings"]:
        click.get_current_context().exit(1)


def _row(seen: Fleet, partition: Partition) -> dict[str, Any]:
    place = partition.place
    return {
        "partition": partition.number,
        "end": place.end,
        "position": place.head.sends if place.head else None,
        "lag": place.lag,
        "waiting_age_ms": _since(seen, place.waiting_since),
        "owner": partition.owner.name if partition.owner else None,
        "written_by": place.written.writer if place.written else None,
        "written_age_ms": _since(seen, place.written.at if place.written else None),
        "refused": _refused(seen, place.refused) if place.refused else None,
    }


def _refused(seen: Fleet, reason: Refused) -> dict[str, Any]:
    fields = {"reason": reason.key, "age_ms": _since(seen, reason.since), "resumable": reason.resumable}
    return {**fields, "sentence": reason.sentence, "advice": reason.advice}


def _transaction(settings: Settings, transaction: transactions.OpenTransaction) -> dict[str, Any]:
    return {**asdict(transaction), "topic": logical_name(transaction.topic), "abort": transaction.abort(settings)}


def _since(seen: Fleet, at: int | None) -> int | None:
    return None if at is None else max(0, seen.at - at)


def _seal(seen: Fleet) -> dict[str, Any] | None:
    """Size and age of the newest seal, and of the newest one that a witness cosigned; None without a log."""
    seal = seen.seal
    if seal is None:
        return None
    if seal.error:
        return {"error": str(seal.error)}
    decided = max((partition.place.head.at for partition in seen.partitions if partition.place.head), default=None)
    return {
        "error": None,
        "size": seal.size,
        "age_ms": _since(seen, seal.at),
        "held": [held.model_dump() for held in seal.held],
        "late": seal.late(decided=decided, now=seen.at),
        "witnessed": seal.witnessed and {"size": seal.witnessed[0], "age_ms": _since(seen, seal.witnessed[1])},
    }


def _worker(settings: Settings) -> dict[str, Any]:
    """Asks the worker of this machine whether it is ready; `ready` is None if nobody answers."""
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


def _acts(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The word of a worker whether acts need signatures, as its settings decide that and not ours; {} without one."""
    signatures = answer.get("signatures") or {}
    return {"acts": signatures["acts"]} if "acts" in signatures else {}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
