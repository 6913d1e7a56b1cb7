"""Bad sectors and damaged pages of files that can be read from Kafka again: they are made anew, and nothing else is."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gatekeeper.ground.errors import RestartError
from gatekeeper.store.disk_tables import DiskTables

KEY = bytes(range(32))
UNREADABLE = Path("/proc/self/mem")
"""A file whose first page gives EIO, as a bad sector does."""
PAGE = 4096
HEADER, BRANCH = 16, 1
"""Of a page of LMDB: bytes of its header, and the flag of one that leads to others."""
NAMES = [f"P-{number:03}" for number in range(300)]


@contextmanager
def opened(home: Path) -> Iterator[DiskTables]:
    tables = DiskTables(home, identity=b"one", key=KEY, spoilt=b"!")
    try:
        yield tables
    finally:
        tables.close()


def written(home: Path, *rounds: bytes) -> list[bytes]:
    """Commits a value of every name in each round. Returns the file's content after each."""
    found = []
    with opened(home) as tables:
        for number, value in enumerate(rounds):
            for name in NAMES[number % 3 :: 3]:
                tables.table("people")[name] = value
            tables.table("state")["at"] = b"%d" % number
            tables.commit(tables.cut())
            found.append((home / "0" / "data.mdb").read_bytes())
    return found


def test_a_bad_sector_at_the_start_then_the_file_is_made_anew(tmp_path: Path) -> None:
    written(tmp_path, b"one")
    file = tmp_path / "0" / "data.mdb"
    file.unlink()
    file.symlink_to(UNREADABLE)
    with opened(tmp_path) as tables:
        assert len(tables.table("people")) == 0
        tables.table("people")["P"] = b"two"
        tables.commit(tables.cut())
        assert tables.readable
        file.unlink()
        file.symlink_to(UNREADABLE)
        assert not tables.readable


def test_a_damaged_page_met_by_a_commit_then_the_next_start_makes_the_file_anew(tmp_path: Path) -> None:
    *_, content = written(tmp_path, b"one" * 50)
    file = tmp_path / "0" / "data.mdb"
    with opened(tmp_path) as tables:
        people = tables.table("people")
        with file.open("r+b") as raw:
            for place in range(2 * PAGE, len(content), PAGE):
                raw.seek(place + 10)  # the flags of each page, which say what it is
                raw.write(b"\0\0")
        for name in NAMES:
            people[name] = b"two"
        with pytest.raises(RestartError, match=str(tmp_path)):
            tables.commit(tables.cut())
    with opened(tmp_path) as tables:
        assert len(tables.table("people")) == 0


def test_a_page_that_the_disk_did_not_write_then_found_or_all_is_as_of_one_commit(tmp_path: Path) -> None:
    rounds = [b"%d" % number * 90 for number in range(12)]
    history = written(tmp_path, *rounds)
    file, now = tmp_path / "0" / "data.mdb", history[-1]
    found = 0
    for place in range(2 * PAGE, len(now), PAGE):
        for before in {one[place : place + PAGE] for one in history} - {now[place : place + PAGE], b""}:
            file.write_bytes(now[:place] + before.ljust(PAGE, b"\0") + now[place + PAGE :])
            with opened(tmp_path) as tables:
                at, people = tables.table("state").get("at"), tables.table("people")
                if people.whole() and at is not None:
                    committed = range(int(at) + 1)
                    last = {name: rounds[number] for number in committed for name in NAMES[number % 3 :: 3]}
                    assert dict(people.items()) == last
                    assert {name: people.get(name) for name in last} == last
                else:
                    found += 1
    assert found > 0, "pages that are in use had older content"


def separators(content: bytes) -> list[int]:
    """The place of the last byte of each name in the branch pages, which lead a look-up to its leaf."""
    found = []
    for page in range(2 * PAGE, len(content), PAGE):
        flags, lower = struct.unpack_from("<HH", content, page + 10)
        if flags == BRANCH:
            for pointer in range(page + HEADER, page + lower, 2):
                node = page + struct.unpack_from("<H", content, pointer)[0]
                if length := struct.unpack_from("<H", content, node + 6)[0]:
                    found.append(node + 8 + length - 1)
    return found


def test_a_flipped_bit_in_a_name_that_leads_to_a_page_then_found_or_no_look_up_errs(
    tmp_path: Path,
) -> None:
    *_, content = written(tmp_path, *[b"%d" % number * 90 for number in range(6)])
    file, right = tmp_path / "0" / "data.mdb", dict[str, bytes]()
    with opened(tmp_path) as tables:
        right |= tables.table("people").items()
    misled = 0
    for place in separators(content):
        for bit in range(8):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            with opened(tmp_path) as tables:
                people = tables.table("people")
                finds = {name: people.get(name) for name in right} == right
                assert people.whole() <= finds
                misled += not finds
    assert misled > 0, "a look-up goes by these names"


WORKER = """
import os, signal, sys
from pathlib import Path
from gatekeeper.store.disk_tables import DiskTables
from gatekeeper.store.faults import Faults
faults, opened = Faults(), []
for home in sys.argv[2:]:
    opened.append(DiskTables(Path(home), identity=b"one", key=bytes(range(32)), spoilt=b"!", faults=faults))
if sys.argv[1] == "cut":  # what is mapped beyond the end of a file is no memory, as what is on a bad sector
    os.truncate(opened[1].folder / "data.mdb", 8192)
    print(dict(opened[1].table("people").items()))
elif sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
for one in opened:
    one.close()
"""


@pytest.mark.parametrize(
    ("how", "ends", "kept"),
    [("cut", -signal.SIGBUS, False), ("kill", -signal.SIGKILL, True)],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_process_ended_by_a_fault_then_its_files_are_made_anew_and_not_if_killed(
    tmp_path: Path, how: str, ends: int, kept: bool
) -> None:
    homes = [tmp_path / name for name in ("facts", "ledger", "other")]
    for home in homes:
        written(home, b"one" * 50)
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", WORKER, how, *homes[:2]], capture_output=True, check=False)
        assert ended.returncode == ends, ended.stderr
    for home in homes:
        with capture_logs() as logged, opened(home) as tables:
            as_before = kept or home == homes[2]
            assert (len(tables.table("people")) > 0) == as_before
            assert any("Fatal Python error" in line for one in logged for line in one["frames"]) != as_before
        assert sorted(os.listdir(tables.folder)) == ["data.mdb", "lock.mdb"]
