"""The folder of the log: one writer, whole files, and a disk that fails; killed at any moment, it loses nothing."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.ground.atomic_store import FOREIGN_BYTES, AtomicStore
from gatekeeper.ground.errors import IntegrityError, UnavailableError
from gatekeeper.keys import Keys

HOUSE = Path(__file__).parents[2]
SEALER = """
import sys
from pathlib import Path
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.keys import Keys
from gatekeeper.ground.atomic_store import AtomicStore

folder = Path(sys.argv[1])
keys, files = Keys(folder / "keys"), AtomicStore(folder / "log")
with files.alone():
    log = LogWriter(files, signer=lambda: keys.signer("log"), verifiers=keys.public("log"))
    at = int(log.state() or b"0")
    assert at == log.size, (at, log.size)
    print(at, flush=True)
    while True:
        for _ in range(1 + at % 300):
            log.append(b"%d" % at)
            at += 1
        log.seal(b"%d" % at)
        print(at, flush=True)
"""
"""Seals numbers without end, as its state says where it was."""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    found = Keys(tmp_path / "keys")
    found.make("log", "gate.example/log")
    return found


def opened(folder: Path, keys: Keys) -> LogWriter:
    return LogWriter(AtomicStore(folder), signer=lambda: keys.signer("log"), verifiers=keys.public("log"))


def sealed_log(folder: Path, keys: Keys, count: int) -> LogWriter:
    """Returns a log that has sealed so many numbers."""
    log = opened(folder / "log", keys)
    for number in range(count):
        log.append(b"%d" % number)
    log.seal(b"%d" % count)
    return log


def leaves(tree: Tree) -> Iterator[bytes]:
    at = 0
    while at < tree.size:
        found = tree.leaves(at)
        yield from found
        at += len(found)


def test_given_kills_at_any_moment_then_every_leaf_is_there_once_and_in_order(tmp_path: Path, keys: Keys) -> None:
    fate, said = random.Random(7), 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SEALER, str(tmp_path)], cwd=HOUSE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        try:
            for _ in range(fate.randrange(1, 8)):
                if not (line := process.stdout.readline()):
                    break
                assert int(line) >= said, "what was published is gone"
                said = int(line)
            end = time.monotonic() + fate.random() / 20  # anywhere in what it does next
            while time.monotonic() < end:
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
            process.wait()
        assert process.returncode == -signal.SIGKILL
        said = max([said, *(int(line) for line in rest if line)])
    log = opened(tmp_path / "log", keys)
    assert log.size >= said > 100
    assert list(leaves(Tree(AtomicStore(tmp_path / "log"), log.size))) == [b"%d" % n for n in range(log.size)]


def test_given_a_writer_then_a_second_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with AtomicStore(tmp_path / "log").alone():
        with pytest.raises(UnavailableError) as told, AtomicStore(tmp_path / "log").alone():
            pass
        assert told.value.key == "error.folder_taken"
    with AtomicStore(tmp_path / "log").alone():
        pass


@pytest.fixture
def small() -> Iterator[Callable[[int], None]]:
    """Makes files of more than so many bytes impossible, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 170])
def test_given_a_full_disk_while_sealing_then_3_and_the_log_stands_as_it_was(
    tmp_path: Path, keys: Keys, small: Callable[[int], None], room: int
) -> None:
    log = sealed_log(tmp_path, keys, 200)
    before = (tmp_path / "log/checkpoint").read_bytes()
    for number in range(200, 210):
        log.append(b"%d" % number)
    small(room)
    with pytest.raises(UnavailableError) as told:
        log.seal(b"210")
    assert (told.value.exit_code, told.value.key) == (3, "error.disk")
    assert (tmp_path / "log/checkpoint").read_bytes() == before
    assert list(tmp_path.rglob("*.part")) == []
    small(resource.RLIM_INFINITY)
    again = opened(tmp_path / "log", keys)
    assert (again.size, again.state()) == (200, b"200")
    for number in range(200, 210):
        again.append(b"%d" % number)
    assert again.seal(b"210").size == 210


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flipped(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1]))


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("checkpoint", Path.unlink, "checkpoint_missing"),
        ("checkpoint", cut, "checkpoint_wrong"),
        ("tile/0/001.p/44", Path.unlink, "tile_missing"),
        ("tile/0/001.p/44", cut, "tile_wrong"),
        ("tile/0/001.p/44", flipped, "tree_differs"),
        ("tile/entries/001.p/44", flipped, "tile_wrong"),
        ("state/300", Path.unlink, "state_missing"),
    ],
)
def test_given_a_file_that_is_damaged_then_4_and_nothing_is_signed(
    tmp_path: Path, keys: Keys, name: str, change: Callable[[Path], None], key: str
) -> None:
    sealed_log(tmp_path, keys, 300)
    change(tmp_path / "log" / name)
    with pytest.raises(IntegrityError) as told:
        opened(tmp_path / "log", keys).state()
    assert told.value.key == f"error.log_{key}"


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/1/000.p/1"])
def test_entries_that_the_tree_is_not_over_then_reading_all_leaves_ends_with_4(
    tmp_path: Path, keys: Keys, name: str
) -> None:
    sealed_log(tmp_path, keys, 300)
    tree = Tree(AtomicStore(tmp_path / "log"), 300)
    assert list(tree.every_leaf()) == [b"%d" % number for number in range(300)]
    flipped(tmp_path / "log" / name)
    with pytest.raises(IntegrityError) as told:
        list(Tree(AtomicStore(tmp_path / "log"), 300).every_leaf())
    assert told.value.key == "error.log_tile_wrong"


def test_given_another_systems_log_then_4(tmp_path: Path, keys: Keys) -> None:
    opened(tmp_path / "log", keys)
    other = Keys(tmp_path / "other")
    other.make("log", "shop.example/log")
    with pytest.raises(IntegrityError) as told:
        opened(tmp_path / "log", other)
    assert told.value.key == "error.log_checkpoint_wrong"
    shutil.copy(tmp_path / "keys/log-1.pub", tmp_path / "other/log-2.pub")
    with pytest.raises(IntegrityError) as told:
        opened(tmp_path / "log", other)
    assert told.value.key == "error.log_other"


def large(file: Path) -> None:
    file.write_bytes(b"x" * (FOREIGN_BYTES + 1))


@pytest.mark.parametrize("odd", [os.mkfifo, lambda file: file.symlink_to("good"), large], ids=["pipe", "link", "large"])
def test_something_odd_in_the_place_of_a_foreign_file_then_it_is_refused_at_once(
    tmp_path: Path, odd: Callable[[Path], None]
) -> None:
    (tmp_path / "good").write_bytes(b"x" * FOREIGN_BYTES)
    odd(tmp_path / "odd")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(UnavailableError) as told:
        AtomicStore(tmp_path).foreign("odd")
    assert (told.value.key, told.value.values["path"]) == ("error.file_foreign", tmp_path / "odd")
    assert AtomicStore(tmp_path).foreign("good") == b"x" * FOREIGN_BYTES
    assert AtomicStore(tmp_path).foreign("none") is None
    assert len(os.listdir("/proc/self/fd")) == before


class Faulty(AtomicStore):
    """A disk that writes one bit of every tile of hashes wrong."""

    def write(self, name: str, content: bytes) -> None:
        super().write(name, content[:-1] + bytes([content[-1] ^ 1]) if name.startswith("tile/0/") else content)


def test_given_a_disk_that_wrote_something_else_then_it_is_not_signed(tmp_path: Path, keys: Keys) -> None:
    sealed_log(tmp_path, keys, 1)
    before = (tmp_path / "log/checkpoint").read_bytes()
    faulty = LogWriter(Faulty(tmp_path / "log"), signer=lambda: keys.signer("log"), verifiers=keys.public("log"))
    faulty.append(b"two")
    with pytest.raises(IntegrityError) as told:
        faulty.seal(b"2")
    assert told.value.key == "error.log_tree_differs"
    assert (tmp_path / "log/checkpoint").read_bytes() == before
