"""The nos on file: those that reach other ids, rows of lists that bind too little, and corrections by person."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import orjson

from gatekeeper.ground.times import instant
from gatekeeper.knowledge.store import FactStore
from gatekeeper.staff.roles import person
from gatekeeper.staff.signed_acts import correctors, takes_away
from schemas.codec import Unreadable, decode
from schemas.events import PersonEvent, Suppression
from schemas.record import Record

NOBODY = ""
"""In place of a person, for a correction that nobody signed."""


class Nos:
    """The nos as they stand, and the corrections that came within a period (`since` to `to`, in milliseconds).

    `store`: takes the facts; it knows the people on record already.
    """

    def __init__(self, store: FactStore, since: int, to: int) -> None:
        self.store = store
        self._since, self._to = since, to
        self._corrections: dict[str, Counter[str]] = defaultdict(Counter)

    def take(self, record: Record) -> None:
        """Adds a record of a fact topic; the order of the topics does not matter."""
        self.store.apply(record)
        if record.topic not in ("suppressions", "consents"):
            return
        try:
            event = decode(record.topic, record.key, record.value)
        except Unreadable:
            return
        if takes_away(event):
            self._correction(record, event)

    def told(self) -> dict[str, Any]:
        """The section `nos` of the report."""
        return {
            "people_of_another": self.store.people_of_another,
            "rows": dict(self.store.row_counts),
            "duties": [
                {"id": duty.id, "since": instant(duty.since), "kind": duty.kind, "lacks": duty.lacks}
                for duty in sorted(
                    self.store.stop_rows.duties(self.store.log), key=lambda duty: (duty.since, duty.id, duty.kind)
                )
            ],
            "corrections": [
                {
                    "by": by or None,
                    **{kind: self._corrections[by][kind] for kind in ("stops", "of_another", "returned")},
                }
                for by in sorted(self._corrections)
            ],
        }

    def _correction(self, record: Record, event: Suppression | PersonEvent) -> None:
        signers = correctors(
            record, orjson.loads(record.value or b"{}"), roster=self.store.log.roster, origin=self.store.log.origin
        )
        if not self._since <= record.timestamp < self._to:
            return
        returned = isinstance(event, PersonEvent) and event.kind == "undeliverable_resolved"
        kind = "returned" if returned else "stops" if isinstance(event, Suppression) else "of_another"
        named = event.by if isinstance(event.by, str) else None
        for by in signers.staff or ({person(named)} if returned and named else {NOBODY}):
            self._corrections[by][kind] += 1
