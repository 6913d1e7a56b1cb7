"""The picture of the form that a person saw: shown to who is signed in, as it was signed, and no other file."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from time import time

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.users import Users
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import OfflineConsole, offline_console, referred, user_file

PICTURE = b"\x89PNG a form of 2018"
HASH = sha256(PICTURE).hexdigest()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfflineConsole:
    monkeypatch.setattr(passwords, "LOG_N", 10)
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    desk.send()
    users = Users(user_file(tmp_path, {"manager": {"roles": ("manager",)}}))
    found = offline_console(tmp_path, users, desk, settings={"forms": str(tmp_path)})
    notice = invented.notice(name="Point card 2018", image_sha256=HASH, purposes=["service.points"])[1]
    found.console.model.take(referred(staff.signed(notice, "hanako", "taro"), first=1000))
    (tmp_path / f"{HASH}.png").write_bytes(PICTURE)
    return found


def test_a_picture_of_a_form_then_it_is_shown_unless_it_was_changed(house: OfflineConsole, tmp_path: Path) -> None:
    client = house.client("manager")
    (item,) = {*re.findall(r'data-open href="(/items/[A-Z0-9]+)\?', client.get("/items").text)}
    assert f'<img src="/forms/{HASH}"' in client.get(item).text
    assert client.get(f"/forms/{HASH}").content == PICTURE
    (tmp_path / f"{HASH}.png").write_bytes(PICTURE + b", changed")
    assert "/forms/" not in client.get(item).text
    assert client.get(f"/forms/{HASH}").status_code == 404


def test_a_name_of_another_file_or_nobody_signed_in_then_there_is_no_such_picture(house: OfflineConsole) -> None:
    for name in ("users.json", "..%2Fusers.json"):
        assert house.client("manager").get(f"/forms/{name}").status_code == 404
    assert house.anonymous().get(f"/forms/{HASH}").status_code == 303
