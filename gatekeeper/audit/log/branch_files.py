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
    newest = {}
    for name in files.names("branch"):
        try:
            value = files.foreign(f"branch/{name}") or b""
            statement = read_statement(value.decode(), keys, origin=origin)
            if name != str(statement.partition):
                raise ValueError("of another partition")
            newest[statement.partition] = statement
        except UnavailableError as error:
            passed(error)
        except ValueError:
            passed(IntegrityError("error.statement_foreign", name=f"branch/{name}"))
    return newest


def state_choice(files: WritableFiles, partition: int, note: str) -> None:
    """Puts a statement on the disk, in place of an earlier one about this partition."""
    files.publish(f"branch/{partition}", note.encode())


def held(files: ReadableFiles) -> list[Held]:
    """The partitions that wait for a statement, by number; a file of another form is left out."""
    waiting = []
    for name in files.names("held"):
        try:
            waiting.append(Held.model_validate_json(files.foreign(f"held/{name}") or b""))
        except (ValueError, UnavailableError):
            continue
    return sorted(waiting, key=lambda entry: entry.partition)


def hold(files: WritableFiles, entry: Held) -> None:
    """Notes that a partition waits for a statement."""
    files.write(f"held/{entry.partition}", canonical(entry.model_dump()))


def release(files: WritableFiles, partition: int) -> None:
    """Notes that a partition waits no longer."""
    if str(partition) in files.names("held"):
        files.remove(f"held/{partition}")
