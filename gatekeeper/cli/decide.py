"""`gatekeeper decide CASE.json`: judges one case from a file, with no broker, by the function that the worker uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import click
import jiter
import msgspec
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from gatekeeper.cli.output import json_option, note, show_json
from gatekeeper.deciding.answer import answer
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.rules.system import Checkpoint, Cleared
from gatekeeper.engine.failures import invalid
from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text, wrong
from gatekeeper.identity import open_tokens, printed
from gatekeeper.keys import Keys
from gatekeeper.knowledge.file_arrival import filed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management.files import SAID_OF_SENDS, opened
from gatekeeper.policy import packs
from schemas.codec import Unreadable, decode
from schemas.events import Send
from schemas.topics import FACT_TOPICS, TOPICS, logical_name
from schemas.values import Channel, Id, Model, RecipientId, ZonedTime


def _instant(value: str) -> str:
    if len(value) == 10:
        raise PydanticCustomError("a_day", "is a day")
    return value


Instant = Annotated[ZonedTime, AfterValidator(_instant)]


class _Event(Model):
    topic: str
    key: str | None = None
    value: dict[str, Any] | None


class _Clearance(BaseModel):
    """A live or recalled clearance; other fields of its record are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    campaign_id: Id
    channel: Channel
    recipient_id: RecipientId | None = None
    event_id: Id | None = None
    decision_id: Id | None = None
    did: Id | None = None
    recalled: bool | str | None = None
    state: str | None = None

    def of(self, send: Send) -> bool:
        """Tells whether the clearance is live, and of the same recipient, campaign and channel."""
        if self.recalled or self.state == "recalled":
            return False
        same = self.recipient_id in (None, send.recipient_id)
        return same and (self.campaign_id, self.channel) == (send.campaign_id, send.channel)


class _CaseFile(Model):
    at: Instant
    policy: Id = "jp-pmark"
    reference: tuple[dict[str, Any], ...] = ()
    facts: tuple[_Event, ...] = ()
    send: dict[str, Any]
    as_of: Instant | None = None
    checkpoint: Checkpoint = "intake"
    unavailable: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    clearances: tuple[dict[str, Any], ...] = ()


@click.command("decide", help=text("cli.decide"))
@click.argument("case", type=click.Path(allow_dash=True, path_type=Path))
@json_option
@click.pass_context
def command(context: click.Context, case: Path, as_json: bool) -> None:
    """Prints the decision as JSON; exit 0 if clear, 1 if withheld, 2 for a file that is no case."""
    with opened(case) as handle:
        content = handle.read()
    case_file = _read(content, file=str(case))
    decision = judge(case_file, file=str(case))
    channel = case_file.send.get("channel")
    result = answer(decision, channel if isinstance(channel, str) else None)
    if as_json:
        show_json(result)
    else:
        click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
    context.exit(0 if decision.verdict == "clear" else 1)


def judge(case: _CaseFile, *, file: str) -> Decision:
    """The decision on a case. Any unreadable part of a case withholds the send.

    Without a token key, a send with a delivery is judged by the token that it names. It gets the note
    TOKEN_NOT_CHECKED. The worker does not do so. A case is written by hand, and no piece goes out because of it.
    """
    loaded = packs.load(case.policy)
    at = _milliseconds(case.at)
    store = FactStore()
    events = [*(_reference(value, index, file=file) for index, value in enumerate(case.reference))]
    events += [(f"facts.{index}", event) for index, event in enumerate(case.facts)]
    unread = list(case.unavailable)
    for offset, (place, event) in enumerate(events):
        topic = logical_name(event.topic)
        if topic in SAID_OF_SENDS or topic in FACT_TOPICS:
            value = None if event.value is None else _written(_whose(topic, event, case.send))
            key = None if event.key is None else event.key.encode()
            if fault := store.apply(filed((topic, 0, offset), key, value, at=at, zone=loaded.home[0].timezone)):
                unread.append(f"{place}: {fault}")
        elif topic in TOPICS:
            unread.append(f"{place}: {topic}")
        else:
            raise UsageError("error.case_wrong", file=file, place=f"{place}.topic", detail=text("error.no_such_topic"))
    try:
        send: Send = decode("sends", None, _written(case.send))
    except Unreadable as fault:
        return only(loaded.at(at), at, [invalid(fault)])
    clearance: Cleared | None = None
    for index, written in enumerate(case.clearances):
        try:
            fields = written.get("send")
            earlier = _Clearance.model_validate((fields if isinstance(fields, dict) else {}) | written)
        except ValidationError as error:
            unread.append(f"clearances.{index}: {error.errors()[0]['type']}")
            continue
        if earlier.of(send):
            did = earlier.did or earlier.decision_id or f"clearances/{index}"
            if clearance is None or clearance.event_id != send.event_id:
                clearance = Cleared(did, earlier.event_id)
    delivered = printed(open_tokens(Keys(settings.load().key_folder).tokens()), send, trusting=True)
    if delivered == "not_checked":
        note("cli.decide_no_key")
    loaded = store.activations.over(loaded)
    plan = Plans(store.reference, loaded, at).of(send, case.checkpoint)
    facts = store.view(send, delivered, at=at, zone=plan.policy.timezone)
    # a case is about one person, so an unreadable part counts as theirs, whatever it names
    facts = msgspec.structs.replace(facts, unreadable=tuple(unread) or facts.unreadable)
    as_of = _milliseconds(case.as_of) if case.as_of else None
    return decide(plan, send, facts, as_of=as_of, clearance=clearance)


def _whose(topic: str, event: _Event, send: dict[str, Any]) -> dict[str, Any]:
    """The value of an event, with the case's person if an ask or an act names nobody.

    A release without `bulk` is of this piece alone, as a case has no other.
    """
    value = event.value or {}
    if topic not in SAID_OF_SENDS:
        return value
    alone = {"bulk": 1} if topic == "acts" and value.get("kind") == "release" else {}
    return {"recipient_id": event.key or send.get("recipient_id"), **alone, **value}


def _written(value: dict[str, Any]) -> bytes:
    """A value as the worker would meet it. orjson writes no number beyond 64 bits, which the codec must judge."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read(content: bytes, *, file: str) -> _CaseFile:
    try:
        jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True)
        return _CaseFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "."
        raise UsageError("error.case_wrong", file=file, place=place, detail=wrong(first)) from None
    except ValueError as error:
        raise UsageError("error.case_not_json", file=file, detail=str(error)) from None


def _reference(value: dict[str, Any], index: int, *, file: str) -> tuple[str, _Event]:
    """A reference record, given as an event of its topic or as its value alone."""
    if "kind" in value:
        return f"reference.{index}", _Event(topic="reference", value=value)
    try:
        return f"reference.{index}", _Event.model_validate({"topic": "reference", **value})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in ("reference", index, *first["loc"]))
        raise UsageError("error.case_wrong", file=file, place=place, detail=wrong(first)) from None


def _milliseconds(written: str) -> int:
    since = datetime.fromisoformat(written) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)
