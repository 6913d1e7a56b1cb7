"""Every role and every act over HTTP: a route that acts lets it pass, or answers 403 with the reason in a sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from gatekeeper.console import passwords
from gatekeeper.console.choices import ACTS as MANY
from gatekeeper.console.orders import KINDS as MANAGED
from gatekeeper.console.pages import PAGES
from gatekeeper.console.pages.acts import KINDS as ITEM_KINDS
from gatekeeper.console.session import Denied
from gatekeeper.console.tasks import AT_ONCE
from gatekeeper.console.users import Users
from gatekeeper.ground.texts import text
from gatekeeper.ground.words import with_code
from gatekeeper.staff.act_kinds import ACT_KINDS
from tests.support import staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import OfflineConsole, offline_console, referred, user_file
from tests.support.roles import MAY

PEOPLE: dict[str, dict[str, Any]] = {
    **{role: {"roles": (role,)} for role in ("viewer", "reviewer", "approver", "auditor", "manager")},
    "revoked": {"roles": ("manager",)},
    "elsewhere": {"roles": ("manager",)},
}
"""The user file. `revoked` is a manager there and nobody on record; `elsewhere` is on record for C9."""
LONG = "x" * 201
"""A reason that no act may have: where the act is allowed, the form alone is wrong."""
ROUTES = {
    "POST /items/{id_}/acts": sorted(ITEM_KINDS),
    "POST /bulk": sorted(MANY),
    "GET /bulk": sorted(MANY),
    "POST /manage/{kind}": [*MANAGED],
    "GET /manage/{kind}": [*MANAGED],
    "POST /people/{recipient}/stop": ["withdraw"],
}
"""Every route that acts, or leads to an act, with the acts that it knows."""
PASSED = (200, 303, 400, 422)
"""The page or the form came up, or a value is wrong: an id or the reason."""
NO_ACT = {"POST /people", "POST /signin", "POST /signout", "POST /sign/{name}", "POST /passkeys", "POST /records"}
"""Routes without an act of a kind: they sign in, look up, or sign. tests/unit/test_console_passkeys.py signs."""
NOT_HERE = {"reveal_topic", "reemit", "handoff", "cancel", "resume_partition"}
"""Acts for which there is a command only."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineConsole]:
    desk = Desk(*YOUNG)
    desk.send(event_id="E-1")
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk)
        later = [
            *staff.signed({**staff.person("revoked", [], keys=[])}, "hanako", "taro"),
            *staff.signed(staff.person("elsewhere", ["manager"], controllers=["C9"]), "hanako", "taro"),
        ]
        found.console.model.take(referred(later, first=1_000))
        yield found


@pytest.fixture
def item(house: OfflineConsole) -> str:
    with house.console.model.read() as db:
        return str(db.execute("SELECT id FROM item").fetchone()[0])


def asked(house: OfflineConsole, item: str, route: str, user: str, kind: str) -> httpx.Response:
    method, path = route.split()
    names = {"id_": item, "kind": kind, "recipient": "no%20id"}
    subject = {"controller": "C1", "batch": "B-1", "policy": "jp-pmark", "person": "P-1"}.get(MANAGED.get(kind, ""), "")
    fields = {"kind": kind, "run": "0" * 32 if "manage" in path else "r1", "reason": LONG, "subject": subject}
    fields |= {"typed": subject, "filter": "state=any", "until": house.console.model.cursor(), "count": "1"}
    client = house.client(user)
    if method == "GET":
        return client.get(path.format(**names), params={"kind": kind, "subject": subject})
    return client.post(path.format(**names), data=fields)


def test_every_route_that_acts_is_among_those_tried() -> None:
    routes = {
        f"{method} {route.path}"
        for page in PAGES
        for route in page.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert {one for one in routes if one.startswith("POST")} == {one for one in ROUTES if "POST" in one} | NO_ACT
    assert {kind for kinds in ROUTES.values() for kind in kinds} == ACT_KINDS.keys() - NOT_HERE


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("role", ["viewer", "reviewer", "approver", "auditor", "manager"])
def test_an_act_of_a_role_then_it_passes_or_is_refused_with_a_sentence(
    house: OfflineConsole, item: str, route: str, role: str
) -> None:
    for kind in ROUTES[route]:
        answer = asked(house, item, route, role, kind)
        if kind not in MAY[role]:
            assert (answer.status_code, text("page.may_not", "en") in answer.text) == (403, True), kind
        else:
            assert answer.status_code in PASSED, (kind, answer.text)


@pytest.mark.parametrize("user", PEOPLE)
def test_a_record_of_reference_to_be_signed_then_for_managers_on_record_alone(house: OfflineConsole, user: str) -> None:
    client, may = house.client(user), user in ("manager", "elsewhere")
    assert client.get("/records").status_code == (200 if may else 403)
    answer = client.post("/records", data={"name": "staff/viewer", "offset": "1"})
    assert answer.status_code == (409 if may else 403), "there is no such record"
    sentence = "page.bar_not_staff" if user == "revoked" else "page.may_not"
    assert (with_code(text(sentence, "en")) in answer.text) == (not may)


def test_a_user_who_is_not_on_record_then_no_act_passes_and_the_pages_say_so(house: OfflineConsole, item: str) -> None:
    for route, kind in ((route, kind) for route, kinds in ROUTES.items() for kind in kinds):
        answer = asked(house, item, route, "revoked", kind)
        assert (answer.status_code, with_code(text("page.bar_not_staff", "en")) in answer.text) == (403, True), kind


def test_a_user_on_record_for_another_controller_then_no_act_about_this_one_passes(
    house: OfflineConsole, item: str
) -> None:
    assert asked(house, item, "POST /items/{id_}/acts", "elsewhere", "uphold").status_code == 403
    assert asked(house, item, "POST /manage/{kind}", "elsewhere", "suspend").status_code == 403
    assert asked(house, item, "POST /people/{recipient}/stop", "elsewhere", "withdraw").status_code == 403
    assert 'id="act"' not in house.client("elsewhere").get(f"/items/{item}").text
    assert 'id="act"' in house.client("manager").get(f"/items/{item}").text


@pytest.mark.parametrize("role", ["viewer", "reviewer", "approver", "auditor", "manager"])
def test_pages_then_they_offer_only_acts_that_can_succeed(house: OfflineConsole, item: str, role: str) -> None:
    client, may = house.client(role), {*MAY[role]} - {"ask", "approve", "undo"}  # impossible on this item
    page = client.get(f"/items/{item}").text
    offered = {kind for kind in ITEM_KINDS if f'name="kind" value="{kind}"' in page}
    assert offered == may & ITEM_KINDS
    listed = client.get("/items").text
    assert {kind for kind in MANY if f"kind={kind}" in listed} == may & {*MANY}
    managed = client.get("/manage")
    forms = {kind for kind in MANAGED if f'action="/manage/{kind}"' in managed.text}
    assert (managed.status_code, forms) == (200 if may & MANAGED.keys() else 403, may & MANAGED.keys())
    assert ('href="/manage"' in page) == bool(may & MANAGED.keys())


def test_all_reports_that_may_run_are_running_then_a_managers_act_begins_at_once(house: OfflineConsole) -> None:
    over, tasks = threading.Event(), house.console.tasks
    try:
        for number in range(AT_ONCE["report"]):
            tasks.start(f"report-{number}", "auditor", "report", lambda _: over.wait(30))
        with pytest.raises(Denied):
            tasks.start("report-more", "auditor", "report", lambda _: None)
        client = house.client("manager")
        for kind, subject in (("suspend", "C1"), ("resume", "C1"), ("erase", "P-1")):
            run = uuid4().hex
            form = {"run": run, "subject": subject, "typed": subject, "reason": "incident 7"}
            assert client.post(f"/manage/{kind}", data=form).status_code == 303, kind
            assert tasks.get(run), kind
        looked = client.get("/manage/erase", params={"subject": "P-1", "look": uuid4().hex})
        assert looked.status_code == 200
    finally:
        over.set()


@pytest.mark.parametrize("bar", ["no_staff", "no_key"])
def test_nobody_can_act_here_then_every_page_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: str
) -> None:
    monkeypatch.setattr(passwords, "LOG_N", 10)
    desk = Desk(*YOUNG)
    desk.send(event_id="E-1")
    known, key = (None, "console") if bar == "no_staff" else (PEOPLE, "stranger")
    house = offline_console(tmp_path, Users(user_file(tmp_path, PEOPLE)), desk, on_record=known, key=key)
    client = house.client("manager")
    assert with_code(text(f"page.bar_{bar}", "en")) in client.get("/items").text
    answer = client.post("/people/P-1/stop", data={"reason": "said so"})
    assert (answer.status_code, with_code(text(f"page.bar_{bar}", "en")) in answer.text) == (403, True)
    assert client.get("/report").status_code == 200, "views are not acts"
