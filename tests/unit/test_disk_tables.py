"""Tables on the disk: whole commits, spoilt values, one writer, and none on a network."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from gatekeeper.ground.errors import RestartError, UnavailableError, UsageError
from gatekeeper.store.disk_table import MAC_BYTES, SpoiltError
from gatekeeper.store.disk_tables import DiskTables
from gatekeeper.store.file_system import demand_local
from gatekeeper.store.guard import Guard

KEY = bytes(range(32))
BAD = b"!"


@contextmanager
def opened(home: Path, identity: bytes = b"one", key: bytes = KEY) -> Iterator[DiskTables]:
    tables = DiskTables(home, identity=identity, key=key, spoilt=BAD, guarded={"stops": lambda value: b"no" in value})
    try:
        yield tables
    finally:
        tables.close()


def written(home: Path, **values: bytes) -> Path:
    """Commits these values, and returns the file that has them."""
    with opened(home) as tables:
        for name, value in values.items():
            tables.table("people")[name] = value
        tables.commit(tables.cut())
    return home / "0" / "data.mdb"


def test_values_committed_then_a_restart_has_them_and_none_that_waited(tmp_path: Path) -> None:
    with opened(tmp_path) as tables:
        people = tables.table("people")
        people["P-1"], people["P-2"] = b"one", b"two"
        cut = tables.cut()
        people["P-2"], people["P-3"] = b"newer", b"three"
        assert people.pop("P-1", None) == b"one"
        tables.commit(cut)
        assert (people.get("P-1"), people.get("P-2"), people.get("P-3"), len(people)) == (None, b"newer", b"three", 2)
        assert dict(people.items()) == {"P-2": b"newer", "P-3": b"three"}
    with opened(tmp_path) as tables:
        people = tables.table("people")
        assert dict(people.items()) == {"P-1": b"one", "P-2": b"two"}
        assert (people.get("P-2"), people.get("P-3"), len(people)) == (b"two", None, 2)
        people.pop("P-2", None)
        tables.commit(tables.cut())
        assert dict(people.items()) == {"P-1": b"one"}


def test_a_flipped_byte_of_a_value_then_it_is_spoilt_and_the_next_start_is_anew(tmp_path: Path) -> None:
    file = written(tmp_path, P=b"a fact about a person", Q=b"a fact about another")
    content = file.read_bytes()
    file.write_bytes(content.replace(b"fact about a person", b"fact about a persom"))
    with opened(tmp_path) as tables:
        people = tables.table("people")
        assert (people.get("P"), people.get("Q")) == (BAD, b"a fact about another")
        assert tables.spoilt == {"people"}
        with pytest.raises(SpoiltError):
            list(people.items())
    with opened(tmp_path) as tables:
        assert len(tables.table("people")) == 0
        assert tables.spoilt == set()


def test_a_value_of_another_name_or_of_another_key_then_it_is_spoilt(tmp_path: Path) -> None:
    file = written(tmp_path, P=b"the facts of one", Q=b"the facts of two")
    content = file.read_bytes()
    one, two = (
        content[content.index(text) - MAC_BYTES : content.index(text) + len(text)]
        for text in (b"the facts of one", b"the facts of two")
    )
    file.write_bytes(content.replace(one, b"=" * len(one)).replace(two, one).replace(b"=" * len(one), two))
    with opened(tmp_path) as tables:
        assert [tables.table("people").get(name) for name in ("P", "Q")] == [BAD, BAD]
    written(tmp_path, P=b"one")
    with opened(tmp_path, key=bytes(32)) as tables:
        assert tables.table("people").get("P") == BAD


def test_an_older_file_put_in_place_then_it_is_found_before_its_values_count(tmp_path: Path) -> None:
    older = written(tmp_path, P=b"a yes").read_bytes()
    with opened(tmp_path) as tables:
        tables.demand_newest()
        tables.table("people")["P"] = b"a no"
        tables.commit(tables.cut())
        tables.demand_newest()
        with (tables.folder / "data.mdb").open("r+b") as file:  # the same inode, as rsync --inplace leaves it
            file.write(older)
        assert tables.table("people").get("P") != b"a no"
        assert not tables.spoilt, "no look-up shows it"
        with pytest.raises(RestartError):
            tables.demand_newest()
    with opened(tmp_path) as tables:
        assert len(tables.table("people")) == 0, "the next start makes it anew"


def stops(home: Path) -> bytes:
    """Commits a yes and two nos of many people, and returns the content of the file."""
    with opened(home) as tables:
        table = tables.table("stops")
        for number in range(300):
            table[f"P-{number:03}"] = b"a yes"
            table[f"Q-{number:03}"] = b"a no"
        tables.commit(tables.cut())
        for number in range(300):
            table[f"Q-{number:03}"] = b"a no, and another"
        tables.commit(tables.cut())
    return (home / "0" / "data.mdb").read_bytes()


def test_a_flipped_bit_in_the_name_of_a_stop_then_the_look_up_says_spoilt(tmp_path: Path) -> None:
    stops(tmp_path)
    file, lost = tmp_path / "0" / "data.mdb", 0
    with opened(tmp_path) as tables:
        table = tables.table("stops")
        assert table.whole()
        table["P-007"] = b"a no"
        tables.commit(tables.cut())
        content = file.read_bytes()
        for bit in range(8 * 5):
            place = content.rindex(b"Q-150") + bit // 8
            with file.open("r+b") as changed:
                changed.seek(place)
                changed.write(bytes([content[place] ^ 1 << bit % 8]))
            lost += table.get("Q-150") == BAD
            assert table.get("Q-150") in (BAD, b"a no, and another")
            assert (table.get("P-150"), table.get("R-150")) == (b"a yes", None)
            with file.open("r+b") as changed:
                changed.seek(place)
                changed.write(content[place : place + 1])
    assert lost > 30, "most of these bits hide the row"


def test_stops_of_many_people_then_each_change_of_one_is_known(tmp_path: Path) -> None:
    draw, guard, right = Random(3), Guard(), dict[bytes, bytes]()
    for number in range(3_000):
        name, mac = b"P-%d" % draw.randrange(800), number.to_bytes(8, "little")
        if draw.random() < 0.2:
            guard.drop(name)
            right.pop(name, None)
        else:
            guard.put(name, mac)
            right[name] = mac
        assert not guard.misses(name, right.get(name))
    assert all(guard.misses(name, None) and not guard.misses(name, mac) for name, mac in right.items())
    assert not any(guard.misses(b"Q-%d" % number, None) for number in range(800))
    assert len(guard) <= 800


def test_the_file_deleted_or_replaced_while_it_is_used_then_the_process_is_to_end(tmp_path: Path) -> None:
    with opened(tmp_path) as tables:
        tables.demand_there()
        file = tables.folder / "data.mdb"
        file.rename(tmp_path / "kept")
        with pytest.raises(RestartError):
            tables.demand_there()
        file.write_bytes((tmp_path / "kept").read_bytes())
        with pytest.raises(RestartError):
            tables.demand_there()


MOUNTS = """1 0 8:1 / / rw - ext4 /dev/vda rw
2 1 0:5 / /srv rw shared:1 - nfs4 server.example:/x rw
3 2 8:2 / /srv/own\\040disk rw - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"), [("/var/data", None), ("/srv", "nfs4"), ("/srv/data/0", "nfs4"), ("/srv/own disk/data", None)]
)
def test_a_folder_on_a_network_then_it_is_refused(folder: str, kind: str | None) -> None:
    if kind is None:
        return demand_local(Path(folder), MOUNTS)
    with pytest.raises(UsageError, match=kind):
        demand_local(Path(folder), MOUNTS)
    return None


def test_a_full_disk_then_the_commit_fails_whole_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    file = written(tmp_path, P=b"one")
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as tables:
        for number in range(100):
            tables.table("people")[f"Q-{number}"] = bytes(2000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 8192, bounds[1]))
        try:
            with pytest.raises(UnavailableError, match=str(tmp_path)):
                tables.commit(tables.cut())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    with opened(tmp_path) as tables:
        people = tables.table("people")
        assert dict(people.items()) == {"P": b"one"}
        people["P"] = bytes(9000)
        tables.commit(tables.cut())
    with opened(tmp_path) as tables:
        assert dict(tables.table("people").items()) == {"P": bytes(9000)}


WRITER = """
import sys
from pathlib import Path
from gatekeeper.store.disk_tables import DiskTables
tables = DiskTables(Path(sys.argv[1]), identity=b"one", key=bytes(range(32)), spoilt=b"!")
people, places = tables.table("people"), tables.table("positions")
first = int(places.get("at") or b"0")
for number in range(first, first + 1_000_000):
    people[f"P-{number % 5000}"] = b"%d" % number * 40
    places["at"] = b"%d" % (number + 1)
    if number % 37 == 0:
        tables.commit(tables.cut())
        print(number, flush=True)
"""


def test_killed_in_the_middle_of_commits_then_values_and_position_are_of_one_commit(tmp_path: Path) -> None:
    draw, last = Random(8), 0
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(draw.randrange(5, 30)):
                last = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
        with opened(tmp_path) as tables:
            end = int(tables.table("positions").get("at") or b"0")
            assert end > last, "acknowledged commits are there"
            newest = {f"P-{number % 5000}": b"%d" % number * 40 for number in range(max(0, end - 5000), end)}
            assert dict(tables.table("people").items()) == newest
            assert not tables.spoilt


UNREADABLE = Path("/proc/self/mem")
"""A file whose first page gives EIO, as a bad sector does."""
PAGE = 4096
NAMES = [f"P-{number:03}" for number in range(300)]


def rounds_of(home: Path, *rounds: bytes) -> list[bytes]:
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
    rounds_of(tmp_path, b"one")
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
    *_, content = rounds_of(tmp_path, b"one" * 50)
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
    history = rounds_of(tmp_path, *rounds)
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
        rounds_of(home, b"one" * 50)
    ended = subprocess.run([sys.executable, "-c", WORKER, how, *homes[:2]], capture_output=True, check=False)
    assert ended.returncode == ends, ended.stderr
    for home in homes:
        with capture_logs() as logged, opened(home) as tables:
            as_before = kept or home == homes[2]
            assert (len(tables.table("people")) > 0) == as_before
            assert any("Fatal Python error" in line for one in logged for line in one["frames"]) != as_before
        assert sorted(os.listdir(tables.folder)) == ["data.mdb", "lock.mdb"]
