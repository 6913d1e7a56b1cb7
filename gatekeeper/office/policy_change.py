"""Proposal to put a policy version in force: its differences, the lines that widen it, and its record.

Pure: takes the known policies and an instant, and gives a proposal or a refusal. A proposal puts nothing in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from gatekeeper.errors import UsageError
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy import packs
from gatekeeper.policy.activation import Order
from gatekeeper.policy.comparison import Difference, differences, wider
from gatekeeper.policy.packs import STRICTEST, Packs
from gatekeeper.policy.policy import Policy
from gatekeeper.texts import text
from gatekeeper.times import instant, span
from schemas.codec import VALUE_BYTES, Unreadable, decode, encode
from schemas.events import PolicyVersion
from schemas.record import Record

AFTER_ALL: Order = (0, 2**53)
"""Order of a record that is not written yet: after all others."""


@dataclass(frozen=True, slots=True)
class Known:
    """Policies on `reference`: the facts with their activations, and the records by partition and offset."""

    store: FactStore = field(default_factory=FactStore)
    records: dict[Order, PolicyVersion] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Adds a record of `reference`, as a worker does."""
        if self.store.apply(record) is None:
            model = decode("reference", record.key, record.value)
            if isinstance(model, PolicyVersion):
                self.records[record.partition, record.offset] = model

    def over(self, id_: str) -> Packs:
        """The packs of an id, with the activated versions."""
        return self.store.activations.over(packs.load(id_))

    def text(self, policy: Policy) -> str:
        """The text of a version that is shipped or was put in force before."""
        texts = {record.sha256: record.toml for record in self.records.values() if record.toml is not None}
        return texts.get(policy.sha256) or packs.shipped_text(policy)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed policy version: the replaced one, its beginning (milliseconds), its record and the packs after it.

    `widening`: the lines that let more through than before; the person must allow them expressly.
    """

    new: Policy
    old: Policy
    begins: int
    record: PolicyVersion
    after: Packs
    differences: tuple[Difference, ...]
    widening: tuple[str, ...]

    @property
    def later(self) -> tuple[Policy, ...]:
        """The home versions that take force after the proposed one."""
        return tuple(policy for policy in self.after.home if policy.since > self.begins * 1000)


def propose(known: Known, new: Policy, content: str, *, by: str, since: str | None, now: int) -> Proposal:
    """The proposal; `content` is the policy's text, `since` an instant, `now` or None for its own day.

    Adds the record to `known`. Raises UsageError (2) for a version that cannot be put in force at that time.
    """
    before = _packs(known, new)
    begins = _begins(new, since, now=now, skew_ms=before.at(now).skew_ms)
    record = _record(new, content, begins=begins, by=by)
    old = before.at(begins)
    after = _checked(known, new, record, begins=begins)
    found = tuple(differences(old, new))
    return Proposal(new, old, begins, record, after, found, tuple(_widening(before, after, begins=begins)))


def every(known: Known | None = None) -> list[Policy]:
    """The shipped versions and the activated ones."""
    found = [policy for versions in packs.shipped().values() for policy in versions]
    if known is not None:
        found += [policy for id_ in packs.shipped() for _, policy in known.store.activations.of(id_)]
    return found


def named(name: str, among: Iterable[Policy]) -> Policy:
    """The last version that an `id` or `id@version` matches; raises UsageError (2) for an unknown name."""
    among = list(among)
    found = [policy for policy in among if name in (policy.id, policy.name)]
    if not found:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted({one.name for one in among})))
    return found[-1]


def _packs(known: Known, new: Policy) -> Packs:
    """The packs that a version joins; raises UsageError (2) if another text has its version number."""
    for policy in every(known):
        if (policy.id, policy.version) == (new.id, new.version) and policy.sha256 != new.sha256:
            raise UsageError("error.policy_version_taken", name=new.name, next=policy.version + 1)
    return known.over(new.id)


def _begins(new: Policy, since: str | None, *, now: int, skew_ms: int) -> int:
    """The instant from which the version will be in force, in milliseconds.

    Raises UsageError (2) for a malformed instant, or one that has passed.
    """
    try:
        begins = now if since == "now" else new.since // 1000
        if since not in (None, "now"):
            begins = span(since, new.timezone).first // 1000
        told = instant(begins)
    except (ValueError, OverflowError):
        raise UsageError("error.option_invalid", option="--from") from None
    if begins < now - skew_ms:
        raise UsageError("error.policy_past", name=new.name, since=told)
    return begins


def _record(new: Policy, content: str, *, begins: int, by: str) -> PolicyVersion:
    try:
        record = PolicyVersion(
            v=1,
            kind="policy",
            id=new.id,
            version=new.version,
            jurisdictions=tuple(sorted(new.jurisdictions)),
            effective_from=instant(begins),
            toml=content,
            sha256=new.sha256,
            by=by,
        )
    except ValidationError as error:
        place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        if place == "by":
            raise UsageError("error.option_invalid", option="--by") from None
        raise UsageError("error.policy_too_long", name=new.name) from None
    if len(encode(record)) > VALUE_BYTES:
        raise UsageError("error.policy_too_long", name=new.name)
    return record


def _checked(known: Known, new: Policy, record: PolicyVersion, *, begins: int) -> Packs:
    """The packs with the new version; raises UsageError (2) if the strictest pack would be looser than another."""
    try:
        known.store.activations.put(AFTER_ALL, record)
    except Unreadable as fault:
        hint = text(f"fault.{fault.fault}")
        raise UsageError("error.policy_wrong", file=new.name, place=fault.place, hint=hint) from None
    for id_ in packs.shipped() if new.id == STRICTEST else (new.id,):
        for bar in known.over(id_).looser():
            if begins * 1000 < bar.until:
                raise UsageError(
                    "error.policy_not_strictest", lines=bar.what, name=id_, since=instant(bar.since // 1000)
                )
    return known.over(new.id)


def _widening(before: Packs, after: Packs, *, begins: int) -> list[str]:
    """The lines that let more through than before, at the beginning or when a later version takes force."""
    turns = {policy.since // 1000 for policy in before.home + after.home}
    days = sorted({begins, *(turn for turn in turns if turn > begins)})
    return sorted({line for day in days for line in wider(before.at(day), after.at(day))})
