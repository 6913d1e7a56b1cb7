"""A page offers no asking that must fail, and says that an answer comes too late for its mailing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from time import time

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.users import Users
from tests.support import invented, staff
from tests.support.desk import BROKER, DELIVERY, Desk
from tests.support.offline_console import Browser, offline_console, referred, user_file

PEOPLE = {"manager": {"roles": ("manager",)}}
NONE = "No template is registered that may ask"


def asked(*days: int) -> Desk:
    """Returns a desk with a send to a person who must be asked for each of these days to its mail date."""
    desk = Desk(invented.source(**BROKER))
    desk.at = round(time() * 1000)
    for number, day in enumerate(days):
        mailed = (date.today() + timedelta(days=day)).isoformat()
        desk.send(delivery=DELIVERY, event_id=f"E-{number}", campaign_id=f"K-{number}", mail_date=mailed)
    return desk


def browser(folder: Path, desk: Desk, *, template: bool) -> Browser:
    found = offline_console(folder, Users(user_file(folder, PEOPLE)), desk)
    if template:
        made = staff.signed(invented.template(notice_id="OK")[1], "hanako", "taro")
        found.console.model.take(referred(made, first=1000))
    return found.client("manager")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(passwords, "LOG_N", 10)
    return tmp_path


def test_no_template_that_may_ask_then_no_page_offers_it_and_the_item_says_why(folder: Path) -> None:
    desk = asked(30)
    did = desk.records[0].did
    client = browser(folder, desk, template=False)
    for path in ("/items", f"/items/{did}"):
        page = client.get(path).text
        assert 'value="ask"' not in page, path
        assert "kind=ask" not in page, path
    assert '<form method="post" action="/bulk"' not in client.get("/bulk", params={"kind": "ask"}).text
    form = {"kind": "ask", "run": "a1", "user": "manager", "reason": "", "evidence": "", "filter": ""}
    answer = client.post(f"/items/{did}/acts", data=form)
    assert (answer.status_code, NONE in answer.text) == (422, True)
