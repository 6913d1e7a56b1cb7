"""Branches of a partition's manifests in the log's folder: the statements that choose one, and the partitions held.

`branch/PARTITION` is the newest statement of a person about a partition, under the log's key. `held/PARTITION` is a
partition whose sealing waits for such a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekeeper.audit.log.tree import ReadableFiles
from gatekeeper.audit.log.writer import WritableFiles
from gatekeeper.audit.tlog.branch_statement import Statement, read_statement
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.ground.errors import GatekeeperError, IntegrityError, UnavailableError
from schemas.codec import canonical
from schemas.values import Count, Digest, Model


class Held(Model):
    """A partition whose sealing waits for a statement: the place of the first manifest that waits.

    `sealed`: the manifest sealed last. `head`: the one that the ledger names, on another branch. Both by SHA-256 (hex).
    """

    partition: Count
    offset: Count
    sealed: Digest
    head: Digest


def statements(
    files: ReadableFiles,
    keys: Sequence[Vkey],
    *,
    origin: str,
    passed: Callable[[GatekeeperError], None] = lambda _: None,
) -> dict[int, Statement]:
    """The newest statement about each partition that has one.

    `keys`: the log's public keys. `origin`: the log's name. A file that holds no statement under one of these keys is
    nothing: `passed` is called with its error.
    """
    found = {}
    for name in files.names("branch"):
        try:
            value = files.foreign(f"branch/{name}") or b""
            one = read_statement(value.decode(), keys, origin=origin)
            if name != str(one.partition):
                raise ValueError("of another partition")
            found[one.partition] = one
        except UnavailableError as error:
            passed(error)
        except ValueError:
            passed(IntegrityError("error.statement_foreign", name=f"branch/{name}"))
    return found


def state_choice(files: WritableFiles, partition: int, note: str) -> None:
    """Puts a statement on the disk, in place of an earlier one about this partition."""
    files.publish(f"branch/{partition}", note.encode())


def held(files: ReadableFiles) -> list[Held]:
    """The partitions that wait for a statement, by number; a file of another form is left out."""
    found = []
    for name in files.names("held"):
        try:
            found.append(Held.model_validate_json(files.foreign(f"held/{name}") or b""))
        except (ValueError, UnavailableError):
            continue
    return sorted(found, key=lambda one: one.partition)


def hold(files: WritableFiles, one: Held) -> None:
    """Notes that a partition waits for a statement."""
    files.write(f"held/{one.partition}", canonical(one.model_dump()))


def release(files: WritableFiles, partition: int) -> None:
    """Notes that a partition waits no longer."""
    if str(partition) in files.names("held"):
        files.remove(f"held/{partition}")
