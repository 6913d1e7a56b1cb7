"""The folder of a backup: whole or refused, and signed by a key that is kept elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gatekeeper.audit.checks import accounts
from gatekeeper.ground.errors import GatekeeperError, IntegrityError, UsageError
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import Head
from schemas.topics import TOPICS
from streams.backup import cut, saving
from streams.backup.folder import copied, demand_whole, growing
from streams.backup.keys import missing, named
from streams.backup.list import LIST, Backup, StoredFile, opened, seal

AT = "2026-11-28T00:00:00.000Z"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    found = Keys(tmp_path / "keys")
    found.make("backup", "mail.gk/backup")
    return found


@pytest.fixture
def saved(tmp_path: Path, keys: Keys) -> Path:
    (tmp_path / "users").write_text("hanako\n")
    with growing(tmp_path / "saved") as part:
        file = copied(tmp_path / "users", part, "settings/console_users")
        seal(part, _backup(file), keys)
    return tmp_path / "saved"


def _backup(*files: StoredFile) -> Backup:
    lists = dict.fromkeys(("logs", "positions", "keys"), ())
    system = {"group": "mail.gk", "prefix": "mail.", "partitions": 2, "mode": "live"}
    return Backup(v=1, **system, begun=AT, ended=AT, files=files, settings={}, **lists)  # type: ignore[arg-type]


def refused(saved: Path, keys: Keys) -> GatekeeperError:
    try:
        for file in opened(saved, keys, group="mail.gk").files:
            demand_whole(saved, file)
    except GatekeeperError as error:
        return error
    raise AssertionError("taken for whole")


def test_a_whole_backup_then_it_opens_and_its_owner_alone_may(saved: Path, keys: Keys) -> None:
    found = opened(saved, keys, group="mail.gk")
    assert found.newest == -1
    demand_whole(saved, found.files[0])
    assert saved.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", [LIST, "settings/console_users"])
def test_a_changed_file_then_it_is_named(saved: Path, keys: Keys, name: str) -> None:
    raw = (saved / name).read_bytes()
    (saved / name).write_bytes(raw.replace(b"hanako", b"taro  ").replace(b'"partitions": 2', b'"partitions": 3'))
    error = refused(saved, keys)
    assert isinstance(error, IntegrityError)
    assert error.values["file"] == name


def test_a_lost_file_then_it_is_no_backup(saved: Path, keys: Keys) -> None:
    for name, key in (("settings/console_users", "backup_file_missing"), (LIST, "backup_missing")):
        (saved / name).unlink()
        assert refused(saved, keys).key == f"error.{key}"


def test_another_s_signature_then_it_is_refused(saved: Path, keys: Keys) -> None:
    (keys.folder / "backup-1.pub").unlink()
    assert refused(saved, keys).key == "error.key_missing"
    keys.make("backup", "mail.gk/backup")
    assert refused(saved, keys).key == "error.backup_unsigned"


def test_a_new_key_under_an_old_number_then_it_is_refused_and_a_lost_one_is_named(tmp_path: Path) -> None:
    then, now = Keys(tmp_path / "then"), Keys(tmp_path / "now")
    now.folder.mkdir(mode=0o700)
    for role in ("token", "worker"):
        then.make(role, f"mail.gk/{role}")
    head = Head(sends=0, masters={"1": "0" * 16}, tokens={"7": "1" * 16})
    found = _backup().model_copy(update={"keys": tuple(named(then, [head]))})
    assert missing(found, now) == ["master-1", "token-1", "token-7", "worker-1"]
    for name in ("token-1.key", "worker-1.key", "worker-1.pub"):
        shutil.copy2(then.folder / name, now.folder / name)
    assert missing(found, now) == ["master-1", "token-7"]
    (now.folder / "token-1.key").unlink()
    now.make("token", "mail.gk/token")
    with pytest.raises(UsageError, match="token-1"):
        missing(found, now)


def test_an_interrupted_backup_then_it_has_not_the_name_of_a_whole_one(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(KeyboardInterrupt), growing(tmp_path / "saved") as part:
        raise KeyboardInterrupt
    assert not (tmp_path / "saved").exists()
    assert part.exists()
    with pytest.raises(UsageError, match=r"saved\.part"), growing(tmp_path / "saved"):
        pass


def test_a_sealed_log_that_moves_on_then_the_copy_is_of_one_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, part = tmp_path / "log", tmp_path / "part"
    for name, content in {"checkpoint": "1", "state/1": "a", "tile/0/000": "t", "tile/0/001.p/1": "p"}.items():
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_text(content)
    moved, copy = [False], saving.copied

    def meanwhile(source: Path, into: Path, path: str) -> StoredFile:
        found = copy(source, into, path)
        if not moved[0]:
            moved[0] = True
            (log / "checkpoint").write_text("2")
            (log / "state" / "2").write_text("b")
            (log / "state" / "1").unlink()
        return found

    monkeypatch.setattr(saving, "copied", meanwhile)
    files = saving._sealed_log(log, part)
    names = {one.path: (part / one.path).read_text() for one in files}
    assert names == {"log/checkpoint": "2", "log/state/2": "b", "log/tile/0/000": "t", "log/tile/0/001.p/1": "p"}
    assert {file.relative_to(part).as_posix() for file in part.rglob("*") if file.is_file()} == set(names)


def test_every_topic_then_a_backup_has_it() -> None:
    assert sorted(cut.ORDER) == sorted(TOPICS)
    assert {*cut.OUTPUTS} == {*accounts.OUTPUTS}
