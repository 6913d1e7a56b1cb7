"""`gatekeeper source`: the lists that people's data came from, frozen where one turns out to be wrong."""

from __future__ import annotations

import click

from gatekeeper.cli.amended import told
from gatekeeper.cli.output import json_option
from gatekeeper.cli.who import by_option, evidence_option, person
from gatekeeper.errors import UsageError
from gatekeeper.settings import Settings, load
from gatekeeper.texts import text
from schemas.codec import Unreadable, decode
from schemas.events import Batch
from streams import pairs
from streams.client import Reader
from streams.pairs import Stored


@click.group("source", help=text("cli.source"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("quarantine", help=text("cli.source_quarantine"))
@click.argument("batch")
@click.option("--reason", required=True, help=text("cli.act_reason"))
@evidence_option
@by_option
@json_option
def quarantine(batch: str, reason: str, evidence: str | None, by: str | None, as_json: bool) -> None:
    """Writes the batch's record as quarantined, and the act; exit 1 where somebody else changed it meanwhile."""
    settings = load()
    who = person(settings, by)
    act = pairs.act("quarantine", by=who, subject=f"batch/{batch}", reason=reason, evidence_ref=evidence)
    told(settings, _batch(settings, batch), act, as_json, state="quarantined")


def _batch(settings: Settings, id_: str) -> Stored[Batch]:
    """Returns what is known of a batch; one that only sources name can be frozen too, one that nothing names cannot."""
    with Reader(settings) as reader:
        found = pairs.newest(reader, Batch, id_)
        if found is not None:
            return found
        for record in reader.read("sources"):
            try:
                if decode("sources", record.key, record.value).batch_id == id_:
                    return Stored(Batch(v=1, kind="batch", id=id_), None)
            except Unreadable:
                continue
    raise UsageError("error.batch_absent", batch=id_)
