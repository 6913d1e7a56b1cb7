"""The job of every peer: parse a send, look up the person's consent, do ten checks, and make two records.

It is far less than the gate does. It has one consent a person, read once, and no live facts, no ledger, no proof.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

import orjson
from confluent_kafka import Consumer, TopicPartition
from pydantic import BaseModel, ConfigDict, TypeAdapter

BOOTSTRAP, GROUP = os.environ.get("PEER_BOOTSTRAP", ""), os.environ.get("PEER_GROUP", "")
SENDS, CONSENTS, CLEARED, REVIEW, AUDIT = (
    os.environ.get(f"PEER_{name}", "") for name in ("SENDS", "CONSENTS", "CLEARED", "REVIEW", "AUDIT")
)
PARTITIONS = int(os.environ.get("PEER_PARTITIONS", "4"))
BATCH = 4_000
"""Sends of one transaction at most."""


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Delivery(_Fields):
    """Name and address on the piece."""

    name: str | None = None
    postcode: str | None = None
    lines: list[str] = []


class Send(_Fields):
    """One piece of direct mail, as the peers see it."""

    event_id: str
    recipient_id: str
    campaign_id: str
    controller_id: str
    purpose: str
    channel: Literal["postal", "email", "sms", "phone", "fax", "push", "visit", "social"]
    message_class: str
    mail_date: date
    delivery: Delivery


class Consent(_Fields):
    """The newest consent of a person."""

    recipient_id: str
    state: Literal["given", "withdrawn"]
    purposes: list[str]
    channels: list[str]
    until: date


class Answer(NamedTuple):
    """Topic and value for whoever mails, and the record for the audit."""

    topic: str
    out: bytes
    audit: bytes


_send, _consent = TypeAdapter(Send).validate_json, TypeAdapter(Consent).validate_json


def process(value: bytes, consent: bytes | None) -> Answer:
    """The answer to one send; raises ValidationError for one that cannot be read."""
    send = _send(value)
    known = _consent(consent) if consent else None
    reason = refusal(send, known)
    record = {
        "event_id": send.event_id,
        "recipient_id": send.recipient_id,
        "campaign_id": send.campaign_id,
        "verdict": "review" if reason else "clear",
        "reason": reason or "all_checks_passed",
        "purpose": send.purpose,
        "channel": send.channel,
        "mail_date": send.mail_date,
    }
    audit = orjson.dumps(record)
    if reason is None:
        return Answer(CLEARED, value, audit)
    return Answer(REVIEW, b'{"reason":"' + reason.encode() + b'","send":' + value + b"}", audit)


def refusal(send: Send, consent: Consent | None) -> str | None:
    """The first of ten checks that fails, None if all pass."""
    checks = (
        ("no_consent", consent is None),
        ("withdrawn", consent is not None and consent.state != "given"),
        ("purpose", consent is not None and send.purpose not in consent.purposes),
        ("channel", consent is not None and send.channel not in consent.channels),
        ("expired", consent is not None and consent.until <= send.mail_date),
        ("other_person", consent is not None and consent.recipient_id != send.recipient_id),
        ("no_name", not send.delivery.name),
        ("no_address", not send.delivery.lines),
        ("no_campaign", not send.campaign_id),
        ("class", send.message_class not in ("marketing", "service")),
    )
    return next((name for name, failed in checks if failed), None)


def consents() -> Mapping[bytes, bytes]:
    """Every consent of the topic, read whole once."""
    reader = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": f"{GROUP}-table", "enable.partition.eof": True})
    reader.assign([TopicPartition(CONSENTS, number, 0) for number in range(PARTITIONS)])
    found, ends = {}, 0
    while ends < PARTITIONS:
        for message in reader.consume(5_000, 1.0):
            if message.error():
                ends += 1
            else:
                found[message.key()] = message.value()
    reader.close()
    return found


class Ended:
    """Tells whether SIGTERM has come."""

    def __init__(self) -> None:
        self.now = False
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self.now = True
