"""`gatekeeper withdraw`: a person's consent taken back, binding from its acknowledgement."""

from __future__ import annotations

from typing import Any, get_args
from uuid import uuid4

import click
from pydantic import ValidationError

from gatekeeper.cli.amended import controllers
from gatekeeper.cli.output import json_option, show_json, show_table
from gatekeeper.cli.who import by_option, evidence_option, person
from gatekeeper.errors import UsageError
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from schemas.codec import encode
from schemas.events import Consent
from schemas.values import Channel
from streams import pairs
from streams.client import Reader
from streams.publisher import Outgoing

_OPTIONS = {"recipient_id": "RECIPIENT", "controller_id": "--controller", "purpose": "--purpose", "event_time": "--at"}


UNNAMED = "unnamed"
"""Who entered a withdrawal where nobody says: a stop is not refused for want of a name."""


@click.command("withdraw", help=text("cli.withdraw"))
@click.argument("recipient")
@click.option("--controller", "controllers", multiple=True, help=text("cli.withdraw_controller"))
@click.option("--purpose", default="*", show_default=True, help=text("cli.withdraw_purpose"))
@click.option(
    "--channel", "channels", multiple=True, type=click.Choice(get_args(Channel)), help=text("cli.withdraw_channel")
)
@click.option("--at", help=text("cli.withdraw_at"))
@click.option("--reason", default="", help=text("cli.act_reason"))
@evidence_option
@by_option
@json_option
def command(
    recipient: str,
    controllers: tuple[str, ...],
    purpose: str,
    channels: tuple[Channel, ...],
    at: str | None,
    reason: str,
    evidence: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    """Writes a Withdrawn event for each controller and the act that says who entered them, all of it or nothing."""
    settings = load()
    who = person(settings, by or settings.user or UNNAMED)
    act = pairs.act("withdraw", by=who, recipient_id=recipient, reason=reason, evidence_ref=evidence)
    said = {"purpose": purpose, "channels": channels or "*", "event_time": at, "recorded_at": act.at}
    _event(recipient, controllers[0] if controllers else "any", **said)  # refused before any broker is asked
    chosen = sorted(set(controllers)) or _known_controllers(settings)
    events = [_event(recipient, controller, **said) for controller in chosen]
    facts = [Outgoing("consents", recipient.encode(), encode(event)) for event in events]
    pair = pairs.write(settings, facts, act)
    rows = [
        {
            "controller_id": event.controller_id,
            "record_id": event.record_id,
            "topic": settings.topic(place.topic),
            "partition": place.partition,
            "offset": place.offset,
        }
        for event, place in zip(events, pair.facts, strict=True)
    ]
    if as_json:
        told = {"recipient_id": recipient, "purpose": purpose, "channels": said["channels"], "acknowledged": rows}
        show_json({**told, "act_id": pair.act_id, "by": who})
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
    with Reader(settings) as reader:
        found = controllers(reader)
    if not found:
        raise UsageError("error.controller_unknown", topic=settings.topic("reference"))
    return found
