"""`gatekeeper keys`: what is missing is made, nothing is overwritten, and secrets are their owner's alone."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys
from streams.worker.app import create_app
from tests.cli.conftest import Run


async def begun() -> None:
    create_app(Settings())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for keys."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_given_no_keys_then_init_makes_one_of_each_role_for_its_owner_alone(run: Run, folder: Path) -> None:
    made = run("keys", "init", "--json").json
    assert [(key["role"], key["number"], key["state"]) for key in made] == [(role, 1, "in use") for role in ROLES]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    names = {key["role"]: key["verifier"].split("+")[0] for key in made if key["verifier"]}
    assert names == {
        "worker": "mail.gatekeeper/worker",
        "log": "mail.gatekeeper",
        "witness": "mail.gatekeeper/witness",
        "backup": "mail.gatekeeper/backup",
    }
    told = run("keys", "list", "--json")
    assert (told.code, told.json) == (0, made)


def test_a_copied_token_key_then_one_fingerprint_and_a_key_made_there_has_another(run: Run, folder: Path) -> None:
    def shown() -> str:
        (key,) = run("keys", "list", "--json").json
        assert key["fingerprint"] in run("keys", "list").out
        return str(key["fingerprint"])

    run("keys", "init", "--role", "token")
    first, copied = shown(), (folder / "token-1.key").read_bytes()
    (folder / "token-1.key").unlink()
    run("keys", "init", "--role", "token")
    assert shown() != first
    (folder / "token-1.key").write_bytes(copied)
    assert shown() == first


def test_the_keys_of_all_roles_at_once_then_it_says_that_a_witness_is_elsewhere(run: Run, folder: Path) -> None:
    assert "A witness is another machine" not in run("keys", "init", "--role", "witness").err
    assert "A witness is another machine" not in run("keys", "init").err
    for file in folder.iterdir():
        file.unlink()
    assert "A witness is another machine" in run("keys", "init").err


def test_given_keys_then_init_changes_none_and_refuses_one_that_is_asked_for(run: Run, folder: Path) -> None:
    run("keys", "init")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run("keys", "init", "--json").json == []
    assert "keys rotate --role log" in run("keys", "init", "--role", "log").says(2)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_another_machines_public_key_then_init_makes_no_secret_of_that_role_unasked(run: Run, folder: Path) -> None:
    run("keys", "init")
    (folder / "worker-1.key").unlink()
    assert run("keys", "init", "--json").json == []
    assert [key["number"] for key in run("keys", "init", "--role", "worker", "--json").json] == [2]


def test_given_a_rotation_then_the_next_key_is_in_use_and_the_former_stays(run: Run, folder: Path) -> None:
    says = run("keys", "rotate", "--role", "log").says(2)
    assert "no key" in says
    assert "gatekeeper keys init --role log" in says, "without --role it would make a key of each role"
    run("keys", "init", "--role", "log")
    run("keys", "rotate", "--role", "log")
    states = {(key["number"], key["state"]) for key in run("keys", "list", "--json").json}
    assert states == {(1, "former"), (2, "in use")}
    keys = Keys(folder)
    assert keys.signer("log").verifier == keys.verifiers("log")[1]


def test_given_the_key_of_import_then_it_is_never_renewed(run: Run, folder: Path) -> None:
    run("keys", "init", "--role", "import")
    first = Keys(folder).importing()
    assert "gets the same ids" in run("keys", "init", "--role", "import").says(2)
    assert "one of master, token, event, worker, log, witness" in run("keys", "rotate", "--role", "import").says(2)
    assert Keys(folder).importing() == first


def test_given_a_secret_open_to_others_then_list_exits_1_and_it_does_not_sign(run: Run, folder: Path) -> None:
    run("keys", "init", "--role", "log")
    (folder / "log-1.key").chmod(0o640)
    told = run("keys", "list")
    assert told.code == 1
    assert "chmod 600" in told.err


def test_given_a_folder_that_others_may_write_to_then_list_exits_1(run: Run, folder: Path) -> None:
    run("keys", "init", "--role", "log")
    folder.chmod(0o777)
    told = run("keys", "list", "--json")
    assert (told.code, len(told.json)) == (1, 1)
    assert "chmod 700" in told.err


def test_given_a_folder_that_others_may_write_to_then_no_key_is_put_into_it(run: Run, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o775)
    assert "chmod 700" in run("keys", "init").says(2)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("seal", "--once"),
        ("witness", "--once"),
        ("coverage",),
        ("export", "--out", "out"),
        ("prove", "A" * 26, "--out", "proof"),
        ("explain", "A" * 26),
        ("replay", "--live"),
    ],
    ids=" ".join,
)
def test_a_folder_that_others_may_write_to_then_whatever_trusts_its_keys_ends_with_2(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: str, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    run("keys", "init")
    folder.chmod(0o720)
    assert f"{folder} (mode 720)" in run("audit", *words).says(2)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_given_a_folder_that_others_may_write_to_then_no_worker_begins(folder: Path, run: Run) -> None:
    run("keys", "init")
    folder.chmod(0o702)

    with pytest.raises(UsageError) as told:
        asyncio.run(begun())
    assert told.value.key == "error.key_folder_open"


def test_given_a_token_key_that_others_can_read_then_no_worker_begins(folder: Path, run: Run) -> None:
    run("keys", "init")
    (folder / "token-1.key").chmod(0o640)
    with pytest.raises(UsageError) as told:
        asyncio.run(begun())
    assert (told.value.key, "token-1.key" in str(told.value)) == ("error.key_open", True)
    assert "keys rotate --role token" in str(told.value)


def test_given_no_token_key_then_no_worker_begins(folder: Path, run: Run) -> None:
    run("keys", "init")
    (folder / "token-1.key").unlink()
    with pytest.raises(UsageError) as told:
        asyncio.run(begun())
    assert told.value.key == "error.worker_keyless"


def test_given_the_key_of_import_open_to_others_then_nobody_is_told_to_renew_it(folder: Path, run: Run) -> None:
    run("keys", "init", "--role", "import")
    (folder / "import-1.key").chmod(0o644)
    said = run("keys", "list")
    assert (said.code, "never renewed" in said.err, "rotate" in said.err) == (1, True, False)


def test_given_a_folder_that_others_may_only_read_then_its_keys_are_taken(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("keys", "init")
    folder.chmod(0o755)
    assert "no checkpoint" in run("audit", "witness", "--once", "--first").says(5)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("worker-7.pub", b"\xff\xfe", "cannot be read as a key"),
        ("worker-7.pub", None, "cannot be read as a key"),
        ("worker-7.key", None, "cannot be read as a key"),
        ("log-2.key", b"rubbish", "cannot be read as a key"),
        ("master-2.key", b"00" * 31, "cannot be read as a key"),
        ("log-3.key", "worker-1.key", "not a key of the role log"),
        ("witness-3.pub", "log-1.pub", "not a key of the role witness"),
    ],
)
def test_given_a_file_that_is_no_such_key_then_list_names_it_and_exits_1(
    run: Run, folder: Path, name: str, content: bytes | str | None, said: str
) -> None:
    run("keys", "init")
    file = folder / name
    if content is None:
        file.symlink_to(folder / "gone")
    else:
        file.write_bytes(content if isinstance(content, bytes) else (folder / content).read_bytes())
        file.chmod(0o600)
    told = run("keys", "list", "--json")
    assert (told.code, len(told.json)) == (1, len(ROLES) + 1)
    assert f"{file}" in told.err
    assert said in told.err
    if file.suffix == ".key" and not name.startswith("master"):
        with pytest.raises(UsageError, match=name):
            Keys(folder).signer(name.partition("-")[0])


def test_given_no_keys_then_list_says_so(run: Run, folder: Path) -> None:
    told = run("keys", "list")
    assert (told.code, told.out, told.err) == (0, "", f"No keys in {folder}.\n")
    told = run("keys", "list", "--json")
    assert (told.code, told.json) == (0, [])


def test_no_key_of_the_log_then_a_witness_is_told_to_copy_it_and_not_to_make_one(run: Run, folder: Path) -> None:
    run("keys", "init", "--role", "witness")
    said = run("audit", "witness", "--once").says(2)
    assert ("Copy log-*.pub there" in said, "keys init" in said) == (True, False)


def test_given_a_file_where_the_folder_should_be_then_3(run: Run, folder: Path) -> None:
    folder.write_text("")
    assert str(folder) in run("keys", "init").says(3)


@pytest.fixture
def full(folder: Path) -> Iterator[None]:
    """No file takes more than 40 bytes, as on a disk with no room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("role", ROLES)
def test_given_a_full_disk_then_3_and_nothing_of_the_key_is_left(folder: Path, full: None, role: str) -> None:
    keys = Keys(folder)
    with pytest.raises(UnavailableError):
        keys.make(role, f"mail.gatekeeper/{role}")
    assert list(folder.iterdir()) == []


def test_room_for_the_public_key_alone_then_none_is_left_that_signs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.fdopen

    def room(number: int, *rest: object, **named: object) -> object:
        if os.readlink(f"/proc/self/fd/{number}").endswith(".key"):
            os.close(number)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(number, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "fdopen", room)
    with pytest.raises(UnavailableError):
        Keys(folder).make("worker", "mail.gatekeeper/worker")
    assert list(folder.iterdir()) == []
