"""The clauses of recorded reasons, as the policy cites them that decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatekeeper.ground.errors import UsageError
from gatekeeper.policy import former_clauses
from gatekeeper.policy.packs import shipped
from gatekeeper.policy.policy import Policy, read
from gatekeeper.policy.reasons import CATALOGUE


def _nowhere(sha256: str) -> bytes | None:
    return None


class Citations:
    """Clauses by record. `texts`: gives the text of a policy by the SHA-256 that records name; the shipped are known.

    Of a text that is nowhere any more, the shipped version of the same id and number is cited.
    """

    def __init__(self, texts: Callable[[str], bytes | None] = _nowhere) -> None:
        self._texts = texts
        every = [policy for versions in shipped().values() for policy in versions]
        self._policies: dict[str, Policy | None] = {policy.sha256: policy for policy in every}
        self._named = {policy.name: policy for policy in every}

    def clause(self, code: str, record: Mapping[str, Any]) -> str | None:
        """The clause behind a reason of an audit record; None if neither this release nor the policy knows one."""
        if record["engine"]["rules"] <= former_clauses.LAST:
            return former_clauses.CLAUSES.get(code)
        ref = record["policy"]
        policy = self._policy(str(ref["sha256"])) or self._named.get(f"{ref['id']}@{ref['version']}")
        if policy is None or (code not in CATALOGUE and not any(clause.name == code for clause in policy.clauses)):
            return None
        return policy.cites(code, record["channel"])

    def unverified(self, name: str, sha256: str) -> tuple[str, ...]:
        """The rows of a policy that nobody has compared with the text of the law; () for an unknown one."""
        policy = self._policy(sha256) or self._named.get(name)
        return policy.unverified if policy else ()

    def _policy(self, sha256: str) -> Policy | None:
        if sha256 not in self._policies:
            text = self._texts(sha256)
            try:
                self._policies[sha256] = read(text, file=sha256) if text else None
            except UsageError:
                self._policies[sha256] = None
        return self._policies[sha256]
