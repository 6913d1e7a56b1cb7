"""The reference data that decide() looks up: entities, purposes, notices, terms of joint use, batches, templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from gatekeeper.deciding import purposes
from gatekeeper.deciding.purposes import Purposes
from gatekeeper.deciding.versions import Versions, in_force
from schemas.events import (
    AudiencePhrase,
    Batch,
    Controller,
    Ground,
    JointUseTerms,
    Notice,
    PolicyVersion,
    Provider,
    ProviderCheck,
    Purpose,
    PurposeResolution,
    Register,
    Template,
    VersionResolution,
)

PURPOSES = "purpose/*"
"""The name of all records of purposes together. Any of them can change the meaning of another."""
PHRASES = "audience_phrase/*"
"""The name of all records of phrases of audiences together."""
Versioned = Notice | JointUseTerms | Batch | Template
Referred = (
    Versioned
    | VersionResolution
    | PurposeResolution
    | Purpose
    | Controller
    | PolicyVersion
    | Register
    | Ground
    | Provider
    | AudiencePhrase
)
FLAGS = frozenset({"leak", "confidential", "card"})
"""The flags of a list that a rule reads: it has an unlawful origin."""
M = TypeVar("M", Notice, JointUseTerms, Batch, Template)


class Since(NamedTuple):
    """The arrival of a company's first record, in milliseconds. `by_two`: two managers stand for one of its records."""

    arrived: int
    by_two: bool


@dataclass(slots=True)
class Reference:
    """Reference data by id. Notices, terms, batches and templates keep every version (rule 7.5.23).

    `digests`: SHA-256 by `kind/id`; of the record's bytes, or of all its versions, resolutions and arrivals. Of notices
    and terms it is always the latter: a wide purpose covers what was registered by then (rule 8.2.45). So it is of a
    list in `flagged`.
    `companies`: since when each controller is registered. `left`: the groups that each has left by the record of one
    manager, with the arrival of that record.
    `ask`: the template that asks people, None if no registered template may ask. `grounds`: the ids of the grounds on
    record. `providers`: the companies in the chains of checks. `flagged`: the lists with a flag that no rule reads, and
    its arrival (milliseconds).
    """

    controllers: dict[str, Controller] = field(default_factory=dict)
    companies: dict[str, Since] = field(default_factory=dict)
    left: dict[str, dict[str, int]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    ask: Template | None = None
    grounds: set[str] = field(default_factory=set)
    providers: dict[str, Provider] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)
    terms: dict[str, Versions[JointUseTerms]] = field(default_factory=dict)
    _notices: dict[str, Versions[Notice]] = field(default_factory=dict)
    _batches: dict[str, Versions[Batch]] = field(default_factory=dict)
    _templates: dict[str, Versions[Template]] = field(default_factory=dict)
    _purposes: Versions[Purpose] = field(default_factory=Versions)
    _phrases: Versions[AudiencePhrase] = field(default_factory=Versions)
    _told: set[str] = field(default_factory=set)
    _registered: Purposes | None = None
    revision: int = 0
    """Number of records that were put."""

    @property
    def purposes(self) -> Purposes:
        """The registered purposes."""
        if self._registered is None:
            self._registered = purposes.read(
                ((version.arrived, version.model) for version in self._purposes), self._told
            )
        return self._registered

    def phrases(self, at: int) -> frozenset[str]:
        """The phrases of audiences that two managers registered by an instant (microseconds)."""
        return frozenset(phrase.phrase for phrase in self.audience_phrases(at))

    def audience_phrases(self, at: int) -> list[AudiencePhrase]:
        """Their records, the newest of each id."""
        return [*{one.model.id: one.model for one in self._phrases if one.arrived * 1000 <= at}.values()]

    @property
    def templates(self) -> Mapping[str, Template]:
        """The newest version of each template, by id."""
        return {id_: versions.binding[-1].model for id_, versions in self._templates.items()}

    def notice(self, id_: str, when: int | None) -> Notice | None:
        """The version of a notice in force at an instant (microseconds); None as instant = undated.

        A notice that any version calls invalid stays so. A legacy form is accepted only by a resolution that names its
        version. A resolution of a version that no longer calls it invalid ends that.
        """
        versions = self._notices.get(id_)
        if versions is None:
            return None
        binding = versions.binding
        notice = in_force(binding, when).model
        if len(binding) == 1 and not notice.accepted_legacy:
            return notice
        invalidated = next((version.model.invalidated_at for version in binding if version.model.invalidated_at), None)
        legacy = bool(notice.accepted_legacy and versions.resolved and notice is binding[0].model)
        if (invalidated, legacy) == (notice.invalidated_at, bool(notice.accepted_legacy)):
            return notice
        return notice.model_copy(update={"invalidated_at": invalidated, "accepted_legacy": legacy})

    def notice_arrived(self, id_: str, when: int | None) -> int:
        """The arrival (milliseconds) of the version of a notice that `notice` gives; raises LookupError without one."""
        return in_force(self._notices[id_].binding, when).arrived

    def companies_of(self, names: Iterable[str]) -> set[str]:
        """The companies whose notices are among these records (`kind/id`), in any version."""
        ids = (name.removeprefix("notice/") for name in names if name.startswith("notice/"))
        return {version.model.controller_id for id_ in ids for version in self._notices.get(id_, ())}

    def template(self, id_: str, when: int | None) -> Template | None:
        """The version of a template in force at an instant (microseconds)."""
        versions = self._templates.get(id_)
        return in_force(versions.binding, when).model if versions else None

    def batch(self, id_: str) -> Batch | None:
        """The newest version of a batch, with the flags of all versions since the last resolution."""
        versions = self._batches.get(id_)
        if versions is None:
            return None
        newest = versions.binding[-1].model
        flags = tuple(sorted({flag for version in versions.binding for flag in version.model.flags}))
        return newest if len(flags) == len(newest.flags) else newest.model_copy(update={"flags": flags})

    def checks(self, id_: str) -> list[ProviderCheck]:
        """The checks of a batch's provider in all its versions."""
        versions = self._batches.get(id_)
        return [version.model.check for version in versions.binding if version.model.check] if versions else []

    def put(self, model: Referred, value: bytes, arrived: int) -> bytes:
        """Adds one record; the result is the bytes whose hash stands in `digests` for it from now on.

        `arrived`: milliseconds since the epoch when the log took it. Policies and registers only leave a digest:
        FactStore.activations holds the versions.
        """
        key, content = f"{model.kind}/{model.id}", value
        self.revision += 1
        match model:
            case PurposeResolution():
                if not model.by_two:
                    return value
                self._told.add(model.of.partition("/")[2])
                self._purposes.note(value, arrived)
                self._registered = None
                key, content = PURPOSES, self._purposes.listed
            case VersionResolution():
                versions = self._of(model.of)
                if versions is None or not model.by_two:
                    return value
                versions.resolve(model.version, value, arrived)
                self._read_flags(model.of.removeprefix("batch/"))
                key, content = model.of, versions.named
            case Purpose():
                self._purposes.add(model.id, model, value, arrived)
                self._registered = None
                key, content = PURPOSES, self._purposes.listed
            case AudiencePhrase():
                if not model.by_two:
                    return value
                self._phrases.add(model.id, model, value, arrived)
                key, content = PHRASES, self._phrases.listed
            case Controller():
                before = self.controllers.get(model.id)
                if model.by_two:
                    self.left.pop(model.id, None)
                elif before and before.group and before.group != model.group:
                    self.left.setdefault(model.id, {})[before.group] = arrived
                self.controllers[model.id] = model
                had = self.companies.get(model.id, Since(arrived, by_two=False))
                self.companies[model.id] = Since(min(had.arrived, arrived), had.by_two or model.by_two)
            case Ground():
                self.grounds.add(model.id)
            case Provider():
                if not model.by_two:
                    return value
                self.providers[model.id] = model
            case JointUseTerms():
                content = _kept(self.terms, model, value, arrived).listed
            case Notice():
                content = _kept(self._notices, model, value, arrived).listed
            case Batch():
                versions = _kept(self._batches, model, value, arrived)
                self._read_flags(model.id)
                content = versions.listed if model.id in self.flagged else versions.named
            case Template():
                content = _kept(self._templates, model, value, arrived).named
        if key.startswith("template/"):
            asking = {id_: template for id_, template in self.templates.items() if template.ask_complete}
            self.ask = asking[min(asking)] if asking else None
        self.digests[key] = sha256(content).hexdigest()
        return content

    def _read_flags(self, id_: str) -> None:
        versions = self._batches[id_].binding if id_ in self._batches else ()
        unread = [version.arrived for version in versions if not FLAGS.issuperset(version.model.flags)]
        self.flagged.pop(id_, None)
        if unread:
            self.flagged[id_] = min(unread)

    def _of(self, name: str) -> Versions[Any] | None:
        """The versions of the record with this name, `kind/id`."""
        kind, _, id_ = name.partition("/")
        versions: dict[str, Mapping[str, Versions[Any]]] = {
            "notice": self._notices,
            "template": self._templates,
            "batch": self._batches,
            "joint_use_terms": self.terms,
        }
        return versions[kind].get(id_)


def _kept(into: dict[str, Versions[M]], model: M, value: bytes, arrived: int) -> Versions[M]:
    versions = into.setdefault(model.id, Versions())
    versions.add(model.id, model, value, arrived)
    return versions
