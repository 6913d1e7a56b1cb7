"""The reference data that decide() looks up: entities, purposes, notices, terms of joint use, batches, templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from gatekeeper.deciding import purposes
from gatekeeper.deciding.purposes import Purposes
from gatekeeper.deciding.versions import Versions
from schemas.codec import canonical
from schemas.events import Batch, Controller, JointUseTerms, Notice, PolicyVersion, Purpose, Register, Template

PURPOSES = "purpose/*"
"""The name of all records of purposes together. Any of them can change the meaning of another."""
Referred = Purpose | Controller | Notice | JointUseTerms | Batch | Template | PolicyVersion | Register


@dataclass(slots=True)
class Reference:
    """Reference data by id. The last record of a key wins, but all records of terms and of purposes stay.

    `digests`: SHA-256 of the record's bytes by `kind/id`; for terms, of all their versions; for purposes, of all
    records with their arrivals.
    `ask`: the template that asks people, None if no registered template may ask.
    """

    controllers: dict[str, Controller] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    terms: dict[str, dict[str, JointUseTerms]] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    ask: Template | None = None
    _versions: dict[str, dict[str, str]] = field(default_factory=dict)
    _purposes: Versions[Purpose] = field(default_factory=Versions)
    _registered: Purposes | None = None

    @property
    def purposes(self) -> Purposes:
        """The registered purposes."""
        if self._registered is None:
            self._registered = purposes.read((one.arrived, one.model) for one in self._purposes)
        return self._registered

    def put(self, model: Referred, value: bytes, arrived: int) -> bytes:
        """Adds one record; the result is the bytes whose hash stands in `digests` for it from now on.

        `arrived`: milliseconds since the epoch when the log took it. Policies and registers only leave a
        digest: FactStore.activations holds the versions.
        """
        key, named = f"{model.kind}/{model.id}", value
        if isinstance(model, JointUseTerms):
            self.terms.setdefault(model.id, {})[str(model.version)] = model
            versions = self._versions.setdefault(key, {})
            versions[str(model.version)] = sha256(value).hexdigest()
            named = canonical(versions)
        elif isinstance(model, Purpose):
            self._purposes.add(model.id, model, value, arrived)
            self._registered = None
            key, named = PURPOSES, self._purposes.named
        elif isinstance(model, Controller):
            self.controllers[model.id] = model
        elif isinstance(model, Notice):
            self.notices[model.id] = model
        elif isinstance(model, Batch):
            self.batches[model.id] = model
        elif isinstance(model, Template):
            self.templates[model.id] = model
            asking = [id_ for id_, template in self.templates.items() if template.ask_complete]
            self.ask = self.templates[min(asking)] if asking else None
        self.digests[key] = sha256(named).hexdigest()
        return named


def place_of(model: Referred) -> str:
    """The key under which a newer record replaces an older one."""
    version = f"/{model.version}" if isinstance(model, JointUseTerms | PolicyVersion) else ""
    return f"{model.kind}/{model.id}{version}"
