"""The sealed log: published vectors, tiles and notes as C2SP writes them, and what a crash at any point leaves."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.audit.log.tree import Tree, newest
from gatekeeper.audit.log.writer import LEAF_BYTES, LogWriter
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.merkle import tile_path
from gatekeeper.audit.tlog.notes import open_note, parse_vkey
from gatekeeper.audit.tlog.proofs import check_consistency
from gatekeeper.audit.tlog.signing import checkpoint, cosignature, signed
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.keys import Keys
from tests.support.merkle_vectors import LEAVES, ROOTS

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of signed notes that Go's checksum database documents."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A key of the log and one of a witness."""
    found = Keys(tmp_path_factory.mktemp("keys"))
    found.make("log", "gate.example/log")
    found.make("witness", "gate.example/witness")
    return found


@pytest.fixture
def signer(keys: Keys) -> SigningKey:
    return keys.signer("log")


def opened_log(folder: Path, signer: SigningKey) -> LogWriter:
    return LogWriter(AtomicStore(folder), signer=lambda: signer, verifiers=[parse_vkey(signer.verifier)])


def sealed(folder: Path, signer: SigningKey, leaves: list[bytes]) -> Tree:
    log = opened_log(folder, signer)
    for leaf in leaves:
        log.append(leaf)
    log.seal(b"")
    return Tree(AtomicStore(folder), log.size)


def everything(tree: Tree) -> Iterator[bytes]:
    at = 0
    while at < tree.size:
        found = tree.leaves(at)
        yield from found
        at += len(found)


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_given_the_reference_leaves_then_the_log_has_the_published_root(
    tmp_path: Path, signer: SigningKey, size: int, root: str
) -> None:
    tree = sealed(tmp_path, signer, LEAVES[:size])
    assert tree.root().hex() == root
    standing = newest(AtomicStore(tmp_path), [parse_vkey(signer.verifier)])
    assert standing is not None
    assert standing[0].note.body == checkpoint("gate.example/log", size, bytes.fromhex(root))


@pytest.mark.parametrize(
    ("number", "width", "name"),
    [(67, 256, "tile/0/067"), (67, 3, "tile/0/067.p/3"), (1_234_067, 8, "tile/0/x001/x234/067.p/8")],
)
def test_given_a_tile_then_its_name_is_c2sps(number: int, width: int, name: str) -> None:
    assert tile_path(0, number, width) == name


def test_given_the_example_of_a_note_then_it_is_signed_and_a_change_is_not() -> None:
    peter = parse_vkey(PETER)
    assert open_note(NOTE).signed(peter) is True
    assert open_note(NOTE.replace("answer", "question")).signed(peter) is False
    with pytest.raises(ValueError, match="hash"):
        parse_vkey(PETER.replace("c74f20a3", "c74f20a4"))


def test_given_a_cosignature_then_it_signs_the_time_too(keys: Keys, signer: SigningKey) -> None:
    text = checkpoint(signer.name, 0, merkle.root([]))
    note = signed(text, signer) + cosignature(text, keys.signer("witness"), time=1_750_000_000)
    log, witness = (parse_vkey(keys.verifiers(role)[0]) for role in ("log", "witness"))
    assert open_note(note).signed(log) is open_note(note).signed(witness) is True
    assert open_note(note).cosigned_at(witness) == 1_750_000_000
    raw = base64.b64decode(note.splitlines()[-1].split(" ")[2])
    later = raw[:4] + (1_750_000_001).to_bytes(8, "big") + raw[12:]
    changed = note.replace(base64.b64encode(raw).decode(), base64.b64encode(later).decode())
    assert open_note(changed).signed(witness) is False


def test_given_a_leaf_that_no_entry_can_hold_then_it_is_refused(tmp_path: Path, signer: SigningKey) -> None:
    log = opened_log(tmp_path, signer)
    assert log.append(b"x" * LEAF_BYTES) == 0
    with pytest.raises(ValueError, match="65,535"):
        log.append(b"x" * (LEAF_BYTES + 1))
    assert log.size == 1


class Disk:
    """Files as a disk keeps them: before `publish` they may be lost; at step `crash` the machine dies."""

    def __init__(self) -> None:
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, bytes | None] = {}
        self.crash = -1

    def _step(self) -> None:
        if self.crash == 0:
            raise KeyboardInterrupt
        self.crash -= 1

    def after_crash(self, fate: random.Random) -> Disk:
        found = Disk()
        found.durable = dict(self.durable)
        for name, content in self.pending.items():
            if fate.random() < 0.5:
                found._put(name, content)
        return found

    def _put(self, name: str, content: bytes | None) -> None:
        if content is None:
            self.durable.pop(name, None)
        else:
            self.durable[name] = content

    def read(self, name: str) -> bytes | None:
        return self.pending[name] if name in self.pending else self.durable.get(name)

    foreign = read

    def names(self, folder: str) -> list[str]:
        there = {name for name in {*self.durable, *self.pending} if self.read(name) is not None}
        return sorted({name[len(folder) + 1 :].split("/")[0] for name in there if name.startswith(f"{folder}/")})

    def write(self, name: str, content: bytes) -> None:
        self._step()
        self.pending[name] = content

    def publish(self, name: str, content: bytes) -> None:
        self._step()
        for each, what in self.pending.items():
            self._put(each, what)
        self.pending = {name: content}
        self._step()
        self.durable[name] = content
        self.pending = {}

    def remove(self, name: str) -> None:
        self._step()
        self.pending[name] = None


def test_a_crash_at_any_step_then_no_leaf_is_lost_or_doubled_and_the_log_never_forks(signer: SigningKey) -> None:
    known = [parse_vkey(signer.verifier)]
    crashes = 0
    for first in range(0, 60, 3):
        fate, disk, published = random.Random(first), Disk(), [(0, merkle.root([]))]
        disk.crash, total = first, 0
        while total < 600:
            try:
                log = LogWriter(disk, signer=lambda: signer, verifiers=known)
                total = int(log.state() or b"0")
                assert total == log.size
                published.append((log.sealed.size, log.sealed.root))
                # what is read again after a crash may come in another number of leaves at once
                for number in range(total, min(600, total + fate.choice([1, 40, 255, 256, 300]))):
                    log.append(b"%d" % number)
                log.seal(b"%d" % log.size)
            except KeyboardInterrupt:
                crashes += 1
                disk = disk.after_crash(fate)
                disk.crash = fate.randrange(12)
            else:
                disk.crash = fate.randrange(12)
        disk.crash = -1
        tree = Tree(disk, 600)
        assert list(everything(tree)) == [b"%d" % number for number in range(600)]
        for size, root in published:
            assert check_consistency(size, root, 600, tree.root(), tree.consistency(size))
    assert crashes > 100
