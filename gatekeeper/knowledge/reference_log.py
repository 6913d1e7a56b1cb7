"""The records of `reference` that count, in the order in which they came to count (docs/adr/0044-people-and-keys.md).

A record counts once enough managers signed it, from the arrival of the last signature. Until then the record before it
holds. Records from before the first person count unsigned.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

from gatekeeper.deciding.chains import names_of
from gatekeeper.deciding.reference import PHRASES, PURPOSES, Reference, Referred
from gatekeeper.ground.tables import Table
from gatekeeper.knowledge.feeds import Feeds
from gatekeeper.policy.activation import Activations, Order
from gatekeeper.staff.endorsements import Endorsements
from gatekeeper.staff.endorsements import Referred as Taken
from gatekeeper.staff.roster import Roster
from schemas.codec import canonical
from schemas.events import Campaign, Copy, Feed, NosResolution, PolicyVersion, Resolution, Send, Signature, Staff
from schemas.record import Record

DIGESTS = 4096
"""Combinations of reference data whose digests are kept: a campaign and the companies of its people make few."""
OtherRecord = Resolution | NosResolution | Staff | Copy | Campaign | Feed
"""Records of the topic that are no reference data of a decision."""


class Counted(NamedTuple):
    """A record that counts from now on. `named`: the bytes whose hash names it in snapshots from now on.

    `signed`: False for one from before the first person, which counts without a signature.
    """

    model: Referred | OtherRecord
    value: bytes
    named: bytes
    signed: bool


class ReferenceLog:
    """Fold of `reference`: reference data, policies and people in force.

    `origin`: the name of the log (`Settings.group`); a signature for another log counts for nothing. Empty where no
    record has a signature, as in case files. `founder`: as of `Endorsements`. `closed`: as of `Feeds`.
    """

    def __init__(self, origin: str = "", founder: str = "", closed: Table | None = None) -> None:
        self.feeds = Feeds(closed)
        """The registered feeds, and up to when each told everything."""
        self.reference = Reference()
        self.activations = Activations()
        self.policies: dict[Order, PolicyVersion] = {}
        """The records of policies that count, by the place from which they do."""
        self.endorsements: Endorsements[tuple[Referred | OtherRecord, bytes]] = Endorsements(origin, founder)
        self._taken: list[tuple[Record, Any]] = []
        self._unread: dict[Order, tuple[Record, frozenset[str]]] = {}
        self._digests: dict[tuple[str, str, str | None, bool, tuple[str, ...]], bytes] = {}

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.endorsements.origin

    @property
    def read(self) -> int:
        """The number of records taken."""
        return len(self._taken)

    @property
    def roster(self) -> Roster:
        """The people in force."""
        return self.endorsements.roster

    def take(self, record: Record, model: Referred | OtherRecord | Signature) -> Counted | None:
        """Takes the next record. The result is the record that counts from now on: this one, or one signed by it.

        Raises Unreadable for a policy that cannot be read; nothing has changed then.
        """
        self._digests.clear()
        value = record.value or b""
        if isinstance(model, PolicyVersion):
            self.activations.demand(model)
        self._taken.append((record, model))
        payload: tuple[Referred | OtherRecord, bytes] = (model, value)  # type: ignore[assignment]
        fields = model.model_dump(mode="json", by_alias=True, exclude_none=True)
        name = f"{model.kind}/{model.id}"
        place = record.partition, record.offset
        taken = Taken(place, record.timestamp, name, sha256(value).hexdigest(), fields, payload)
        standing = self.endorsements.take(taken)
        if standing is None:
            return None
        counted, bytes_ = standing.record.payload
        if isinstance(counted, Feed):
            self.feeds.register(counted, standing.arrived)
        if isinstance(counted, OtherRecord):
            return Counted(counted, bytes_, bytes_, standing.signed)
        if isinstance(counted, PolicyVersion):
            self.activations.put(standing.order, counted, standing.arrived)
            self.policies[standing.order] = counted
        return Counted(counted, bytes_, self.reference.put(counted, bytes_, standing.arrived), standing.signed)

    def unread(self, record: Record, names: frozenset[str]) -> bool:
        """Takes an unreadable record with the names in it. True if it bars by these, as nobody could sign it."""
        order = record.partition, record.offset
        self._unread[order] = record, names
        return self.endorsements.unread(order, names, sha256(record.value or b"").hexdigest())

    @property
    def signed_unread(self) -> list[tuple[Record, str]]:
        """The unreadable records that a manager signed, each with the name that was signed."""
        return [(self._unread[order][0], name) for order, name in self.endorsements.unread_signed.items()]

    def digests(self, send: Send, named: tuple[str, ...]) -> bytes:
        """The digests of the reference data that a send and its person name, of purposes, and of the ask template.

        Of a selected audience also those of phrases, once there are any.

        `named`: by the person's facts, as kind/id. The result is canonical JSON.
        """
        ground = send.ground if send.message_class == "safety_legal" else None
        by_phrases = bool(send.audience) and PHRASES in self.reference.digests
        terms = send.controller_id, send.template_id, ground, by_phrases, named
        digests = self._digests.get(terms)
        if digests is None:
            keys = {f"controller/{send.controller_id}", f"template/{send.template_id}", PURPOSES, *named}
            keys.update({f"ground/{ground}"} if ground else ())
            listed = (name.removeprefix("batch/") for name in named if name.startswith("batch/"))
            keys.update(names_of(check for id_ in listed for check in self.reference.checks(id_)))
            keys.update({f"template/{self.reference.ask.id}"} if self.reference.ask else ())
            keys.update({PHRASES} if by_phrases else ())
            digests = canonical({key: self.reference.digests.get(key) for key in keys})
            if len(self._digests) >= DIGESTS:
                self._digests.clear()
            self._digests[terms] = digests
        return digests

    def over(self, closed: Table) -> ReferenceLog:
        """The same records, with other deliveries of feeds."""
        log = copy(self)
        log.feeds = self.feeds.over(closed)
        return log

    def arrived(self, first: Mapping[int, int]) -> ReferenceLog:
        """The same log, its copied records at their first arrivals. `first`: arrivals in milliseconds by offset."""
        log = ReferenceLog(self.origin, self.endorsements.founder, self.feeds.closed)
        for record, content in sorted(
            (*self._taken, *self._unread.values()), key=lambda pair: (pair[0].partition, pair[0].offset)
        ):
            dated = replace(record, timestamp=first.get(record.offset, record.timestamp))
            if isinstance(content, frozenset):
                log.unread(dated, content)
            else:
                log.take(dated, content)
        log.activations.follow(self.activations)
        return log
