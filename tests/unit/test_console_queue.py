"""The queue, its lists and forms without Kafka: what they name and for whom, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from time import time
from urllib.parse import quote

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.pages import bulk
from gatekeeper.console.users import Users
from gatekeeper.review.filter import KEYS
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import OfflineConsole, offline_console, referred, user_file

PEOPLE = {"manager": {"roles": ("manager",)}, "elsewhere": {"roles": ("viewer", "manager"), "controllers": ("C9",)}}


PICTURE = b"\x89PNG a form of 2018"
HASH = sha256(PICTURE).hexdigest()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineConsole]:
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    desk.send(event_id="E-1", mail_date=(date.today() + timedelta(days=30)).isoformat())
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk, settings={"forms": str(folder)})
        notice = invented.notice(name="Point card 2018", image_sha256=HASH, purposes=["service.points"])[1]
        found.console.model.take(referred(staff.signed(notice, "hanako", "taro"), first=1000))
        (folder / f"{HASH}.png").write_bytes(PICTURE)
        yield found


def test_a_user_of_another_company_then_no_registered_name_of_this_one_is_told(house: OfflineConsole) -> None:
    secret = {"v": 1, "kind": "campaign", "id": "K-1", "name": "極秘の合併案内"}
    house.console.model.take(referred(staff.signed(secret, "hanako"), first=2000))
    client = house.client("elsewhere")
    for address in ("/items?campaign=K-1", "/items?campaign=K-1,K-2", "/records?signed=campaign/K-1", "/campaigns/K-1"):
        assert "極秘" not in client.get(address).text, address
    assert "極秘" in house.client("manager").get("/records?signed=campaign/K-1").text


def test_a_picture_of_a_form_then_only_it_is_shown_to_who_is_signed_in_and_unchanged(house: OfflineConsole) -> None:
    client, address = house.client("manager"), f"/forms/{HASH}"
    assert client.get(address).content == PICTURE
    for name in ("users.json", "..%2Fusers.json"):
        assert client.get(f"/forms/{name}").status_code == 404
    assert house.anonymous().get(address).status_code == 303
    (Path(house.console.settings.forms) / f"{HASH}.png").write_bytes(PICTURE + b", changed")
    assert client.get(address).status_code == 404


INJECTED = ("x' OR '1'='1", 'x" UNION SELECT sql FROM sqlite_master --', "%", "x\0y")
NAMED = ("/items/{}", "/items/{}/audit.json", "/campaigns/{}", "/people/{}", "/letters/{}", "/runs/{}", "/sign/{}")


@pytest.mark.parametrize("text", INJECTED)
def test_a_text_that_is_sql_then_it_finds_nothing_and_everything_is_still_there(
    house: OfflineConsole, text: str
) -> None:
    client = house.client("manager")
    before = client.get("/items.jsonl").text
    assert before.count("\n") == 1
    for name in KEYS:
        answer = client.get("/items.jsonl", params={name: text})
        assert (answer.status_code, before in answer.text) == (400, False), name
        for path in ("/items", "/bulk"):
            assert client.get(path, params={name: text}).status_code < 500, (path, name)
    for path in NAMED:
        assert client.get(path.format(quote(text))).status_code in (400, 404, 410, 422), path
    assert client.get("/items.jsonl").text == before


@pytest.mark.parametrize("wrong", [{"evidence": "申込書"}, {"typed": "3"}, {"count": "2"}, {"reason": ""}])
def test_a_bulk_act_whose_form_is_wrong_then_422(
    house: OfflineConsole, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    monkeypatch.setattr(bulk, "TYPED_ABOVE", 0)
    form = {"kind": "uphold", "run": "r1", "filter": "state=open", "until": house.console.model.cursor(), "count": "1"}
    form |= {"typed": "1", "reason": "form seen", "evidence": "form-9", **wrong}
    assert house.client("manager").post("/bulk", data=form).status_code == 422
