"""The data that records name by hash, read from the topics: policies, reference data, and the people who sign."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from gatekeeper.audit.checks.trail import PersonLine
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.policy import packs
from schemas.codec import Unreadable, decode
from schemas.events import PolicyVersion, Signature, Staff
from schemas.topics import subject_key
from streams.client.reader import Reader


class HashedRecords:
    """The live form of `gatekeeper.audit.checks.trail.Named`: the shipped policies, and what `reference` keeps.

    Raises UnavailableError (3) without a broker.
    """

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.people: list[PersonLine] = []
        """The records `staff`, `signature` and `policy`."""
        self.log = ReferenceLog(settings.group, settings.founder)
        """The records of `reference` that count."""
        self.counting: dict[str, Any] = {}
        """The newest record that counts of each name KIND/ID."""
        self._policies = packs.shipped_bytes()
        self._reference: dict[str, bytes] = {}
        for record in reader.read("reference"):
            value = record.value or b""
            self._reference[sha256(value).hexdigest()] = value
            try:
                model = decode("reference", record.key, value)
                if isinstance(model, PolicyVersion) and model.toml is not None:
                    self._policies[sha256(model.toml.encode()).hexdigest()] = model.toml.encode()
                counted = self.log.take(record, model)
                if isinstance(model, Staff | Signature | PolicyVersion):
                    self.people.append(PersonLine(record.partition, record.offset, record.timestamp, value))
            except Unreadable:
                continue
            if counted is not None:
                self.counting[subject_key("reference", counted.model)] = counted.model
                self._reference[sha256(counted.named).hexdigest()] = counted.named

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version that is shipped or was put in force, by their SHA-256 in hex."""
        return self._policies.get(sha256)

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record that `reference` keeps, or of the list that names versions, by SHA-256 in hex."""
        return self._reference.get(sha256)
