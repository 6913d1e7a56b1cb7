"""The reference data that decide() looks up: legal entities, notices, terms of joint use, list batches, templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from schemas.codec import canonical
from schemas.events import Batch, Controller, JointUseTerms, Notice, PolicyVersion, Register, Template

Referred = Controller | Notice | JointUseTerms | Batch | Template | PolicyVersion | Register


@dataclass(slots=True)
class Reference:
    """Reference data by id. The last record of a key wins, but every version of terms of joint use stays.

    `digests`: SHA-256 of the record's bytes by `kind/id`; for terms, of all their versions.
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

    def put(self, model: Referred, value: bytes, arrived: int) -> None:
        """Adds one record. Policies and registers only leave a digest: FactStore.activations holds the versions.

        `arrived`: milliseconds since the epoch when the log took the record.
        """
        key, digest = f"{model.kind}/{model.id}", sha256(value).hexdigest()
        if isinstance(model, JointUseTerms):
            self.terms.setdefault(model.id, {})[str(model.version)] = model
            versions = self._versions.setdefault(key, {})
            versions[str(model.version)] = digest
            digest = sha256(canonical(versions)).hexdigest()
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
        self.digests[key] = digest


def place_of(model: Referred) -> str:
    """The key under which a newer record replaces an older one."""
    version = f"/{model.version}" if isinstance(model, JointUseTerms | PolicyVersion) else ""
    return f"{model.kind}/{model.id}{version}"
