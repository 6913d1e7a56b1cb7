"""Events that take a no away: the correction of stops, and the finding that stops are of somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import uuid4

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.staff.signed_acts import takes_away
from schemas.codec import Unreadable, decode, encode
from schemas.events import PersonEvent, Suppression
from schemas.topics import subject_key
from streams.client import signatory
from streams.client.outgoing import Outgoing
from streams.client.publisher import transact
from streams.client.reader import Reader


def stops(reader: Reader) -> Iterator[Suppression]:
    """Yields the stops on file that can be read; raises as `Reader.read` does."""
    for record in reader.read("suppressions"):
        try:
            stop: Suppression = decode("suppressions", record.key, record.value)
        except Unreadable:
            continue
        yield stop


def corrected(reader: Reader, ids: Sequence[str], *, by: str, evidence: str, at: str) -> list[Suppression]:
    """The corrections of these stops, one for each person or token and scope that a stop of the id names.

    Raises UsageError (2) for an id of which no stop is there. An erasure is taken back by `gatekeeper readmit` alone.
    The correction of its rejected row names nobody: it closes the duty, and the erasure binds on as written.
    """
    made: dict[tuple[str, bytes], Suppression] = {}
    for stop in stops(reader):
        if stop.suppression_id in ids and (stop.kind != "erasure" or stop.row == "rejected") and not takes_away(stop):
            state = "rejected" if stop.kind == "cessation" else "corrected"
            said = {"state": state, "received_at": at, "recorded_at": None, "effective_at": None}
            whom = {"token": None, "recipient_id": None, "readings": ()} if stop.kind == "erasure" else {}
            correction = stop.model_copy(update={**said, **whom, "by": by, "evidence_ref": evidence})
            made[stop.suppression_id, encode(correction)] = correction
    if unknown := [id_ for id_ in ids if all(id_ != known for known, _ in made)]:
        raise UsageError("error.stop_unknown", ids=", ".join(unknown))
    return list(made.values())


def of_another(recipient_id: str, ids: Sequence[str], *, by: str, evidence: str, at: str) -> PersonEvent:
    """The finding that these stops are of somebody else than the person."""
    return PersonEvent(
        v=1,
        kind="identity_resolved",
        recipient_id=recipient_id,
        record_id=f"look-{uuid4().hex}",
        at=at,
        by=by,
        evidence_ref=evidence,
        of=tuple(ids),
    )


def write(settings: Settings, events: Sequence[Suppression | PersonEvent]) -> None:
    """Writes the events with the signature of whoever's key the settings name, all or nothing."""
    records = [_outgoing(event) for event in events]
    transact(settings, records, signatory=signatory.of(settings, ("acts",)))


def _outgoing(event: Suppression | PersonEvent) -> Outgoing:
    if isinstance(event, PersonEvent):
        return Outgoing("consents", event.recipient_id.encode(), encode(event))
    return Outgoing("suppressions", subject_key("suppressions", event).encode(), encode(event))
