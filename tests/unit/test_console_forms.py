"""Forms without Kafka: what is wrong leads to its own field, and each field says whether it is required."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from time import time
from uuid import uuid4

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.pages import bulk
from gatekeeper.console.users import Users
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import Browser, OfflineConsole, offline_console, referred, user_file

PEOPLE = {"manager": {"roles": ("manager",)}}
NAMED = (
    invented.controller(name="みどり小売株式会社")[1],
    invented.batch(id="B-1", name="通販購入者名簿")[1],
    invented.batch(id="B-2", name="会員ＤＭ")[1],
    invented.batch(id="B-3", name="会員DM")[1],
)
WORDS = {"reason": "form seen", "evidence": "form-9"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineConsole]:
    folder = tmp_path_factory.mktemp("house")
    desk = Desk(*YOUNG)
    desk.at = round(time() * 1000)
    for number in range(2):
        mail_date = date.today() + timedelta(days=20 + number)
        desk.send(event_id=f"E-{number}", campaign_id=f"K-{number}", mail_date=mail_date.isoformat())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "LOG_N", 10)
        found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk)
        lines = [line for one in NAMED for line in staff.signed(one, "hanako", "taro")]
        found.console.model.take(referred(lines, first=1000))
        yield found


@pytest.fixture
def client(house: OfflineConsole) -> Browser:
    return house.client("manager")


def marked(page: str) -> list[str]:
    """Returns the ids of the fields that a page marks as wrong; its summary must lead to the same."""
    wrong = re.findall(r'<input id="(\w+)"[^>]*aria-describedby="[^"]*\bwrong"[^>]*aria-invalid="true" autofocus', page)
    summary = page.partition('role="alert" id="wrong">')[2].partition("</p>")[0]
    assert re.findall(r'<a href="#(\w+)">[^<]+</a>', summary) == wrong
    assert page.count("aria-invalid") == len(wrong)
    return wrong


@pytest.mark.parametrize(
    ("kind", "typed", "field"),
    [
        ("uphold", {"evidence": "申込書"}, ["evidence"]),
        ("uphold", {"typed": "3"}, ["typed"]),
        ("uphold", {"count": "1"}, []),
    ],
)
def test_an_act_on_many_that_is_wrong_then_the_page_leads_to_that_field_alone(
    house: OfflineConsole,
    client: Browser,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    typed: Mapping[str, str],
    field: list[str],
) -> None:
    monkeypatch.setattr(bulk, "TYPED_ABOVE", 1)
    form = {"kind": kind, "run": "r1", "filter": "state=open", "until": house.console.model.cursor(), "count": "2"}
    answer = client.post("/bulk", data={**form, "typed": "2", **WORDS, **typed})
    assert (answer.status_code, marked(answer.text)) == (422, field), answer.text


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"typed": "C2"}, ["typed"]),
        ({"reason": "x" * 201}, ["reason"]),
        ({"until": "2026-13-01"}, ["until"]),
    ],
)
def test_a_managers_wrong_act_then_the_page_leads_to_that_field_and_keeps_the_rest(
    client: Browser, typed: Mapping[str, str], field: list[str]
) -> None:
    form = {"run": uuid4().hex, "subject": "C1", "typed": "C1", "until": "2099-01-01", **WORDS, **typed}
    answer = client.post("/manage/suspend", data=form)
    assert (answer.status_code, marked(answer.text)) == (422, field), answer.text
    assert f'id="until" name="until" value="{form["until"]}"' in answer.text
