"""The branches of a partition's manifests as a person sees them, and the statement that chooses one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

from gatekeeper.audit.checks.branch import lineage
from gatekeeper.audit.checks.chain import not_signed
from gatekeeper.audit.checks.sealed_ends import SealedEnds, sealed_links
from gatekeeper.audit.log import branch_files
from gatekeeper.audit.log.tree import Tree, newest
from gatekeeper.audit.tlog.branch_statement import Statement, read_statement, statement_subject, statement_text
from gatekeeper.audit.tlog.signing import signed
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from gatekeeper.staff import signatures
from schemas.codec import Unreadable, canonical, decode
from schemas.manifests import Manifest
from streams.client import signatory
from streams.client.reader import Reader
from streams.operations.branches import named_by_head


class Branch(NamedTuple):
    """Manifests of one branch alone, from the newest back to where another branch parts.

    `sha256`: of the newest one. `start`, `offset`: of the oldest and the newest one. `manifests`: their number. `kid`,
    `at`: key and time of the newest one, as it states them. `sealed`: the manifest sealed last is among them. `ledger`:
    the one that the ledger's head names is among them.
    """

    sha256: str
    start: int
    offset: int
    manifests: int
    kid: str
    at: str
    sealed: bool
    ledger: bool


class Branches(NamedTuple):
    """A partition's branches, the sealed end, and whether sealing waits. `links`: as in `checks.branch`.

    `passed`: the manifests that are sealed already, by SHA-256 (hex). `lost`: the broker has lost the sealed end.
    """

    found: list[Branch]
    links: dict[str, str | None]
    sealed: str | None
    held: bool
    chosen: Statement | None
    passed: frozenset[str | None] = frozenset()
    lost: bool = False


def read(settings: Settings, reader: Reader, partition: int) -> Branches:
    """The branches of a partition, of manifests that a known worker key signed.

    Raises UsageError (2) without a log on this machine or for a partition that does not exist. Raises IncompleteError
    (5) if a transaction stays open on the ledger, and the errors of the log's folder.
    """
    files, keys = AtomicStore(settings.log_folder), Keys(settings.key_folder)
    partitions = reader.ends("manifests")
    if partition not in partitions:
        raise UsageError("error.partition_unknown", partition=partition, last=len(partitions) - 1)
    log = newest(files, keys.public("log"))
    if log is None:
        raise UsageError("error.branch_no_log", folder=settings.log_folder)
    ends, head, tree = SealedEnds(), named_by_head(reader, partition), Tree(files, log[0].size)
    try:
        for leaf in tree.every_leaf():
            ends.take(leaf)
    except ValueError:
        raise IntegrityError("error.log_tree_differs", size=log[0].size) from None
    manifests = {hash_: (offset, manifest) for hash_, offset, manifest in _signed(reader, keys, partition)}
    links = {hash_: manifest.prev for hash_, (_, manifest) in manifests.items()}
    sealed, followers = ends.head(partition), Counter(links.values())
    branches = []
    for tip in (hash_ for hash_ in links if not followers[hash_]):
        own = [tip]
        while (before := links[own[-1]]) in links and followers[before] == 1:
            own.append(before)
        offset, manifest = manifests[tip]
        start = manifests[own[-1]][0]
        branches.append(Branch(tip, start, offset, len(own), manifest.kid, manifest.t1, sealed in own, head in own))
    held = any(held_partition.partition == partition for held_partition in branch_files.held(files))
    stated = branch_files.statements(files, keys.public("log"), origin=settings.group)
    lost = sealed is not None and sealed not in links
    known = sealed_links(tree.every_leaf(), partition) | links if lost else links
    passed = frozenset(lineage(known, sealed)) if sealed is not None else frozenset()
    return Branches(branches, links, sealed, held, stated.get(partition), passed, lost)


def demand_choice(branches: Branches, partition: int, hash_: str) -> None:
    """Raises UsageError (2) unless this manifest is on a branch that can be chosen."""
    if hash_ not in branches.links:
        raise UsageError("error.branch_unknown", partition=partition)
    if hash_ in branches.passed:
        raise UsageError("error.branch_sealed", partition=partition)
    if len(branches.found) < 2 and not branches.lost:
        raise UsageError("error.branch_single", partition=partition)


def choose(settings: Settings, partition: int, hash_: str, *, by: str, reason: str) -> Statement:
    """Puts the statement that chooses the branch of a manifest into the log's folder, for the sealer.

    `hash_`: SHA-256 (hex) of the manifest. `by`: the person, who signs it too with a key of their own. `reason`: one
    line. Raises UsageError (2) without the log's key, UnavailableError (3) if the disk refuses.
    """
    at = instant(int(datetime.now(UTC).timestamp() * 1000))
    keys, origin, person = Keys(settings.key_folder), settings.group, signatory.own_key(settings)
    content = {"v": 1, "origin": origin, "partition": partition, "sha256": hash_, "by": by, "reason": reason, "at": at}
    choice, subject, own = canonical(content), statement_subject(partition), None
    if person is not None:
        own = signatures.of_choice(choice, person, subject=subject, origin=origin, at=at, id_=uuid4().hex)
    note = signed(statement_text(choice, own), keys.signer("log"))
    try:
        statement = read_statement(note, keys.public("log"), origin=origin)
    except ValueError:
        raise UsageError("error.option_invalid", option="--reason") from None
    branch_files.state_choice(AtomicStore(settings.log_folder), partition, note)
    return statement


def _signed(reader: Reader, keys: Keys, partition: int) -> Iterator[tuple[str, int, Manifest]]:
    """Yields the manifests that a known worker signed: SHA-256 (hex), offset, and the manifest."""
    workers = {key.kid: key for key in keys.public("worker")}
    for record in reader.read("manifests", partition=partition):
        value = record.value or b""
        try:
            manifest: Manifest = decode("manifests", None, value)
        except Unreadable:
            continue
        if (
            manifest.partition == partition
            and not_signed(value, record.header("gate-sig"), workers.get(manifest.kid)) is None
        ):
            yield sha256(value).hexdigest(), record.offset, manifest
