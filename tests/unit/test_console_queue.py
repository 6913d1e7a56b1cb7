"""The queue and its lists without Kafka: what they count, offer and name, and for whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import time
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.users import Users
from gatekeeper.review.filter import KEYS
from schemas.topics import DAY_MS
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import OfflineConsole, offline_console, referred, user_file

PEOPLE = {
    "manager": {"roles": ("manager",)},
    "elsewhere": {"roles": ("viewer", "manager"), "controllers": ("C9",)},
}
ZONE = ZoneInfo("Asia/Tokyo")
MAIL_DATE = (datetime.now(ZONE) + timedelta(days=30)).date()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineConsole]:
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    desk.send(event_id="E-1", mail_date=MAIL_DATE.isoformat())
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        yield offline_console(folder, Users(user_file(folder, PEOPLE)), desk)


def test_a_mail_date_then_the_queue_names_that_very_day(house: OfflineConsole) -> None:
    page = house.client("manager").get("/?lang=ja").text
    after = MAIL_DATE + timedelta(days=1)
    assert page.count(f"{MAIL_DATE.month}月{MAIL_DATE.day}日（") == 2, "on the card and in the lead"
    assert f"{after.month}月{after.day}日（" not in page


def test_a_send_that_waits_then_its_campaign_says_how_long_there_is_to_its_mail_date(house: OfflineConsole) -> None:
    client = house.client("manager")
    for path in ("/campaigns?lang=en", "/campaigns/K-1?lang=en"):
        assert re.search(r'<span class="urgency far">(29|30) \w+ left', client.get(path).text), path
    assert " left<" not in house.client("elsewhere").get("/campaigns?lang=en").text


def test_a_cause_that_a_colleague_decides_then_its_card_leads_to_its_first_item(
    house: OfflineConsole,
) -> None:
    page = house.client("manager").get("/").text
    assert re.search(r'class="button main" href="/items/[A-Z0-9]+\?primary=AGE_UNCERTAIN[^"]*state=open', page)
    assert "kind=release" not in page


def test_an_item_that_may_be_released_then_its_button_is_neither_first_nor_marked(house: OfflineConsole) -> None:
    client = house.client("manager")
    address = re.search(r'data-open href="(/items/[A-Z0-9]+)\?', client.get("/items").text)
    assert address
    page = client.get(address[1]).text
    offers = re.findall(r'<button([^>]*)name="kind" value="(\w+)"', page.partition('id="offers"')[2])
    kinds = [kind for _, kind in offers]
    assert "release" in kinds[1:]
    assert not any("main" in before for before, kind in offers if kind == "release")
    enter = re.search(r'<form method="post" action="/items/[^>]*id="act".*?<button ([^>]*)>', page, re.S)
    assert enter
    assert 'value="note"' in enter[1], "without a script, Enter means the first button"


def test_a_list_then_an_act_on_all_of_it_is_about_the_states_that_it_shows(house: OfflineConsole) -> None:
    page = house.client("manager").get("/items").text
    assert re.search(r"/bulk\?state=asked,open,proposed&amp;kind=uphold", page)
    assert "kind=undo" not in page, "nothing that is shown can be taken back"
    assert "kind=approve" not in page


def test_a_user_of_another_controller_then_no_number_name_or_act_of_this_one_is_told(
    house: OfflineConsole,
) -> None:
    client = house.client("elsewhere")
    queue, listed = client.get("/").text, client.get("/items?origin=notice/N1").text
    assert "<h1>0 sends to look at" in queue
    assert "form “" not in listed
    assert "kind=" not in listed


def test_a_mail_date_that_is_over_then_only_what_makes_sense_is_offered(tmp_path: Path) -> None:
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000) - 10 * DAY_MS
    desk.send(event_id="E-1", mail_date=(datetime.now(ZONE) - timedelta(days=5)).date().isoformat())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)), desk)
        page = found.client("manager").get("/items").text
        assert {kind for kind in ("uphold", "note", "release", "redecide") if f"kind={kind}" in page} == {
            "uphold",
            "note",
        }
        assert "kind=" not in found.client("manager").get("/").text


def test_a_part_of_one_name_then_the_list_is_of_that_campaign_or_form(house: OfflineConsole) -> None:
    client = house.client("manager")
    for said, leads in (("k-1", "campaign=K-1"), ("ＯＫ", "origin=notice/OK")):
        answer = client.get("/items", params={"find": said, "state": "open", "sort": "oldest"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/items?state=open&{leads}&sort=oldest")


@pytest.mark.parametrize(("user", "said"), [("manager", "nowhere"), ("elsewhere", "OK")])
def test_a_part_of_no_name_then_the_list_says_so_and_offers_no_act_on_anything(
    house: OfflineConsole, user: str, said: str
) -> None:
    page = house.client(user).get("/items", params={"find": said}).text
    assert f"No campaign, list or form here is named “{said}”." in page
    assert not re.search("data-open|/bulk|items.csv", page)


def test_a_part_of_several_names_then_each_can_be_chosen_and_nothing_else_is_listed(tmp_path: Path) -> None:
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    for number in (1, 2):
        desk.send(event_id=f"E-{number}", campaign_id=f"SPRING-{number}", mail_date=MAIL_DATE.isoformat())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        client = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)), desk).client("manager")
    page = client.get("/items", params={"find": "spring", "state": "open"}).text
    chips = re.findall(r'class="chip" href="/items\?state=open&amp;campaign=(\S+)"', page.partition('id="found"')[2])
    assert chips == ["SPRING-1", "SPRING-2"]
    assert not re.search("data-open|/bulk|items.csv", page)


def test_a_row_then_it_names_the_acts_that_can_succeed_for_it(house: OfflineConsole) -> None:
    (acts,) = re.findall(r'data-acts="([^"]*)"', house.client("manager").get("/items").text)
    assert {"release", "uphold", "note"} <= {*acts.split()}
    assert not {"approve", "undo"} & {*acts.split()}, "nobody has decided yet"


def test_a_row_then_a_short_code_keeps_to_a_line_and_a_reason_breaks_between_words(
    house: OfflineConsole,
) -> None:
    page = house.client("manager").get("/items").text
    assert '<span class="one-line">K-1</span>' in page
    assert "<code>AGE_<wbr>UNCERTAIN</code>" in page


def test_people_are_to_be_asked_then_the_letter_is_seen_before(tmp_path: Path) -> None:
    desk = Desk(invented.source())
    desk.at = round(time() * 1000)
    desk.send(event_id="E-1", mail_date=MAIL_DATE.isoformat())
    lines = [line for _, said in invented.REFERENCE if "id" in said for line in staff.signed(said, "hanako", "taro")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)), desk)
    bare = found.client("manager").get("/bulk?kind=ask&state=open").text
    assert 'class="draft"' not in bare, "no company is registered, so there is no letter"
    found.console.model.take(referred(lines, first=1000))
    page = found.client("manager").get("/bulk?kind=ask&state=open").text
    draft = page.partition('class="draft"')[2].partition("</pre>")[0]
    assert "みどり小売からのお伺い" in draft
    assert "回答番号　(a code of its own)" in draft
    assert "It cannot be sent like this" not in page
    assert 'class="draft"' not in found.client("manager").get("/bulk?kind=uphold&state=open").text


def test_a_campaign_with_a_name_then_pages_and_search_use_it_and_its_code_is_small(
    tmp_path: Path,
) -> None:
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    item = desk.send(event_id="E-1", mail_date=MAIL_DATE.isoformat()).did
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)), desk)
    client, called = found.client("manager"), {"v": 1, "kind": "campaign", "id": "K-1", "name": "冬のカタログ"}
    record, signature = staff.signed(called, "hanako")
    found.console.model.take(referred([record], first=1000))
    assert "冬のカタログ" not in client.get("/items").text, "nobody signed the name"
    assert "冬のカタログ" in client.get("/records").text, "it waits there for a manager"
    found.console.model.take(referred([signature], first=1001))
    for page in ("/", "/items", f"/items/{item}", "/campaigns", "/campaigns/K-1", "/bulk?kind=note&state=open"):
        assert "冬のカタログ" in client.get(page).text, page
    for page in (f"/items/{item}", "/campaigns/K-1"):
        assert '冬のカタログ <span class="small"><code>K-1</code></span>' in re.sub(
            "</?a[^>]*>", "", client.get(page).text
        )
    for said in ("カタログ", "k-1"):
        answer = client.get("/items", params={"find": said, "state": "open"})
        assert answer.headers["location"].startswith("/items?state=open&campaign=K-1&"), said
    assert '<option value="K-1">冬のカタログ (1)' in client.get("/items").text
    assert "冬のカタログ" not in client.get("/items.csv").text, "programs read codes"


def test_campaign_names_taken_twice_or_like_a_code_then_the_code_follows(
    house: OfflineConsole,
) -> None:
    called = {"K-1": "春&夏 'sale'", "K-2": "春&夏 'sale'", "K-3": "K-1", "K-4": "冬のカタログ"}
    records = ({"v": 1, "kind": "campaign", "id": id_, "name": name} for id_, name in called.items())
    lines = [line for said in records for line in staff.signed(said, "hanako")]
    house.console.model.take(referred(lines, first=1000))
    with house.console.model.read() as db:
        names = house.console.registrations.now(db).names("ja")
    assert [names[f"campaign/{id_}"] for id_ in called] == [
        "春&夏 'sale'（K-1）",
        "春&夏 'sale'（K-2）",
        "K-1（K-3）",
        "冬のカタログ",
    ]
    page = house.client("manager").get("/items?lang=en&campaign=K-1").text
    assert page.count("春&amp;夏 &#39;sale&#39; (K-1)") == 3, "in the filter, in its chip and in the row"


def test_a_user_of_another_company_then_no_registered_name_of_this_one_is_told(house: OfflineConsole) -> None:
    secret = {"v": 1, "kind": "campaign", "id": "K-1", "name": "極秘の合併案内"}
    house.console.model.take(referred(staff.signed(secret, "hanako"), first=2000))
    client = house.client("elsewhere")
    for address in ("/items?campaign=K-1", "/items?campaign=K-1,K-2", "/records?signed=campaign/K-1", "/campaigns/K-1"):
        assert "極秘" not in client.get(address).text, address
    assert "極秘" in house.client("manager").get("/records?signed=campaign/K-1").text


INJECTED = ("x' OR '1'='1", "x'; DROP TABLE item; --", 'x" UNION SELECT sql FROM sqlite_master --', "%", "_", "x\0y")
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
        for path in ("/", "/items", "/items.csv", "/bulk"):
            assert client.get(path, params={name: text}).status_code < 500, (path, name)
    for path in NAMED:
        assert client.get(path.format(quote(text))).status_code in (400, 404, 410, 422), path
    assert client.get("/items.jsonl").text == before
