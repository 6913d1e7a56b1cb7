"""What audit records name by SHA-256 alone: texts of policies, and records of reference data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256

import orjson

from gatekeeper import packs
from gatekeeper.errors import UsageError
from gatekeeper.policy import Policy, read
from gatekeeper.reference import Reference
from schemas.codec import Unreadable, canonical, decode
from schemas.events import JointUseTerms, PolicyVersion

TERMS = "joint_use_terms/"
"""Of joint-use terms a record names all versions together: the hash of canonical JSON, version to SHA-256."""
_KEPT = 4096


class Missing(Exception):
    """Bytes that a record names are not there, or are not those that it names; `kind`: policy or reference."""

    def __init__(self, kind: str, digest: str) -> None:
        super().__init__(kind, digest)
        self.kind = kind
        self.digest = digest


class Library:
    """Policies and reference data by hash; `find` gives the bytes, None where it has none. Each is read once."""

    def __init__(self, find: Callable[[str], bytes | None]) -> None:
        self._find = find
        self._policies: dict[str, Policy] = {}
        self._references: dict[bytes, Reference] = {}

    def policy(self, digest: str) -> Policy:
        """Returns the version with these bytes; raises Missing."""
        found = self._policies.get(digest)
        if found is None:
            try:
                found = read(self._bytes("policy", digest), file=digest)
            except UsageError:
                raise Missing("policy", digest) from None
            self._policies[digest] = found
        return found

    def reference(self, refs: Mapping[str, str | None]) -> Reference:
        """Returns the reference data of a snapshot, `kind/id` to hash (None: there was none); raises Missing."""
        name = canonical(refs)
        found = self._references.get(name)
        if found is None:
            found = Reference()
            for key, digest in refs.items():
                for each in self._digests(key, digest):
                    self._put(found, each)
            if len(self._references) >= _KEPT:
                self._references.clear()
            self._references[name] = found
        return found

    def _digests(self, key: str, digest: str | None) -> Iterable[str]:
        if digest is None:
            return ()
        if not key.startswith(TERMS):
            return (digest,)
        try:
            return [str(each) for each in orjson.loads(self._bytes("reference", digest)).values()]
        except (ValueError, AttributeError):
            raise Missing("reference", digest) from None

    def _put(self, reference: Reference, digest: str) -> None:
        value = self._bytes("reference", digest)
        try:
            reference.put(decode("reference", None, value), value)
        except (Unreadable, AttributeError):
            raise Missing("reference", digest) from None

    def _bytes(self, kind: str, digest: str) -> bytes:
        found = self._find(digest)
        if found is None or sha256(found).hexdigest() != digest:
            raise Missing(kind, digest)
        return found


@cache
def shipped() -> Mapping[str, bytes]:
    """Returns the texts of the shipped policies by hash."""
    texts = (packs.shipped_text(policy).encode() for versions in packs.shipped().values() for policy in versions)
    return {sha256(text).hexdigest(): text for text in texts}


def held(values: Iterable[bytes]) -> dict[str, bytes]:
    """Returns all that records may name of the topic `reference`, read from its start, and the shipped policies.

    Each value is under its hash; so are the text of each policy and, of terms, what names their versions together at
    each time.
    """
    found = dict(shipped())
    terms: dict[str, dict[str, str]] = {}
    for value in values:
        try:
            model = decode("reference", None, value)
        except Unreadable:
            continue
        digest = sha256(value).hexdigest()
        found[digest] = value
        if isinstance(model, PolicyVersion) and model.toml is not None:
            text = model.toml.encode()
            found[sha256(text).hexdigest()] = text
        elif isinstance(model, JointUseTerms):
            versions = terms.setdefault(model.terms_id, {})
            versions[str(model.version)] = digest
            whole = canonical(versions)
            found[sha256(whole).hexdigest()] = whole
    return found
