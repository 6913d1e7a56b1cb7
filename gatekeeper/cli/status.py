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
        held = [each for topic in INPUTS for each in reader.held(topic)]
    hanging = [_transaction(settings, one) for one in transactions.opened(settings, held) if one.age_ms >= OPEN_MS]
    worker, purposes = _worker(settings), referred.reference.purposes
    answer = worker["answer"] or {}
    signatures = signature_state(referred.log, settings.acts) | _acts(answer)
    # facts are kept for ever, dead letters are not; the worker still knows its unreadable facts
    withholding = answer.get("withholding", [])
    unreadable.update(one["record"] for one in withholding if not one["fault"].startswith((GAP, TOKEN_KEY)))
    others = {
        "transaction_open": hanging,
        "facts_reading": answer.get("facts_reading"),
        "facts_unreadable": unreadable,
        "withheld_widely": status_text.wide(withholding),
        "misplaced": totals["misplaced"],
        "purposes_unread": purposes.unread,
        "policy_unknown": answer.get("policy_unknown"),
        "token_key_missing": status_text.missing_keys(answer),
        "reference_waits": signatures["waiting"],
        "other_founder": signatures["acts"] == "other_founder",
    }
    heads = [each.place.head for each in seen.partitions if each.place.head]
    state: dict[str, Any] = {
        "at": instant(seen.at),
        "findings": [*seen.troubles, *(name for name, found in others.items() if found)],
        "broker": settings.bootstrap,
        "mode": next((head.mode for head in heads), settings.mode),
        "group": seen.state,
        "partitions": [_row(seen, each) for each in seen.partitions],
        "lag": seen.lag,
        "workers": [
            {
                "worker": each.name,
                "host": each.host,
                "partitions": each.partitions,
                "written_age_ms": _since(seen, each.written_at),
            }
            for each in seen.workers
        ],
        "worker": worker,
        "asked": sum(head.asked for head in heads),
        "transactions": hanging,
        "partitions_added": [
            {"topic": one.topic, "partitions": [*one.partitions], "records": one.records} for one in seen.added
        ],
        **totals,
        "unreadable_facts": sorted(unreadable),
        "withholding": withholding,
        "purposes": {"registered": len(purposes.registered), "unread": list(purposes.unread)},
        "signatures": signatures,
        "seal": _seal(seen),
    }
    if as_json:
        show_json(state)
    else:
        status_text.show(state, seen)
    if state["findings"]:
        click.get_current_context().exit(1)


def _row(seen: Fleet, each: Partition) -> dict[str, Any]:
    place = each.place
    return {
        "partition": each.number,
        "end": place.end,
        "position": place.head.sends if place.head else None,
        "lag": place.lag,
        "waiting_age_ms": _since(seen, place.waiting_since),
        "owner": each.owner.name if each.owner else None,
        "written_by": place.written.writer if place.written else None,
        "written_age_ms": _since(seen, place.written.at if place.written else None),
        "refused": _refused(seen, place.refused) if place.refused else None,
    }


def _refused(seen: Fleet, reason: Refused) -> dict[str, Any]:
    said = {"reason": reason.key, "age_ms": _since(seen, reason.since), "resumable": reason.resumable}
    return {**said, "sentence": reason.sentence, "advice": reason.advice}


def _transaction(settings: Settings, one: transactions.OpenTransaction) -> dict[str, Any]:
    return {**asdict(one), "topic": logical_name(one.topic), "abort": one.abort(settings)}


def _since(seen: Fleet, at: int | None) -> int | None:
    return None if at is None else max(0, seen.at - at)


def _seal(seen: Fleet) -> dict[str, Any] | None:
    """Size and age of the newest seal, and of the newest one that a witness cosigned; None without a log."""
    seal = seen.seal
    if seal is None:
        return None
    if seal.error:
        return {"error": str(seal.error)}
    decided = max((each.place.head.at for each in seen.partitions if each.place.head), default=None)
    return {
        "error": None,
        "size": seal.size,
        "age_ms": _since(seen, seal.at),
        "held": [one.model_dump() for one in seal.held],
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
    said = answer.get("signatures") or {}
    return {"acts": said["acts"]} if "acts" in said else {}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
