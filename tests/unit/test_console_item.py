"""The page of one item without Kafka: the forms that the person saw, the items beside it, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from time import time

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.users import Users
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import Browser, OfflineConsole, offline_console, referred, user_file

PICTURE = b"\x89PNG a form of 2018"
HASH = sha256(PICTURE).hexdigest()
PEOPLE = {"manager": {"roles": ("manager",)}}
ODD = invented.source(source_id="S-2", notice_id="WHO-KNOWS", may_be_minor=True)


@dataclass
class House:
    console: OfflineConsole
    client: Browser
    folder: Path

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def items(self) -> list[str]:
        """Returns the ids of all items, in the order of the list."""
        return re.findall(r'data-open href="/items/([A-Z0-9]+)\?', self.page("/items"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    desk = Desk(*YOUNG, ODD)
    desk.at = round(time() * 1000)
    for number in range(3):
        mail_date = date.today() + timedelta(days=20 + number)
        desk.send(event_id=f"E-{number}", campaign_id=f"K-{number}", mail_date=mail_date.isoformat())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk, settings={"forms": str(folder)})
        notice = invented.notice(name="Point card 2018", image_sha256=HASH, purposes=["service.points"])[1]
        found.console.model.take(referred(staff.signed(notice, "hanako", "taro"), first=1000))
        yield House(found, found.client("manager"), folder)


@pytest.fixture(autouse=True)
def picture(house: House) -> Path:
    """The picture of the form where it belongs."""
    file = house.folder / f"{HASH}.png"
    file.write_bytes(PICTURE)
    return file


def test_a_picture_that_was_changed_then_it_is_not_shown_as_what_the_person_saw(house: House, picture: Path) -> None:
    picture.write_bytes(PICTURE + b", changed")
    assert "/forms/" not in house.page(f"/items/{house.items()[0]}")
    assert house.client.get(f"/forms/{HASH}").status_code == 404


@pytest.mark.parametrize("name", ["users.json", "..%2Fusers.json"])
def test_a_name_of_another_file_then_there_is_no_such_picture(house: House, name: str) -> None:
    assert house.client.get(f"/forms/{name}").status_code == 404


def test_nobody_signed_in_then_no_picture(house: House) -> None:
    assert house.console.anonymous().get(f"/forms/{HASH}").status_code == 303
