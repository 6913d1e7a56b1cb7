"""A clearance called back: what goes out on `recalls`, and what is forgotten with it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gatekeeper.judge import Output
from gatekeeper.memory import Clearance, Entry
from gatekeeper.spans import instant
from schemas.codec import encode
from schemas.events import Recall


def recall_id(clearance: str) -> str:
    """Returns the id of the recall of a clearance, from the clearance's decision id alone: there is one at most."""
    return sha256(f"gate/recall/1\0{clearance}".encode()).hexdigest()[:32]


def recall(clearance: Clearance, *, id_: str, at: int, reasons: Iterable[str] = ()) -> tuple[Output, Entry]:
    """Returns the recall of a live clearance, and what takes it out of the memory: both in one transaction.

    `id_`: the decision or act that calls it back. `at`: milliseconds. `reasons`: why it does not stand.
    """
    send = clearance.send
    value = Recall(
        v=1,
        recall_id=recall_id(clearance.did),
        recipient_id=send.recipient_id,
        campaign_id=send.campaign_id,
        channel=send.channel,
        decision_id=clearance.did,
        event_id=send.event_id,
        at=instant(at),
        reasons=tuple(reasons),
        mail_date=send.mail_date,
    )
    headers = (("gate-decision-id", id_.encode()),)
    return Output("recalls", send.recipient_id.encode(), encode(value), headers), Entry(clearance.key, None)
