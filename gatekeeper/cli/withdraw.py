"""`gatekeeper withdraw`: a person's consent taken back, binding from its acknowledgement."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import click
from pydantic import ValidationError

from gatekeeper.cli.output import json_option, show_json, show_table
from gatekeeper.errors import UsageError
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from schemas.codec import Unreadable, decode, encode
from schemas.events import Consent, Controller
from schemas.values import Channel
from streams.client import Reader
from streams.publisher import Outgoing, transact

_OPTIONS = {"recipient_id": "RECIPIENT", "controller_id": "--controller", "purpose": "--purpose", "event_time": "--at"}


@click.command("withdraw", help=text("cli.withdraw"))
@click.argument("recipient")
@click.option("--controller", "controllers", multiple=True, help=text("cli.withdraw_controller"))
@click.option("--purpose", default="*", show_default=True, help=text("cli.withdraw_purpose"))
@click.option(
    "--channel", "channels", multiple=True, type=click.Choice(get_args(Channel)), help=text("cli.withdraw_channel")
)
@click.option("--at", help=text("cli.withdraw_at"))
@json_option
def command(
    recipient: str,
    controllers: tuple[str, ...],
    purpose: str,
    channels: tuple[Channel, ...],
    at: str | None,
    as_json: bool,
) -> None:
    """Writes a Withdrawn event for each controller, all of them or none."""
    settings = load()
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"purpose": purpose, "channels": channels or "*", "event_time": at, "recorded_at": now}
    _event(recipient, controllers[0] if controllers else "any", **said)  # refused before any broker is asked
    chosen = sorted(set(controllers)) or _known_controllers(settings)
    events = [_event(recipient, controller, **said) for controller in chosen]
    places = transact(settings, [Outgoing("consents", recipient.encode(), encode(event)) for event in events])
    rows = [
        {
            "controller_id": event.controller_id,
            "record_id": event.record_id,
            "topic": settings.topic(place.topic),
            "partition": place.partition,
            "offset": place.offset,
        }
        for event, place in zip(events, places, strict=True)
    ]
    if as_json:
        show_json({"recipient_id": recipient, "purpose": purpose, "channels": said["channels"], "acknowledged": rows})
        return
    click.echo(text("cli.withdraw_done", count=len(rows)))
    show_table(
        ("cli.column_controller", "cli.column_place"),
        [(row["controller_id"], f"{row['topic']}/{row['partition']}/{row['offset']}") for row in rows],
    )


def _event(recipient: str, controller: str, **said: Any) -> Consent:
    try:
        return Consent(
            v=1,
            kind="consent",
            record_id=uuid4().hex,
            recipient_id=recipient,
            controller_id=controller,
            state="Withdrawn",
            expressed_by="subject",
            method="cli",
            **said,
        )
    except ValidationError as error:
        place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
    # an id that is refused may be an address or a number: it is not said again
    if place == "recipient_id":
        raise UsageError("error.recipient_invalid")
    raise UsageError("error.option_invalid", option=_OPTIONS.get(place, place))


def _known_controllers(settings: Settings) -> list[str]:
    """Returns every controller that `reference` names, also one whose record cannot be read."""
    found = set()
    with Reader(settings) as reader:
        for record in reader.read("reference"):
            try:
                value = decode("reference", record.key, record.value)
            except Unreadable:
                kind, _, name = (record.key or b"").decode("utf-8", "replace").partition("/")
                if kind == "controller" and name:
                    found.add(name)
            else:
                if isinstance(value, Controller):
                    found.add(value.id)
    if not found:
        raise UsageError("error.controller_unknown", topic=settings.topic("reference"))
    return sorted(found)
