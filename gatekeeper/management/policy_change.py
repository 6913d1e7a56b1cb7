"""Proposal to put a policy version in force: its differences, the lines that widen it, and its record.

Pure: takes the known policies and an instant, and gives a proposal or a refusal. A proposal puts nothing in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import near, text
from gatekeeper.ground.times import instant, local, span
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy import packs
from gatekeeper.policy.activation import Order, Unlawful, activated
from gatekeeper.policy.comparison import Difference, differences
from gatekeeper.policy.packs import STRICTEST, Packs, in_force, widening
from gatekeeper.policy.policy import TUNABLE, Policy
from gatekeeper.policy.reasons import CATALOGUE
from schemas.codec import VALUE_BYTES, Unreadable, encode
from schemas.events import PolicyVersion
from schemas.record import Record

AFTER_ALL: Order = (0, 2**53)
"""Order of a record that is not written yet, after all others."""
_ANYBODY = ("manager-1", "manager-2")
"""Two managers for a trial of a version, which is never written."""


@dataclass(frozen=True, slots=True)
class KnownPolicies:
    """Policies on `reference`: the facts with their activations."""

    store: FactStore = field(default_factory=FactStore)

    def take(self, record: Record) -> None:
        """Adds a record of `reference`, as a worker does."""
        self.store.apply(record)

    @property
    def records(self) -> Mapping[Order, PolicyVersion]:
        """The records that count, by the place from which they do."""
        return self.store.log.policies

    def over(self, home: str) -> Packs:
        """The packs of a company whose own pack has this id, with the activated versions."""
        return self.store.activations.over(packs.load(home))

    def line(self, id_: str) -> tuple[Policy, ...]:
        """The versions of one pack that bind, shipped and activated; () for an unknown id."""
        if id_ in packs.shipped():
            return self.over(id_).home
        joined = self.over(next(iter(packs.shipped()))).others
        return next((line for line in joined if line[0].id == id_), ())

    def text(self, policy: Policy) -> str:
        """The text of a version that is shipped or was put in force before."""
        texts = {record.sha256: record.toml for record in self.records.values() if record.toml is not None}
        return texts.get(policy.sha256) or packs.shipped_text(policy)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A proposed policy version: the replaced one, its beginning (milliseconds), its record and the packs after it.

    `old`: None for the first version of a pack. `line`: the versions of the pack with the proposed one. `widening`: the
    lines that let more through than before, which two managers must stand for.
    """

    new: Policy
    old: Policy | None
    begins: int
    record: PolicyVersion
    after: Packs
    line: tuple[Policy, ...]
    differences: tuple[Difference, ...]
    widening: tuple[str, ...]

    @property
    def later(self) -> tuple[Policy, ...]:
        """The versions of the pack that take force after the proposed one."""
        return tuple(policy for policy in self.line if policy.since > self.begins * 1000)

    @property
    def binds(self) -> bool:
        """True if the version may take force: it lets nothing more through, or two managers stand for it."""
        return not self.widening or self.record.by_two


def propose(
    known: KnownPolicies,
    new: Policy,
    content: str,
    *,
    by: str | tuple[str, str],
    since: str | None,
    now: int,
    home: str,
) -> PolicyChange:
    """The proposal; `content` is the policy's text, `since` an instant, `now` or None for its own day.

    `by`: one manager or two. `home`: the id of the company's own pack. Adds the record to `known`. Raises UsageError
    (2) for a version that cannot be put in force at that time.
    """
    _untaken(known, new)
    before = known.line(new.id)
    begins = _begins(new, since, now=now, skew_ms=(in_force(before, now * 1000) or new).skew_ms)
    record = _record(new, content, begins=begins, by=by)
    old = in_force(before, begins * 1000) or next(iter(before), None)
    after = _checked(known, record, begins=begins, home=home)
    line = known.line(new.id)
    changes = tuple(differences(old, new)) if old else ()
    return PolicyChange(new, old, begins, record, after, line, changes, tuple(widening(before, line, begins * 1000)))


def check(new: Policy, content: str) -> None:
    """Refuses a text as `propose` does, by the shipped versions alone; raises UsageError (2).

    The day is not checked, because whoever puts a version in force may name another one.
    """
    known = KnownPolicies()
    _untaken(known, new)
    begins = new.since // 1000
    _checked(known, _record(new, content, begins=begins, by=_ANYBODY), begins=begins, home=new.id)


def every(known: KnownPolicies | None = None) -> list[Policy]:
    """The shipped versions and the activated ones."""
    policies = [policy for versions in packs.shipped().values() for policy in versions]
    if known is not None:
        policies += [
            policy for id_ in sorted(known.store.activations.ids) for _, policy in known.store.activations.of(id_)
        ]
    return policies


def named(name: str, known: KnownPolicies | None = None, *, at: int) -> Policy:
    """The version that `id@version` names, or a bare id: then the one in force at an instant (milliseconds).

    Raises UsageError (2) for an unknown name. `known`: None for the shipped versions alone.
    """
    if line := (known or KnownPolicies()).line(name):
        return in_force(line, at * 1000) or line[0]
    by_name = {policy.name: policy for policy in every(known)}
    if name not in by_name:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted(by_name)))
    return by_name[name]


def _untaken(known: KnownPolicies, new: Policy) -> None:
    """Raises UsageError (2) if another text has the version's number, or if the text cites no law.

    So it does for a row about a reason that we do not have. A worker carries it, for it may be of a newer release.
    """
    for policy in every(known):
        if (policy.id, policy.version) == (new.id, new.version) and policy.sha256 != new.sha256:
            raise UsageError("error.policy_version_taken", name=new.name, next=policy.version + 1)
    if not new.clauses:
        raise UsageError("error.policy_wrong", file=new.name, place="clauses", hint=text("wrong.clauses_missing"))
    for code in new.unknown:
        table, codes = ("rules", list(TUNABLE)) if code in new.off else ("clauses", list(CATALOGUE))
        hint = text("wrong.rule", near=near(code, codes))
        raise UsageError("error.policy_wrong", file=new.name, place=f"{table}.{code}", hint=hint)


def _begins(new: Policy, since: str | None, *, now: int, skew_ms: int) -> int:
    """The instant from which the version will be in force, in milliseconds.

    Raises UsageError (2) for a malformed instant, or one that has passed.
    """
    try:
        begins = now if since == "now" else new.since // 1000
        if since not in (None, "now"):
            begins = span(since, new.timezone).first // 1000
        local_time = local(begins * 1000, new.timezone)[:16].replace("T", " ")
    except (ValueError, OverflowError):
        raise UsageError("error.option_invalid", option="--from") from None
    if begins < now - skew_ms:
        raise UsageError("error.policy_past", name=new.name, since=local_time)
    return begins


def _record(new: Policy, content: str, *, begins: int, by: str | tuple[str, str]) -> PolicyVersion:
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
        option = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        if option == "by":
            raise UsageError("error.option_invalid", option="--by") from None
        raise UsageError("error.policy_too_long", name=new.name) from None
    if len(encode(record)) > VALUE_BYTES:
        raise UsageError("error.policy_too_long", name=new.name)
    return record


def _checked(known: KnownPolicies, record: PolicyVersion, *, begins: int, home: str) -> Packs:
    """The packs with the new version, as if two managers stood for it.

    Raises UsageError (2) if this version takes away a rule that no version may. It also does if the strictest pack
    would be looser than another. So it does for two packs in force for one country.
    """
    name = f"{record.id}@{record.version}"
    try:
        new = activated(record)
    except Unlawful as line:
        raise UsageError("error.policy_unlawful", file=name, place=line, hint=text("wrong.rule_fixed")) from None
    except Unreadable as fault:
        hint = text(f"fault.{fault.fault}")
        raise UsageError("error.policy_wrong", file=name, place=fault.place, hint=hint) from None
    known.store.activations.put(AFTER_ALL, record.model_copy(update={"by": _ANYBODY}), begins)
    homes = packs.shipped() if new.id == STRICTEST else {home, new.id} & packs.shipped().keys()
    for id_ in sorted(homes or packs.shipped()):
        for bar in known.over(id_).looser():
            if begins * 1000 < bar.until:
                raise UsageError(
                    "error.policy_not_strictest", lines=bar.what, name=id_, since=instant(bar.since // 1000)
                )
    after = known.over(home if home in packs.shipped() else next(iter(packs.shipped())))
    lines = (after.home, *after.others)
    rivals = {line[0].id for line in lines if line[0].id != new.id and _share(new, line)}
    if rivals and new.id not in packs.shipped():
        raise UsageError("error.policy_country_taken", name=name, other=", ".join(sorted(rivals)))
    return after


def _share(new: Policy, line: Iterable[Policy]) -> bool:
    return any(new.jurisdictions & policy.jurisdictions for policy in line)
