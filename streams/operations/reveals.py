"""Personal data shown to a person: the act with their id is recorded before anything is shown."""

from __future__ import annotations

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from schemas.codec import encode
from schemas.events import TopicAct
from schemas.topics import subject_key
from streams.client.fact_with_act import Pair, made
from streams.client.publisher import Publisher


def write(settings: Settings, topic: str, *, by: str) -> Pair:
    """Writes the act of a person who reads a topic (registry name) in full; it is acknowledged, without a fact.

    `by`: the id of that person. Raises UnavailableError (3) without an acknowledgement. Raises UsageError (2) for a
    `by` that is no staff id, or without the right to write acts. Then nothing may be shown.
    """
    act = made(TopicAct, "reveal_topic", by=by, subject=f"topic/{topic}")
    with Publisher(settings, "acts") as out:
        (place,) = out.write([(subject_key("acts", act).encode(), encode(act))])
    if place is None:
        raise UnavailableError("error.reveal_unwritten", broker=settings.bootstrap)
    return Pair(act.act_id, (), (place,))
