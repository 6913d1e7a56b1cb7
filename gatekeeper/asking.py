"""A person asked: the request that goes to `confirmations`, and what is remembered of it (J.8.7)."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from gatekeeper import memory
from gatekeeper.case import route
from gatekeeper.decide import Decision
from gatekeeper.judge import Output
from gatekeeper.known import Facts, judged
from gatekeeper.memory import Entry
from gatekeeper.reference import Reference
from gatekeeper.spans import instant
from schemas.codec import encode
from schemas.events import Ask, Send


class Asked(NamedTuple):
    """What an ask puts out, and what of it is remembered."""

    outputs: tuple[Output, ...]
    entries: tuple[Entry, ...]


def request(send: Send, facts: Facts, reference: Reference, decision: Decision, *, item: str, id_: str) -> Asked | None:
    """Returns the request to the person of a withheld send, None where the person may not be asked about it now.

    `decision`: of this moment; it says `confirm` only where nothing bars asking. `item`: the decision id of the
    withheld send, `id_`: that of the act, which becomes the request's id.
    """
    source = next((one for one in facts.sources if one.source_id == decision.basis), None)
    template = reference.ask
    if decision.verdict != "confirm" or source is None or template is None:
        return None
    ask = Ask(
        v=1,
        kind="ask",
        request_id=id_,
        recipient_id=send.recipient_id,
        source_id=source.source_id,
        channel=send.channel,
        template_id=template.id,
        stated_route=route(source),
        at=instant(decision.at),
        contact_point=send.contact_point,
        campaign_id=send.campaign_id,
        controller_id=send.controller_id,
        decision_id=item,
    )
    value = encode(ask)
    said, _ = judged("confirmations", value)
    headers = (("gate-decision-id", id_.encode()),)
    output = Output("confirmations", send.recipient_id.encode(), value, headers)
    return Asked((output,), (memory.ask(send.recipient_id, id_, orjson.loads(said)),))
