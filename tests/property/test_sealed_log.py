"""The sealed log against an independent Merkle tree: roots and proofs of any size are the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.tlog.merkle import leaf_hash, root_from_inclusion
from gatekeeper.audit.tlog.proofs import check_consistency
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.keys import Keys

sizes = st.integers(1, 700)


@settings(max_examples=15)
@given(st.lists(sizes, min_size=1, max_size=4, unique=True).map(sorted), st.data())
def test_log_sealed_in_steps_then_another_implementation_has_its_roots_and_proofs(
    steps: list[int], data: st.DataObject
) -> None:
    oracle = InmemoryTree(algorithm="sha256")
    with TemporaryDirectory() as folder:
        keys, files = Keys(Path(folder) / "keys"), AtomicStore(Path(folder) / "log")
        keys.make("log", "gate.example/log")
        signer = keys.signer("log")
        sealed: list[tuple[int, bytes]] = []
        for size in steps:
            log = LogWriter(files, signer=lambda: signer, verifiers=keys.public("log"))
            while log.size < size:
                leaf = b"leaf %d" % log.size
                oracle.append_entry(leaf)
                log.append(leaf)
            log.seal(b"")
            assert log.root() == oracle.get_state()
            sealed.append((size, log.root()))
        tree = Tree(files, steps[-1])
        index = data.draw(st.integers(0, tree.size - 1))
        proof = tree.inclusion(index)
        theirs = oracle.prove_inclusion(index + 1)
        assert proof == theirs.path[1:]
        assert root_from_inclusion(leaf_hash(b"leaf %d" % index), index, tree.size, proof) == tree.root()
        assert root_from_inclusion(leaf_hash(b"another"), index, tree.size, proof) != tree.root()
        for size, root in sealed:
            proof = tree.consistency(size)
            assert check_consistency(size, root, tree.size, tree.root(), proof)
            assert size == tree.size or not check_consistency(size, leaf_hash(root), tree.size, tree.root(), proof)
