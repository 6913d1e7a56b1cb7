"""The witness: cosigns what extends what it saw, and nothing else, whatever the log's keys sign."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gatekeeper.audit.log.tree import newest
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IntegrityError
from tests.support.witnessed_log import WitnessedLog


@pytest.fixture
def place(tmp_path: Path) -> WitnessedLog:
    return WitnessedLog(tmp_path)


def refused(place: WitnessedLog, key: str, **more: bool) -> None:
    """Lets the witness look, which refuses the log."""
    with pytest.raises(IntegrityError) as told:
        place.look(**more)
    assert told.value.key == key


def test_given_a_log_that_grows_then_each_checkpoint_is_cosigned_once(place: WitnessedLog) -> None:
    assert place.look() is None
    place.seal(*(b"%d" % n for n in range(300)))
    assert [place.look(), place.look()] == [(300, True), (300, False)]
    place.seal(b"more")
    assert [place.look(), place.cosigned()] == [(301, True), 301]


def test_given_a_cosignature_then_the_sealer_adds_it_to_the_checkpoint_that_it_is_of(place: WitnessedLog) -> None:
    log = place.seal(b"one")
    place.look()
    (file,) = (place.folder / "log/witness").iterdir()
    witnesses = place.keys.public("witness")
    assert not log.cosign(file.read_bytes(), [])
    assert not log.cosign(file.read_bytes().replace(b"gate.example\n", b"gate.example/two\n"), witnesses)
    assert log.cosign(file.read_bytes(), witnesses)
    assert not log.cosign(file.read_bytes(), witnesses)
    standing = newest(AtomicStore(place.folder / "log"), place.keys.public("log"))
    assert standing is not None
    assert standing[0].note.cosigned_at(witnesses[0]) == 1_750_000_000
    log.append(b"two")
    log.seal(b"")
    assert not log.cosign(file.read_bytes(), witnesses)


def test_given_a_log_rewritten_with_its_own_key_then_4_and_not_cosigned(place: WitnessedLog) -> None:
    place.seal(*(b"%d" % n for n in range(300)))
    place.look()
    shutil.rmtree(place.folder / "log/tile")
    (place.folder / "log/checkpoint").unlink()
    place.seal(*(b"other %d" % n for n in range(400)))
    for _ in range(2):
        refused(place, "error.witness_fork")
    assert place.cosigned() == 300


@pytest.mark.parametrize("cut", ["shorter", "gone"])
def test_given_a_log_that_was_cut_then_4_and_not_cosigned(place: WitnessedLog, cut: str) -> None:
    place.seal(*(b"%d" % n for n in range(10)))
    shutil.copytree(place.folder / "log", place.folder / "old")
    place.seal(b"more")
    place.look()
    shutil.rmtree(place.folder / "log")
    if cut == "shorter":
        shutil.copytree(place.folder / "old", place.folder / "log")
    refused(place, "error.witness_rollback")
    assert place.cosigned() == 0


def test_a_checkpoint_whose_tiles_are_another_trees_then_4_also_at_the_first_look(place: WitnessedLog) -> None:
    place.seal(*(b"%d" % n for n in range(300)))
    tile = place.folder / "log/tile/0/001.p/44"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    refused(place, "error.log_tree_differs")
    assert place.cosigned() == 0


def test_a_rotated_key_of_the_log_then_it_is_cosigned_and_an_unknown_one_is_not(place: WitnessedLog) -> None:
    place.seal(b"one")
    place.look()
    place.keys.make("log", "gate.example")
    place.seal(b"two")
    assert place.look() == (2, True)
    (place.folder / "keys/log-2.pub").unlink()
    refused(place, "error.log_checkpoint_wrong")


def test_given_a_memory_that_is_damaged_then_4_and_not_the_trust_of_a_first_look(place: WitnessedLog) -> None:
    place.seal(b"one")
    place.look()
    (place.folder / "memory/seen").write_text("")
    refused(place, "error.witness_memory")


def test_a_lost_memory_then_4_and_not_cosigned_until_it_is_called_the_first_look(place: WitnessedLog) -> None:
    refused(place, "error.witness_memory_lost", first=False)  # also while there is no log: it may be lost with it
    place.seal(b"one")
    assert place.look(first=True) == (1, True)
    shutil.rmtree(place.folder / "memory")
    place.seal(b"two")
    refused(place, "error.witness_memory_lost", first=False)
    assert place.cosigned() == 1
    assert place.look(first=True) == (2, True)


def test_given_a_witness_of_another_of_our_logs_then_4_and_not_cosigned(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path, log="mail.gatekeeper", witness="trial.gatekeeper/witness")
    place.seal(b"one")
    refused(place, "error.witness_other_log")
    assert place.cosigned() == 0
    outside = WitnessedLog(tmp_path / "outside", log="mail.gatekeeper", witness="notary.example")
    outside.seal(b"one")
    assert outside.look() == (1, True)
