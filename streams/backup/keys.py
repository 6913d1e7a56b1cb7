"""The keys that a backup names: those of the machine, and those that workers used. No secret is among them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gatekeeper.ground.errors import UsageError
from gatekeeper.keys import Key, Keys
from gatekeeper.ledger.head import Head
from streams.backup.list import Backup, NamedKey


def named(keys: Keys, heads: Iterable[Head]) -> list[NamedKey]:
    """The keys of this machine and those that workers used, as heads of the ledger name them."""
    named_keys = {(key.role, key.number): key for key in map(_named, keys.known())}
    for head in heads:
        for role, marks in (("master", head.masters), ("token", head.tokens)):
            for number, mark in marks.items():
                named_keys[role, int(number)] = NamedKey(role=role, number=int(number), sha256=None, mark=mark)
    return [key for _, key in sorted(named_keys.items())]


def missing(backup: Backup, keys: Keys) -> list[str]:
    """The keys of the backup that are not here, as ROLE-N; raises UsageError (2) if one here is another key."""
    here, gone = {(key.role, key.number): _named(key) for key in keys.known()}, []
    for key in backup.keys:
        name, ours = f"{key.role}-{key.number}", here.get((key.role, key.number))
        if ours is None:
            gone.append(name)
        elif (key.mark and ours.mark and key.mark != ours.mark) or (key.sha256 and key.sha256 != ours.sha256):
            raise UsageError("error.backup_key_differs", name=name, folder=keys.folder)
    return gone


def _named(key: Key) -> NamedKey:
    half = sha256(key.verifier.encode()).hexdigest() if key.verifier else None
    return NamedKey(role=key.role, number=key.number, sha256=half, mark=key.mark)
