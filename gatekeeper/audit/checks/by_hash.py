"""Looks up policies and reference data that audit records name only by SHA-256."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from pydantic import TypeAdapter, ValidationError

from gatekeeper.audit.checks.trail import Named
from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.policy import Policy, read
from schemas.codec import Unreadable, canonical, decode
from schemas.values import Digest

_VERSIONS = TypeAdapter(list[tuple[int, Digest]])
_FORMER = TypeAdapter(dict[str, Digest])
"""The versions of joint-use terms in records of rules 3 to 5: version to SHA-256, without arrivals."""
_KEPT = 4096


class Missing(Exception):
    """Bytes named by a record are missing, or have another hash. `kind`: policy or reference."""

    def __init__(self, kind: str, digest: str) -> None:
        super().__init__(kind, digest)
        self.kind = kind
        self.digest = digest


class ByHash:
    """Policies and reference data of a trail, each parsed once."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._policies: dict[str, Policy] = {}
        self._references: dict[bytes, Reference] = {}

    def policy(self, digest: str) -> Policy:
        """The policy version with this SHA-256; raises Missing."""
        policy = self._policies.get(digest)
        if policy is None:
            try:
                policy = read(self._bytes("policy", digest), file=digest)
            except UsageError:
                raise Missing("policy", digest) from None
            self._policies[digest] = policy
        return policy

    def reference(self, refs: Mapping[str, str | None]) -> Reference:
        """The reference data of a snapshot. `refs`: `kind/id` to hash (None: no such record). Raises Missing."""
        name = canonical(refs)
        reference = self._references.get(name)
        if reference is None:
            reference = Reference()
            for digest in refs.values():
                for arrived, version in self._versions(digest):
                    self._put(reference, version, arrived)
            if len(self._references) >= _KEPT:
                self._references.clear()
            self._references[name] = reference
        return reference

    def _versions(self, digest: str | None) -> Iterable[tuple[int, str]]:
        """The records behind a hash in the order of arrival, each with its arrival (0 = one record, without it)."""
        if digest is None:
            return ()
        value = self._bytes("reference", digest)
        if value.startswith(b"["):
            try:
                return _VERSIONS.validate_json(value)
            except ValidationError:
                raise Missing("reference", digest) from None
        try:
            return [(0, version) for version in _FORMER.validate_json(value).values()]
        except ValidationError:  # as for every single record
            return ((0, digest),)

    def _put(self, reference: Reference, digest: str, arrived: int) -> None:
        value = self._bytes("reference", digest)
        try:
            reference.put(decode("reference", None, value), value, arrived)
        except (Unreadable, AttributeError):
            raise Missing("reference", digest) from None

    def _bytes(self, kind: str, digest: str) -> bytes:
        value = self._named.policy(digest) if kind == "policy" else self._named.reference(digest)
        if value is None or sha256(value).hexdigest() != digest:
            raise Missing(kind, digest)
        return value
