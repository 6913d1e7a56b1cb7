"""A role for one company and some campaigns: it shows, counts, exports and does nothing of the others, on any route."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.console import passwords
from gatekeeper.console.bulk_runs import BulkRun
from gatekeeper.console.pages import PAGES
from gatekeeper.console.tasks import Task
from gatekeeper.console.users import Users
from gatekeeper.index.access import ROLES, Access, Grant, everything
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.review.actions import ActResult
from gatekeeper.review.filter import parse
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import Browser, OfflineConsole, offline_console, referred, user_file

SPRING = {"controllers": ("C1",), "campaigns": ("spring-*",)}
PEOPLE = {
    "manager": {"roles": ("manager",)},
    "viewer": {"roles": ("viewer",)},
    "spring": {"roles": ("manager",), **SPRING},
    "spring-viewer": {"roles": ("viewer",), **SPRING},
    "midori": {"roles": ("manager",), "controllers": ("C1",)},
}
MINE, SAME_COMPANY, OTHER = "spring-1", "autumn-1", "spring-2"
"""Campaigns: the one that is theirs, another of the same controller C1, and one of the controller C2."""
OPEN = {
    *("/signin", "/signin/provider", "/signin/back", "/signout", "/reasons", "/report.css", "/letter.css"),
    *("/passkeys", "/sign/{name}", "/forms/{hash_}", "/manual", "/manual/{name:path}", "/manual/images/{name}"),
}
"""Routes that show and do nothing of any controller or campaign, or nothing but of the person who began it."""
GET = (
    *("/", "/items", "/items.csv", "/items.jsonl", "/items/{id_}", "/items/{id_}/audit.json", "/events", "/overview"),
    *("/bulk", "/runs/{name}", "/campaigns", "/campaigns/{id_}", "/campaigns/{id_}/counts.json"),
    *("/people", "/people/{recipient}", "/manage", "/manage/{kind}", "/manage/{kind}/{run}", "/records"),
    *("/report", "/report.{ending}"),
)
POST = ("/items/{id_}/acts", "/bulk", "/people", "/people/{recipient}/stop", "/manage/{kind}", "/records")
TRIED = {*(("GET", route) for route in GET), *(("POST", route) for route in POST)}
"""Method and route of each request of these tests; letters need Kafka, in tests/console/test_people.py."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineConsole]:
    """A console whose queue holds one send of each campaign; each has one act, of MINE's upheld."""
    desk = Desk(*YOUNG)
    desk.send(event_id="E-1", campaign_id=MINE)
    desk.send(event_id="E-2", campaign_id=SAME_COMPANY)
    desk.send(event_id="E-3", campaign_id=OTHER, controller_id="C2")
    for number in range(3):
        desk.act("note", number, act_id=f"run{number}.{desk.told(number)['decision_id']}", by=f"by-{number}")
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk)
        known = (invented.controller(), invented.controller(id="C2", name="みどりカード"), invented.batch())
        lines = [line for _, one in known for line in staff.signed(one, "hanako", "taro")]
        found.console.model.take(referred(lines, first=1000))
        yield found


@pytest.fixture
def ids(house: OfflineConsole) -> dict[str, str]:
    """The item of each campaign."""
    with house.console.model.read() as db:
        return {row["campaign"]: row["id"] for row in db.execute("SELECT id, campaign FROM item")}


def tried(client: Browser, method: str, route: str, **names: str) -> int:
    """Asks for a route, and returns the status."""
    return asked(client, method, route, **names).status_code


def asked(client: Browser, method: str, route: str, query: str = "", form: dict[str, str] | None = None, **names: str):  # type: ignore[no-untyped-def]
    assert (method, route) in TRIED
    return client.request(method, route.format(**names) + query, data=form)


@pytest.mark.parametrize(
    ("route", "query"),
    [("/items", ""), ("/items.csv", f"?campaign={OTHER},{SAME_COMPANY},{MINE}"), ("/items.jsonl", "?controller=C1,C2")],
)
def test_a_list_or_an_export_then_only_what_is_theirs(
    house: OfflineConsole, ids: dict[str, str], route: str, query: str
) -> None:
    for user, seen in (("spring", {MINE}), ("midori", {MINE, SAME_COMPANY}), ("viewer", {*ids})):
        page = asked(house.client(user), "GET", route, query).text
        assert {campaign for campaign, id_ in ids.items() if id_ in page} == seen, user


def test_the_queue_then_it_counts_only_what_is_theirs(house: OfflineConsole) -> None:
    mine, all_ = (asked(house.client(user), "GET", "/").text for user in ("spring", "viewer"))
    for campaign in (OTHER, SAME_COMPANY):
        assert (campaign in mine, campaign in all_) == (False, True)
    assert MINE in mine


def test_an_item_then_another_company_s_does_not_exist_for_them(house: OfflineConsole, ids: dict[str, str]) -> None:
    client, none = house.client("spring"), "/items/{id_}"
    form = {"kind": "uphold", "run": "r1"}
    for campaign, found in ((MINE, True), (SAME_COMPANY, False), (OTHER, False)):
        for route in (none, "/items/{id_}/audit.json"):
            assert tried(client, "GET", route, id_=ids[campaign]) == (200 if found else 404), route
        status = tried(client, "POST", "/items/{id_}/acts", form=form, id_=ids[campaign])
        assert status == (422 if found else 404), "the reason is missing, which only they are told"
    unknown = asked(client, "GET", none, id_="unknown")
    other = asked(client, "GET", none, id_=ids[OTHER])
    assert (other.status_code, other.text) == (unknown.status_code, unknown.text.replace("unknown", ids[OTHER]))


def test_an_act_that_the_role_does_not_do_for_that_item_then_403(house: OfflineConsole, ids: dict[str, str]) -> None:
    mixed = Access((Grant(roles=("viewer",)), Grant(roles=("reviewer",), controllers=("C2",))))
    client = house.client("manager")
    house.session(client).access = mixed
    form = {"kind": "uphold", "run": "r1"}
    assert tried(client, "POST", "/items/{id_}/acts", form=form, id_=ids[MINE]) == 403
    assert tried(client, "POST", "/items/{id_}/acts", form=form, id_=ids[OTHER]) == 422
    assert 'id="act"' not in client.get(f"/items/{ids[MINE]}").text
    assert 'id="act"' in client.get(f"/items/{ids[OTHER]}").text
    page = client.get("/bulk?kind=uphold&state=any").text
    assert (OTHER in page, MINE in page) == (True, False), "the act, too, not only the look"


def test_a_bulk_act_then_it_means_only_what_is_theirs(house: OfflineConsole, ids: dict[str, str]) -> None:
    client = house.client("spring")
    page = asked(client, "GET", "/bulk", "?kind=uphold&state=any").text
    assert (ids[MINE] in page, ids[OTHER] in page, ids[SAME_COMPANY] in page) == (True, False, False)
    until = house.console.model.cursor()
    form = {"kind": "uphold", "run": "r2", "filter": "state=any", "until": until, "count": "1"}
    page = asked(client, "POST", "/bulk", form=form).text
    assert "the reason is missing" in page
    assert (ids[MINE] in page, ids[OTHER] in page, ids[SAME_COMPANY] in page) == (True, False, False)
    assert tried(house.client("spring-viewer"), "GET", "/bulk", query="?kind=uphold") == 403
    assert tried(house.client("spring-viewer"), "POST", "/bulk", form=form) == 403


def test_a_run_then_only_its_items_that_are_theirs(house: OfflineConsole, ids: dict[str, str]) -> None:
    rows = {id_: ActResult(id_, f"r9.{id_}", "refused", "state") for id_ in ids.values()}
    house.console.runs.put(BulkRun("r9", "uphold", "manager", rows))
    page = asked(house.client("spring"), "GET", "/runs/{name}", name="r9").text
    assert (ids[MINE] in page, ids[OTHER] in page, ids[SAME_COMPANY] in page) == (True, False, False)
    assert tried(house.client("spring"), "GET", "/runs/{name}", name="run2") == 404
    assert tried(house.client("viewer"), "GET", "/runs/{name}", name="run2") == 200


def test_live_changes_then_only_those_of_what_is_theirs(house: OfflineConsole, ids: dict[str, str]) -> None:
    with house.console.model.read() as db:
        for access, seen in ((Access((Grant(roles=("viewer",), **SPRING),)), {MINE}), (everything("viewer"), {*ids})):
            search = ItemSearch(parse("state=any"), 0, "Asia/Tokyo", access=access)
            new, _ = search.since(db, 0)
            last = house.console.model.changes()
            db.execute("UPDATE item SET changed = ?", (last + 1,))
            _, changed = search.since(db, last)
            assert new == len(seen)
            assert set(changed) == {ids[campaign] for campaign in seen}


@pytest.mark.parametrize(("user", "seen"), [("spring", {MINE}), ("midori", {MINE, SAME_COMPANY})])
def test_campaigns_then_only_those_that_are_theirs(house: OfflineConsole, user: str, seen: set[str]) -> None:
    client = house.client(user)
    page = asked(client, "GET", "/campaigns").text
    for campaign in (MINE, SAME_COMPANY, OTHER):
        assert (campaign in page) == (campaign in seen), campaign
        for route in ("/campaigns/{id_}", "/campaigns/{id_}/counts.json"):
            assert tried(client, "GET", route, id_=campaign) == (200 if campaign in seen else 404)


def test_the_overview_then_flow_waiting_and_acts_are_theirs(house: OfflineConsole) -> None:
    for user, total in (("spring", 1), ("midori", 2), ("viewer", 3)):
        page = house.client(user).get("/overview?span=quarter").text
        (waiting,) = re.findall(r'state=open">[^<]*</a></th><td class="number"[^>]*>(\d+)', page)
        assert int(waiting) == total
        assert [f"by-{n}" in page for n in range(3)] == [True, total > 1, total > 2]
        assert ('id="lag"' in page) == (user == "viewer")


def test_a_person_then_history_and_stop_need_rights_without_limits(house: OfflineConsole, ids: dict[str, str]) -> None:
    for user in ("spring", "midori"):
        client = house.client(user)
        assert 'id="recipient"' not in asked(client, "GET", "/people").text
        assert tried(client, "POST", "/people", form={"recipient": "P-1"}) == 303
        assert tried(client, "GET", "/people/{recipient}", recipient="P-1") == 403
        assert tried(client, "POST", "/people/{recipient}/stop", form={"reason": "said so"}, recipient="P-1") == 403
        assert 'href="/people/' not in client.get(f"/items/{ids[MINE]}").text
    client = house.client("manager")
    assert 'id="recipient"' in client.get("/people").text
    assert 'href="/people/' in client.get(f"/items/{ids[MINE]}").text


def test_the_manager_s_acts_then_those_of_their_company_alone(house: OfflineConsole) -> None:
    run = "0" * 32
    for user, company, rest in (
        ("midori", 200, 403),
        ("spring", 403, 403),
        ("viewer", 403, 403),
        ("manager", 200, 200),
    ):
        client = house.client(user)
        assert tried(client, "GET", "/manage") == (403 if user == "viewer" else 200)
        assert tried(client, "GET", "/manage/{kind}", query="?subject=C1", kind="suspend") == company
        for kind in ("suspend", "resume"):
            assert tried(client, "GET", "/manage/{kind}", query="?subject=C2", kind=kind) == rest
        for kind, subject in (("quarantine", "B-1"), ("erase", "P-1")):
            looked = tried(client, "GET", "/manage/{kind}", query=f"?subject={subject}", kind=kind)
            assert looked == (303 if user == "manager" else 403)
        form = {"run": run, "subject": "C2", "reason": "x", "typed": "not it"}
        assert tried(client, "POST", "/manage/{kind}", form=form, kind="suspend") == (422 if user == "manager" else 403)
    house.console.tasks._tasks[run] = Task(run, "manager", "act", over=True)
    for user, status in (("midori", 404), ("spring", 404), ("viewer", 403), ("manager", 200)):
        assert tried(house.client(user), "GET", "/manage/{kind}/{run}", kind="suspend", run=run) == status, user


def test_the_report_then_it_needs_rights_without_limits(house: OfflineConsole) -> None:
    for user, status in (("midori", 403), ("viewer", 403), ("manager", 200)):
        client = house.client(user)
        assert tried(client, "GET", "/report") == status
        assert ('href="/report"' in client.get("/").text) == (status == 200)
        days = "?from=2026-10-01&to=2026-10-02"
        allowed = tried(client, "GET", "/report.{ending}", query=days, ending="json")
        assert (allowed == 403) == (status == 403)


def test_every_route_of_a_page_is_among_those_tried() -> None:
    routes = {
        (method, route.path)
        for page in PAGES
        for route in page.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
        if route.path not in OPEN
    }
    assert routes == {
        *TRIED,
        ("GET", "/letters/{code}"),
        ("GET", "/letters/{code}/paper"),
        ("GET", "/letters/{code}/proof"),
    }, "add a test, then the route to TRIED"


IDS = st.sampled_from(["C1", "C2", "", "spring-1", "spring", "a*b"])
GRANTS = st.builds(
    Grant,
    roles=st.lists(st.sampled_from(ROLES), min_size=1, max_size=3).map(tuple),
    controllers=st.none() | st.lists(st.sampled_from(["C1", "C2", "spring"]), min_size=1, max_size=2).map(tuple),
    campaigns=st.none() | st.lists(st.sampled_from(["spring-*", "*", "C1", "s*g-1", "a*b"]), min_size=1).map(tuple),
)


@given(st.lists(GRANTS, max_size=3), st.sampled_from(["see", "release", "erase", "report"]), IDS, IDS)
def test_any_grants_then_the_condition_on_rows_finds_what_they_cover(
    grants: list[Grant], right: str, controller: str, campaign: str
) -> None:
    access = Access(tuple(grants))
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE item (controller TEXT, campaign TEXT)")
        db.execute("INSERT INTO item VALUES (?, ?)", (controller or None, campaign or None))
        within, limits = access.where(right)
        found = bool(db.execute(f"SELECT 1 FROM item WHERE {within}", limits).fetchall())
    assert found == access.covers(right, controller or None, campaign or None)
    if found:
        assert access.may(right)


def test_two_grants_then_they_never_give_a_right_together() -> None:
    access = Access((Grant(roles=("reviewer",), controllers=("C1",)), Grant(roles=("viewer",))))
    assert access.covers("see", "C2", "K")
    assert access.covers("release", "C1", "K")
    assert not access.covers("release", "C2", "K")
    assert not access.covers("release")
    assert access.controllers("release") == {"C1"}
    assert access.controllers("see") is None


def test_records_to_sign_then_a_manager_sees_those_of_the_controllers_alone(tmp_path: Path) -> None:
    house = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)))
    lines = [staff.line({"v": 1, "kind": "controller", "id": id_}) for id_ in ("C1", "C2")]
    lines.append(staff.line({"v": 1, "kind": "register", "id": "R", "file_date": "2026-01-01"}))
    house.console.model.take(referred(lines, first=1000))
    for user, seen in (("midori", {"controller/C1"}), ("manager", {"controller/C1", "controller/C2", "register/R"})):
        page = asked(house.client(user), "GET", "/records").text
        assert {name for name, _ in lines if name in page} == seen
    form = {"name": "controller/C2", "offset": "1001"}
    assert tried(house.client("midori"), "POST", "/records", form=form) == 409
    assert tried(house.client("viewer"), "POST", "/records", form=form) == 403
    assert tried(house.client("manager"), "POST", "/records", form=form) == 303
