"""Sign-in by the user file: guessing is slow, nobody locks out anybody else, and a changed entry ends the sessions."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.limits import Slots
from gatekeeper.console.session import COOKIE, Denied
from gatekeeper.console.users import User, Users, browser_mark, change, is_marked
from tests.support.offline_console import PASSWORD, Browser, OfflineConsole, offline_console, user_file

PEOPLE = {"hanako": {"roles": ("reviewer",)}, "taro": {"roles": ("viewer",)}}
ELSEWHERE = "203.0.113.66"
OFFICE = "192.0.2.1"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that take no time, for tests of all else."""
    monkeypatch.setattr(passwords, "LOG_N", 10)


@pytest.fixture
def house(cheap: None, tmp_path: Path) -> OfflineConsole:
    return offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)))


def tried(client: Browser, user: str, password: str = "a wrong password") -> int:
    return client.post("/signin", data={"user": user, "password": password}).status_code


def test_ten_wrong_passwords_from_one_place_then_more_wait_there_and_nowhere_else(house: OfflineConsole) -> None:
    attacker = house.anonymous(ELSEWHERE)
    assert [tried(attacker, "hanako") for _ in range(11)] == [401] * 10 + [429]
    assert tried(attacker, "hanako", PASSWORD) == 429, "nor is the right one heard"
    assert tried(house.anonymous(OFFICE), "hanako", PASSWORD) == 303
    assert tried(attacker, "taro", PASSWORD) == 303, "another user, who shares the address"


def test_guesses_from_one_office_then_a_browser_that_the_user_has_used_is_let_in(house: OfflineConsole) -> None:
    own = house.client("hanako", address=OFFICE)
    own.post("/signout")
    colleague = house.anonymous(OFFICE)
    assert [tried(colleague, "hanako") for _ in range(11)][-1] == 429
    assert tried(own, "hanako", PASSWORD) == 303
    assert tried(own, "hanako", PASSWORD) == 303
    stolen = house.anonymous(ELSEWHERE)
    stolen.cookies = own.cookies
    del stolen.cookies[COOKIE]
    assert [tried(stolen, "hanako") for _ in range(11)][-1] == 429, "the mark is no password"


def test_a_stranger_in_the_office_tries_many_ids_then_colleagues_sign_in_there(house: OfflineConsole) -> None:
    stranger = house.anonymous(OFFICE)
    for number in range(60):  # six times what one id may try
        assert tried(stranger, f"id-{number}") == 401
    assert tried(house.anonymous(OFFICE), "taro", PASSWORD) == 303
    assert tried(house.anonymous(OFFICE), "hanako", PASSWORD) == 303


def test_a_mark_of_a_browser_then_it_holds_for_one_user_and_one_password() -> None:
    kept = "scrypt$10$8$1$AAAA$BBBB"
    mark = browser_mark("hanako", kept)
    assert is_marked("hanako", kept, mark)
    for user, secret, said in (("taro", kept, mark), ("hanako", kept + "x", mark), ("hanako", kept, f"x{mark}"),
                               ("hanako", kept, ""), ("hanako", kept, "."), ("hanako", kept, "é.é")):  # fmt: skip
        assert not is_marked(user, secret, said)


def test_attempts_of_a_whole_network_then_they_are_one_client(house: OfflineConsole) -> None:
    codes = [tried(house.anonymous(f"2001:db8::{n}"), "hanako") for n in range(1, 12)]
    assert codes == [401] * 10 + [429]


def test_a_changed_entry_then_its_sessions_end_and_no_others(house: OfflineConsole, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    entry = Users(file).get("hanako")
    secret = passwords.hashed("another long password")
    for changed in ({"password": secret}, {"roles": ("viewer",)}, {"controllers": ("C1",)}):
        client, other = house.client("hanako"), house.client("taro")
        assert client.get("/reasons").status_code == 200
        change(file, lambda all_, new=changed: {**all_, "hanako": all_["hanako"].model_copy(update=new)})
        assert client.get("/reasons").status_code == 303, changed
        assert other.get("/reasons").status_code == 200
        change(file, lambda users: {**users, "hanako": entry})
        assert client.get("/reasons").status_code == 303, "what has ended does not come back"
    client = house.client("hanako")
    change(file, lambda users: {name: one for name, one in users.items() if name != "hanako"})
    assert client.get("/reasons").status_code == 303


def test_a_user_removed_while_the_hash_is_renewed_then_they_stay_removed(cheap: None, tmp_path: Path) -> None:
    file = user_file(tmp_path, PEOPLE)
    users = Users(file)
    entry = users.get("hanako")
    assert entry is not None
    change(file, lambda found: {name: one for name, one in found.items() if name != "hanako"})
    assert users._renewed("hanako", entry, PASSWORD) == entry
    assert users.get("hanako") is None


def test_two_who_change_the_file_at_once_then_both_changes_are_in_it(cheap: None, tmp_path: Path) -> None:
    file = user_file(tmp_path, {})
    secret = passwords.hashed(PASSWORD)

    def add(number: int) -> None:
        change(file, lambda found: {**found, f"u{number}": User(roles=("viewer",), password=secret)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    assert len(Users(file).file().users) == 16


def test_a_flood_of_slow_work_from_one_address_then_another_is_next() -> None:
    slots, go, done = Slots("test", at_once=1, most=5), threading.Event(), list[str]()

    def work(name: str) -> None:
        go.wait(10)
        done.append(name)

    async def flood() -> None:
        strangers = [asyncio.create_task(slots.run(lambda n=n: work(f"stranger {n}"), ELSEWHERE)) for n in range(3)]
        await asyncio.sleep(0)
        colleague = asyncio.create_task(slots.run(lambda: work("colleague"), OFFICE))
        strangers += [
            asyncio.create_task(slots.run(lambda n=n: work(f"stranger {n}"), ELSEWHERE)) for n in range(3, 40)
        ]
        await asyncio.sleep(0)
        go.set()
        answers = await asyncio.gather(colleague, *strangers, return_exceptions=True)
        assert answers[0] is None
        assert sum(isinstance(one, Denied) for one in answers) == 36

    asyncio.run(flood())
    assert done.index("colleague") <= 2, "after the one under way, and at most one turn of the others"
    assert len(done) == 5
